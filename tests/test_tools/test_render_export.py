"""Pictures and files for other programs."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegpt_model.face import FaceEstimate
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
