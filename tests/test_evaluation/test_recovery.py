"""Strangers are the same each time, and every table shows what its figures are worth."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from facegpt_model.evaluation import recovery
from facegpt_model.evaluation.methods import QUALITIES, UnknownQuality, head
from facegpt_model.evaluation.strangers import SIZES, Strangers, UnknownKind, strangers
from facegpt_model.face import FaceEstimate
from facegpt_model.morphable.base import load
from facegpt_model.morphable.linear_head import LinearHead
from facegpt_model.perception.analyse import NoFace
from ui.cli import app


@pytest.fixture(scope="module")
def people() -> Strangers:
    return strangers("openhead", 3, seed=4)


def test_the_same_seed_draws_the_same_people_whatever_the_count(people: Strangers) -> None:
    fewer = strangers("openhead", 2, seed=4)
    for a, b in zip(fewer.pictures, people.pictures, strict=False):
        assert a.size == b.size and a.tobytes() == b.tobytes()
    assert torch.equal(fewer.codes.identity, people.codes.identity[:2])
    assert not torch.equal(strangers("openhead", 1, seed=5).codes.identity[0], people.codes.identity[0])
    assert {p.size[0] for p in people.pictures} <= set(SIZES)


def test_truth_is_neutral_outer_skin(people: Strangers) -> None:
    smiling = people.codes.expression.abs().sum(dim=1)
    assert bool((smiling > 0).all())
    still = strangers_without_expression(people)
    assert all(
        np.array_equal(a.vertices, b.vertices) for a, b in zip(still.surfaces, people.surfaces, strict=True)
    )
    assert people.face.shape == (len(people.surfaces[0].vertices),)
    assert 0.2 < people.face.mean() < 0.8


def strangers_without_expression(people: Strangers) -> Strangers:
    from facegpt_model.evaluation.strangers import true_surfaces

    code = replace(people.codes, expression=torch.zeros_like(people.codes.expression))
    surfaces, face = true_surfaces(people.model, code)
    return replace(people, surfaces=surfaces, face=face)


@pytest.fixture
def ict_installed(ict_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ict").symlink_to(ict_sample, target_is_directory=True)
    monkeypatch.setenv("FACEGPT_HOME", str(tmp_path))


def test_ict_people_have_their_own_topology_and_differ(ict_installed: None) -> None:
    people = strangers("ict", 2)
    assert people.codes.basis == "ict-face@1" and people.codes.identity.shape == (2, 3)
    assert not np.array_equal(people.surfaces[0].vertices, people.surfaces[1].vertices)
    truth = people.truth()
    tip = truth.reference.landmarks[30]
    assert np.linalg.norm(truth.places - tip, axis=1).min() < 8
    assert np.linalg.norm(truth.places - tip, axis=1).max() < 150


def test_mixed_people_have_openheads_shapes_on_icts_mean_face(ict_installed: None) -> None:
    body, giver = load("ict"), head()
    people = strangers("mixed", 2)
    mixed = people.model
    assert isinstance(body, LinearHead) and isinstance(mixed, LinearHead)
    own = len(body.identity_basis)
    assert torch.equal(mixed.mean, body.mean) and len(mixed.identity_basis) == own + giver.layout.identity
    ball = mixed.triangles[mixed.part == mixed.part_names.index("left_eye")].unique()
    assert float(mixed.identity_basis[own:, ball].std(dim=1).max()) < 1e-5
    moved = mixed.mean + 2 * mixed.identity_basis[own]  # the first component, by landmarks of both
    theirs = giver.landmarks68(2 * giver.identity_basis[None, 0])[0, 17:]
    ours = mixed.landmarks68((moved - mixed.mean)[None])[0, 17:]
    assert float(torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)) > 0.9
    assert people.codes.basis == "ict-mixed@1" and people.codes.identity.shape[1] == own + 150


def test_the_judge_gives_the_true_codes_full_marks_and_the_mean_none(people: Strangers) -> None:
    judge = recovery.Judge(people)
    right = judge.score("right", people.codes)
    assert right.r2 > 0.95 and right.r2_icp > 0.95 and right.r2_codes == pytest.approx(1)
    assert right.rank1 == 1 and right.median < 0.1
    mean = judge.score("mean", head().mean_code(3))
    assert mean.r2 == pytest.approx(0, abs=1e-9) and mean.r2_icp == 0 and mean.r2_codes == 0
    assert math.isnan(mean.cosine) and math.isnan(mean.rank1) and mean.median > 0.5
    half = judge.score("half", replace(people.codes, identity=people.codes.identity / 2))
    assert 0.6 < half.r2 < 0.85 and half.amplitude == pytest.approx(0.5, abs=0.1)


def test_a_picture_without_a_face_counts_as_the_mean_face(people: Strangers) -> None:
    def blind(photo: Image.Image) -> FaceEstimate:
        raise NoFace("no face")

    codes, seconds, failures = recovery.predictions(blind, people.pictures)
    assert failures == 3 and seconds >= 0 and not codes.identity.any()


def test_the_command_always_prints_the_rows_that_give_figures_their_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = FaceEstimate(head().mean_code(1), None, "photo", "blank")
    monkeypatch.setattr(recovery, "floor", lambda people, on_one: people.codes)
    monkeypatch.setitem(QUALITIES, "blank", lambda photo: blank)
    arguments = ["evaluate", "geometry", "--strangers", "openhead", "--count", "2", "--quality", "blank"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    names = [*recovery.BASELINES, "blank", recovery.FLOOR]
    lines = result.stdout.splitlines()
    for name in names:
        assert sum(line.startswith(f"| {name} |") for line in lines) == 2  # figures and regions
    written = json.loads((tmp_path / "geometry-openhead.json").read_text())
    assert [row["method"] for row in written["rows"]] == names
    assert written["rows"][0]["r2"] == pytest.approx(0, abs=1e-9) and written["rows"][0]["cosine"] is None


def test_unknown_names_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnknownKind, match="known: ict, openhead, mixed"):
        strangers("martian", 2)
    with pytest.raises(UnknownQuality, match="known: default"):
        recovery.recover("openhead", 2, ["excellent"])
    result = CliRunner().invoke(
        app, ["evaluate", "geometry", "--strangers", "martian", "--out", str(tmp_path)]
    )
    assert result.exit_code == 2 and "no strangers called 'martian'" in result.stderr
