"""Pictures and files for other programs."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.lamps import lamps_of
from facegpt_model.rendering.lighting import ambient_light, directional_light
from tools.errors import ToolError
from tools.export import ExportRequest, export, export_to
from tools.render import RenderRequest, render
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


@pytest.fixture
def workspace(case: Path, estimate: Callable[..., FaceEstimate]) -> Workspace:
    workspace = Workspace(case)
    workspace.add(estimate(2), made_by={"tool": "test"})
    return workspace


def test_a_turned_picture_differs_and_is_named_by_its_angles(workspace: Workspace) -> None:
    outcome = render(RenderRequest(yaw=40, pitch=-10, size=96), workspace)
    assert outcome.files == ("face-1-yaw+40-pitch-10.png",)
    front = render(RenderRequest(size=96), workspace)
    pictures = [np.asarray(Image.open(workspace.folder / o.files[0]), float) for o in (outcome, front)]
    assert pictures[0].shape == (96, 96, 4)
    assert np.abs(pictures[0] - pictures[1]).mean() > 2


def test_positive_yaw_turns_the_nose_to_the_persons_left(workspace: Workspace) -> None:
    outcome = render(RenderRequest(yaw=60, size=96), workspace)
    picture = np.asarray(Image.open(workspace.folder / outcome.files[0]).convert("RGBA"), float)
    rows, columns = np.nonzero(picture[..., 3] > 200)
    upper = rows < np.median(rows)
    redness = picture[rows, columns, 0] - picture[rows, columns, 2]
    skin = redness > np.median(redness[upper])
    assert columns[skin & upper].mean() > columns[~skin & upper].mean()  # the face is right of the hair


def brightness(workspace: Workspace, light: str) -> tuple[float, float, float, float]:
    """Mean grey of the left, right, upper and lower half of the face's skin."""
    outcome = render(RenderRequest(size=96, light=light), workspace)
    picture = np.asarray(Image.open(workspace.folder / outcome.files[0]), float)
    face = picture[28:68, 34:62, :3].mean(2)
    return face[:, :14].mean(), face[:, 14:].mean(), face[:20].mean(), face[20:].mean()


def test_a_named_light_comes_from_where_its_name_says(workspace: Workspace) -> None:
    studio = np.array(brightness(workspace, "studio"))
    left, right, above, below = (
        np.array(brightness(workspace, n)) for n in ("left", "right", "above", "below")
    )
    assert left[0] > 1.25 * left[1] and right[1] > 1.25 * right[0]
    assert left[0] / left[1] == pytest.approx(right[1] / right[0], rel=0.3)
    assert above[2] > 1.06 * above[3] and below[2] < 0.99 * below[3]
    soft = np.array(brightness(workspace, "soft"))
    assert soft.min() / soft.max() > studio.min() / studio.max()
    for seen in (left, right, above, below, soft):
        assert 0.55 < seen.mean() / studio.mean() < 1.3


def test_the_light_of_a_photo_is_near_the_fitted_one(
    workspace: Workspace, estimate: Callable[..., FaceEstimate]
) -> None:
    with pytest.raises(ToolError, match=r"not fitted to a photo.*studio, front"):
        render(RenderRequest(size=64, light="photo"), workspace)
    lit = directional_light((0.8, 0.1, 0.6), (1.0, 0.8, 0.6)) + ambient_light((0.2, 0.2, 0.2))
    lamps = lamps_of(lit)
    np.testing.assert_allclose(lamps.key, np.array([0.8, 0.1, 0.6]) / np.sqrt(1.01), atol=0.02)
    np.testing.assert_allclose(np.array(lamps.key_colour) / lamps.key_colour[0], [1, 0.8, 0.6], atol=0.02)
    assert np.mean(lamps.sky) / np.mean(lamps.key_colour) == pytest.approx(0.25, abs=0.08)
    view = replace(portrait_view(0, 0, 96, 1200.0), light=lit.float()[None])
    workspace.add(replace(estimate(2), view=view), made_by={"tool": "test"})
    left, right, _, _ = brightness(workspace, "photo")
    assert right > 1.2 * left


def test_glb_has_named_morph_targets(workspace: Workspace) -> None:
    outcome = export(ExportRequest(), workspace)
    assert outcome.text.startswith("face-1.glb: face-1, 77 named morph targets")
    content = (workspace.folder / "face-1.glb").read_bytes()
    length = struct.unpack("<I", content[12:16])[0]
    scene = json.loads(content[20 : 20 + length])
    names = scene["meshes"][0]["extras"]["targetNames"]
    assert len(names) == 77 and {"jawOpen", "nose width"} <= set(names)
    data = workspace.journal.entries()[-1].data
    assert data["handle"] == "face-1" and list(data["files"]) == ["face-1.glb"]


@pytest.mark.parametrize(("form", "start"), [("obj", b"#"), ("ply", b"ply\n"), ("png", b"\x89PNG")])
def test_other_formats(workspace: Workspace, form: str, start: bytes) -> None:
    outcome = export(ExportRequest.model_validate({"format": form}), workspace)
    assert (workspace.folder / outcome.files[0]).read_bytes().startswith(start)


def test_an_unknown_suffix_names_the_known_ones(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"face\.fbx.*\.glb, \.obj, \.ply, \.png"):
        export_to(workspace.face().estimate, workspace.studio, tmp_path / "face.fbx")


def test_a_missing_folder_is_made_and_a_file_in_its_place_is_told(workspace: Workspace) -> None:
    new = workspace.folder / "new"
    written = export_to(workspace.face().estimate, workspace.studio, new / "face.obj")
    assert [file.name for file in written.files] == ["face.obj", "face-face.png", "face.mtl"]
    assert sorted(new.iterdir()) == sorted(written.files)
    (workspace.folder / "taken").write_text("")
    with pytest.raises(ToolError, match="cannot write to"):
        export_to(workspace.face().estimate, workspace.studio, workspace.folder / "taken" / "face.obj")
