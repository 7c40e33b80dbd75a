"""Faces from one head model to another: a known code is recovered, ICT comes near."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegpt_model.face import FaceCode
from facegpt_model.fitting.expression_names import expression_by_name
from facegpt_model.fitting.transfer import transfer
from facegpt_model.morphable.base import load
from facegpt_model.morphable.landmark_files import MissingLandmarks

COMPONENTS = 12
TILT = 0.15  # radians


@pytest.fixture(scope="module")
def openhead() -> Any:
    return load()


@pytest.fixture(scope="module")
def other(openhead: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Openhead's first components as a GNM file: metres, tilted, vertices shuffled, no common names."""
    folder = tmp_path_factory.mktemp("gnm")
    count = len(openhead.mean)
    order = np.random.default_rng(0).permutation(count)
    place = np.argsort(order)
    cos, sin = np.cos(TILT), np.sin(TILT)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])

    names = {"left_eye": "left_eye", "right_eye": "right_eye", "tongue": "tongue"}
    names |= {"upper_teeth": "upper_teeth_and_gums", "lower_teeth": "lower_teeth_and_gums"}
    groups = np.zeros((len(names), count))
    for row, part in enumerate(names):
        groups[row, openhead.triangles[openhead.part == openhead.part_names.index(part)].unique()] = 1

    def basis(rows: torch.Tensor) -> np.ndarray:
        return np.asarray(rows.numpy()[:, order] @ turn.T / 1000)

    arrays = {
        "template_vertex_positions": openhead.mean.numpy()[order] @ turn.T / 1000 + [0, 1.5, 0.1],
        "vertex_identity_basis": basis(openhead.identity_basis[:COMPONENTS]),
        "expression_basis": basis(openhead.expression_basis[[24, 43, 44]]),
        "expression_names": np.array(["mouth_0", "mouth_1", "mouth_2"]),
        "triangles": place[openhead.triangles.numpy()],
        "skinning_weights": np.ones((1, count)),
        "template_joint_positions": np.zeros((1, 3)),
        "joint_identity_basis": np.zeros((COMPONENTS, 1, 3)),
        "joint_parent_indices": np.array([0]),
        "joint_names": np.array(["neck"]),
        "vertex_groups": groups[:, order],
        "vertex_group_names": np.array(list(names.values())),
    }
    np.savez(folder / "gnm_head.npz", **arrays)
    ids = place[openhead.triangles[openhead.ibug68_triangle].numpy()]
    rows = np.stack([ids, openhead.ibug68_weights.numpy()], axis=2).reshape(68, 6)
    np.savetxt(folder / "head_sparse_68.txt", rows, fmt=["%d", "%.6f"] * 3)
    return load("gnm", folder)


def person(openhead: Any, seed: int = 0) -> FaceCode:
    """Somebody made of the components both models have."""
    generator = torch.Generator().manual_seed(seed)
    identity = torch.zeros(1, openhead.layout.identity)
    identity[:, :COMPONENTS] = openhead.sample_identity(1, generator)[:, :COMPONENTS]
    return replace(openhead.mean_code(), identity=identity)


def test_a_known_code_is_recovered_in_another_frame_and_unit(openhead: Any, other: Any) -> None:
    code = person(openhead)
    result = transfer(openhead, code, other)
    assert (result.code.identity - code.identity[:, :COMPONENTS]).abs().max() < 0.1
    assert result.code.basis == "gnm-head@3" and result.lost == ()
    assert result.error.p95 < 0.1 and result.error.before > 1.0


def test_expressions_without_common_names_are_fitted(openhead: Any, other: Any) -> None:
    code = person(openhead, seed=1)
    weights = torch.zeros(1, 52)
    weights[0, [24, 43, 44]] = torch.tensor([0.3, 0.5, 0.2])
    result = transfer(openhead, replace(code, expression=weights), other)
    assert (result.code.expression - torch.tensor([[0.3, 0.5, 0.2]])).abs().max() < 0.1
    assert result.error.p95 < 0.3


def test_wrong_inputs_are_refused(openhead: Any, tmp_path: Path, tiny_bfm: Any) -> None:
    with pytest.raises(ValueError, match="one face is transferred at a time"):
        transfer(openhead, openhead.mean_code(2), openhead)
    with pytest.raises(MissingLandmarks, match="landmarks"):
        transfer(openhead, openhead.mean_code(), tiny_bfm)


@pytest.fixture
def tiny_bfm(openhead: Any) -> Any:
    """A head model whose files place no landmarks."""
    from facegpt_model.morphable.linear_head import HeadData, LinearHead

    empty = np.zeros((1, len(openhead.mean), 3), np.float32)
    return LinearHead(
        HeadData(
            basis="bfm@2017",
            mean=openhead.mean.numpy(),
            identity=empty,
            expression=empty[:0],
            expression_names=(),
            triangles=openhead.triangles.numpy(),
            part=np.zeros(len(openhead.triangles), np.int64),
            part_names=("skin",),
            albedo_mean=empty[0],
            albedo=empty[:0],
            no_landmarks="put landmarks68.txt there",
        )
    )


def test_openhead_comes_near_in_the_real_ict_model(openhead: Any, ict_sample: Path) -> None:
    ict: Any = load("ict", ict_sample)
    generator = torch.Generator().manual_seed(0)
    weights = torch.zeros(1, 52)
    weights[0, openhead.expression_names.index("jawOpen")] = 0.4
    weights[0, openhead.expression_names.index("browInnerUp")] = 0.3
    code = replace(openhead.mean_code(), identity=openhead.sample_identity(1, generator), expression=weights)
    result = transfer(openhead, code, ict)
    assert result.error.mean < 0.9 * result.error.before and result.error.median < 1.5
    assert torch.allclose(result.code.expression, torch.tensor([[0.4, 0.0, 0.0]]))
    assert result.lost == ("browInnerUp",)  # the sample has three of ICT's expressions
    back = transfer(ict, result.code, openhead)
    assert back.error.median < 0.6 and back.error.mean < 0.6 * back.error.before
    assert back.code.expression[0, openhead.expression_names.index("jawOpen")] == pytest.approx(0.4)


def test_colours_go_over_where_both_models_have_them(openhead: Any, other: Any) -> None:
    other.albedo_basis = torch.zeros(1, len(other.mean), 3)
    other.albedo_basis[0] = 0.1
    other.albedo_mean = torch.full((len(other.mean), 3), 0.3)
    other.layout = replace(other.layout, albedo=1)
    shades = []
    for melanin in (-1.5, 1.5):
        albedo = torch.zeros(1, openhead.layout.albedo)
        albedo[0, openhead.albedo_names.index("melanin")] = melanin
        shades.append(float(transfer(openhead, replace(person(openhead), albedo=albedo), other).code.albedo))
    assert shades[0] > shades[1] + 1  # light skin is lighter


def test_halves_and_wholes_of_expressions() -> None:
    taken, lost = expression_by_name(
        ("browInnerUp", "jawOpen", "tongueOut"),
        torch.tensor([0.6, 0.2, 0.9]),
        ("browInnerUpLeft", "browInnerUpRight", "jawOpen", "cheekPuff"),
    )
    assert torch.allclose(taken, torch.tensor([0.6, 0.6, 0.2, 0.0])) and lost == ("tongueOut",)
    taken, lost = expression_by_name(
        ("cheekPuffLeft", "cheekPuffRight"), torch.tensor([0.8, 0.4]), ("cheekPuff",)
    )
    assert float(taken) == pytest.approx(0.6) and lost == ()
