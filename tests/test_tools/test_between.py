"""Faces made of two others, other hair round one face, and a photo in another light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.lighting import soft_light
from tests.conftest import random_estimate
from tools.compare import compare_codes
from tools.errors import ToolError
from tools.expression import ExpressRequest, express
from tools.morph import MorphRequest, morph
from tools.outer import OuterRequest, outer
from tools.relight import RelightRequest, new_light, relight, relit
from tools.replay import replay_case
from tools.studio import open_studio
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
WORDS = "A man of about 50 with a broad nose. <FACE>"


@pytest.fixture
def workspace(case: Path) -> Workspace:
    """Two faces; the second one smiles."""
    held = Workspace(case)
    held.add(random_estimate(1), made_by={"tool": "imagine", "understood": WORDS})
    smiling = random_estimate(2)
    expression = torch.zeros(1, 52)
    expression[0, 20] = 0.8
    held.add(replace(smiling, code=replace(smiling.code, expression=expression)), made_by={})
    return held


def flat(workspace: Workspace, handle: str) -> torch.Tensor:
    code = workspace.face(handle).estimate.code
    return workspace.studio.head.layout.pack(code)[0]


def test_a_morph_lies_between_its_faces_and_is_replayed(workspace: Workspace, tmp_path: Path) -> None:
    outcome = morph(MorphRequest(face="face-1", other="face-2", share=0.25), workspace)
    wanted = 0.75 * flat(workspace, "face-1") + 0.25 * flat(workspace, "face-2")
    torch.testing.assert_close(flat(workspace, outcome.faces[0]), wanted, atol=2e-4, rtol=0)
    assert workspace.current == "face-3" and "75% of face-1 and 25% of face-2" in outcome.text
    express(ExpressRequest(face="face-1", like="face-2", amount=0.5), workspace)
    outer(OuterRequest(face="face-1", count=1), workspace)
    replayed = replay_case(workspace.folder, tmp_path / "again", lambda doing, share: None)
    assert [(one.how, one.code) for one in replayed[2:]] == [("again", True)] * 3
    with pytest.raises(ToolError, match="name two faces"):
        morph(MorphRequest(face="face-1", other="face-1"), workspace)


def test_an_expression_goes_over_and_the_face_stays(workspace: Workspace) -> None:
    (handle,) = express(ExpressRequest(face="face-1", like="face-2", amount=0.5), workspace).faces
    made, first = (workspace.face(one).estimate.code for one in (handle, "face-1"))
    torch.testing.assert_close(made.identity, first.identity)
    assert float(made.expression[0, 20]) == pytest.approx(0.4)
    with pytest.raises(ToolError, match="its own expression already"):
        express(ExpressRequest(face="face-1", like="face-1"), workspace)


def test_outer_faces_keep_the_inner_face_and_differ_outside(workspace: Workspace) -> None:
    request = OuterRequest(face="face-1", count=4, seed=3)
    handles = outer(request, workspace).faces
    assert workspace.current == "face-1" and len(handles) == 4
    first = workspace.face("face-1").estimate.code
    inside, outside = [], []
    for handle in handles:
        apart = compare_codes(workspace.studio, first, workspace.face(handle).estimate.code).regions
        inside.append(np.mean([apart["eyes"], apart["nose"], apart["mouth"]]))
        outside.append(apart["jaw"])
    assert np.mean(inside) < np.mean(outside) / 3, (inside, outside)
    hair = [flat(workspace, handle) for handle in handles]
    assert not torch.allclose(hair[0], hair[1])
    (bare,) = outer(OuterRequest(face="face-1", count=1, outline=False), workspace).faces
    torch.testing.assert_close(workspace.face(bare).estimate.code.identity, first.identity)


@pytest.fixture
def photographed() -> tuple[Image.Image, FaceEstimate]:
    """A grey wall said to show a face under soft light."""
    view = replace(portrait_view(size=200), light=soft_light())
    return Image.new("RGB", (200, 200), (120, 120, 120)), replace(random_estimate(1), view=view)


def test_a_lamp_from_the_right_lights_the_right_half(photographed: tuple[Image.Image, FaceEstimate]) -> None:
    photo, estimate = photographed
    assert estimate.view is not None
    studio = open_studio()
    right, left = (
        np.asarray(relit(photo, studio, estimate.code, estimate.view, yaw, 10), dtype=float).mean(axis=2)
        for yaw in (70, -70)
    )
    middle = slice(80, 130)
    assert right[middle, 110:130].mean() > right[middle, 70:90].mean() + 25
    assert left[middle, 70:90].mean() > left[middle, 110:130].mean() + 25
    assert np.abs(right[:15] - 120).max() <= 1, "the wall keeps its light"
    with pytest.raises(ValueError, match="the view is of"):
        relit(photo.resize((100, 100)), studio, estimate.code, estimate.view, 0, 0)


def test_the_light_a_photo_has_changes_nothing(
    photographed: tuple[Image.Image, FaceEstimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, estimate = photographed
    assert estimate.view is not None
    monkeypatch.setattr("tools.relight.new_light", lambda yaw, pitch: estimate.view.light[0])
    same = relit(photo, open_studio(), estimate.code, estimate.view, 0, 0)
    assert np.abs(np.asarray(same, dtype=int) - 120).max() <= 1


def test_only_fitted_photos_are_relit(
    workspace: Workspace, photographed: tuple[Image.Image, FaceEstimate], tmp_path: Path
) -> None:
    photo, estimate = photographed
    with pytest.raises(ToolError, match="was not fitted to a photo"):
        relight(RelightRequest(face="face-1"), workspace)
    photo.save(tmp_path / "wall.png")
    handle = workspace.add_photo(tmp_path / "wall.png", lambda path: photo.save(path))
    face = workspace.add(estimate, made_by={"tool": "reconstruct", "photo": handle}, speculative=False)
    outcome = relight(RelightRequest(face=face.handle, yaw=60, pitch=0), workspace)
    assert outcome.files == (f"{face.handle}-light+60+0.png",)
    assert Image.open(workspace.folder / outcome.files[0]).size == (200, 200)
    assert new_light(0, 90)[1, 0] > 0.3 > abs(new_light(90, 0)[1, 0])
