"""Handles, lineage, undo and the files of a case, and that all of it survives reopening."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegpt_model import layout
from facegpt_model.face import FaceEstimate
from facegpt_model.fitting.correspondence import seen_landmarks68
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.skin.detail import SkinDetail
from tools.edit import EditRequest, SliderChange, edit
from tools.errors import ToolError
from tools.face_files import add_vertices, write_face
from tools.reconstruct import show_photo
from tools.replay import replay_case
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
Make = Callable[..., FaceEstimate]


def filled(folder: Path, make: Make, count: int) -> Workspace:
    workspace = Workspace(folder)
    for number in range(count):
        parent = workspace.current
        workspace.add(make(number), made_by={"tool": "test"}, parent=parent)
    return workspace


@pytest.fixture
def all_files(monkeypatch: pytest.MonkeyPatch, numbers_only: None, small_pictures: None) -> None:
    """Pictures and meshes too."""
    monkeypatch.setattr("tools.workspace.write_face", write_face)


@pytest.mark.usefixtures("all_files")
def test_every_face_has_its_three_files_and_the_promised_fields(case: Path, estimate: Make) -> None:
    workspace = Workspace(case)
    given = estimate(3)
    smiling = FaceEstimate(workspace.studio.axes.shift(given.code, {"smile": 0.8}), None, "text:x", "m@1")
    face = workspace.add(smiling, made_by={"tool": "imagine", "text": "x"})
    record = json.loads((case / "face-1.json").read_text())
    assert face.handle == record["handle"] == "face-1"
    assert record["speculative"] is True and record["parent"] is None
    assert record["made_by"] == {"tool": "imagine", "text": "x"}
    assert record["description"]
    assert len(record["landmarks68"]) == 68 and all(len(point) == 3 for point in record["landmarks68"])
    mouth = [math.dist(record[key][48], record[key][54]) for key in ("landmarks68", "landmarks68_neutral")]
    assert mouth[0] > mouth[1] + 1.0  # a smile widens the mouth, and only in the expressed landmarks
    assert 20 < record["measurements"]["nose_width"] < 60
    assert torch.allclose(layout.from_record(record).code.identity, smiling.code.identity, atol=1e-5)
    picture = Image.open(case / "face-1.png")
    assert picture.mode == "RGBA" and picture.getextrema()[3] == (0, 255)
    assert (case / "face-1.glb").read_bytes()[:4] == b"glTF"


@pytest.mark.usefixtures("all_files")
def test_nothing_half_written_stays_behind(case: Path, estimate: Make) -> None:
    filled(case, estimate, 1)
    names = {path.name for path in case.iterdir()}
    faces = {f"face-{n}.{suffix}" for n in (1,) for suffix in ("json", "png", "glb")}
    assert names == faces | {"journal.jsonl", "journal.head", ".lock"}


def test_undo_and_redo_walk_the_line_and_a_new_face_cuts_it(case: Path, estimate: Make) -> None:
    workspace = filled(case, estimate, 3)
    assert workspace.undo() == "face-2"
    assert workspace.undo() == "face-1"
    assert workspace.redo() == "face-2"
    workspace.add(estimate(9), made_by={}, parent=workspace.current)
    assert workspace.current == "face-4"
    with pytest.raises(ToolError, match="nothing to redo"):
        workspace.redo()
    assert workspace.undo() == "face-2"
    assert workspace.handles == ("face-1", "face-2", "face-3", "face-4")
    assert workspace.lineage("face-4") == ("face-1", "face-2", "face-4")


def test_undoing_everything_leaves_no_current_face(case: Path, estimate: Make) -> None:
    workspace = filled(case, estimate, 1)
    assert workspace.undo() is None
    with pytest.raises(ToolError, match="nothing to undo"):
        workspace.undo()
    with pytest.raises(ToolError, match="name the one you mean: face-1"):
        workspace.face()
    assert workspace.face("face-1").handle == "face-1"


def test_reopening_continues_numbers_place_and_photos(case: Path, estimate: Make, tmp_path: Path) -> None:
    workspace = filled(case, estimate, 3)
    workspace.undo()
    photo = tmp_path / "portrait.png"
    Image.new("RGB", (80, 80)).save(photo)
    show_photo(photo, workspace)
    again = Workspace(case)
    assert again.current == "face-2"
    assert again.photos == ("photo-1",) and again.photo() == case.resolve() / "photo-1.jpg"
    assert again.photo_name() == "portrait.png" and again.photo().is_file()
    assert again.redo() == "face-3"
    assert again.add(estimate(7), made_by={}).handle == "face-4"
    assert again.lineage("face-3") == workspace.lineage("face-3")
    assert again.journal.verify() == len(again.journal.entries())


def test_faces_without_a_journal_are_found(case: Path, estimate: Make) -> None:
    filled(case, estimate, 2)
    (case / "journal.jsonl").unlink()
    again = Workspace(case)
    assert again.current == "face-2"
    assert again.add(estimate(7), made_by={}).handle == "face-3"


def test_two_workspaces_on_one_folder_never_take_the_same_number(case: Path, estimate: Make) -> None:
    first, second = Workspace(case), Workspace(case)
    made = [space.add(estimate(n), made_by={}).handle for n, space in enumerate((first, second, first))]
    assert made == ["face-1", "face-2", "face-3"]


def test_unknown_faces_and_photos_name_the_known_ones(case: Path, estimate: Make) -> None:
    empty = Workspace(case)
    with pytest.raises(ToolError, match="there is no face yet"):
        empty.face("face-1")
    with pytest.raises(ToolError, match="no photo has been shown"):
        empty.photo("photo-1")
    with pytest.raises(ToolError, match="no face called 'face-7'; known faces: face-1, face-2"):
        filled(case, estimate, 2).face("face-7")


def test_a_tampered_journal_is_not_opened(case: Path, estimate: Make) -> None:
    journal = filled(case, estimate, 1).journal.path
    journal.write_text(journal.read_text().replace('"speculative":true', '"speculative":false'))
    with pytest.raises(ToolError, match="line 2 was changed"):
        Workspace(case)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not valid JSON"),
        ("[]", "no 'format' field"),
        ('{"format": 99}', "format 99"),
        ('{"format": 1, "identity": ["x"]}', "'identity' must be a list of numbers"),
        (
            '{"format":1,"basis":"flame@1","identity":[0],"expression":[0],"joints":[],"albedo":[0]}',
            "flame@1",
        ),
        (
            '{"format":1,"basis":"openhead@2","identity":[0],"expression":[0],"joints":[],"albedo":[0]}',
            "needs 150",
        ),
    ],
)
def test_a_broken_face_file_is_told_in_one_sentence(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "face-1.json"
    path.write_text(content)
    with pytest.raises(ToolError, match=told) as refusal:
        Workspace(tmp_path / "case").bring(path)
    assert "\n" not in str(refusal.value)


def test_bringing_a_face_copies_it_unless_it_lives_here(case: Path, estimate: Make, tmp_path: Path) -> None:
    home = filled(case, estimate, 1)
    assert home.bring(case / "face-1.json").handle == "face-1"
    away = Workspace(tmp_path / "away")
    brought = away.bring(case / "face-1.json")
    assert (tmp_path / "away" / "face-1.json").exists()
    assert torch.allclose(brought.estimate.code.identity, home.face().estimate.code.identity, atol=1e-5)


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder this process may not write to; as root, which may write anywhere, by being nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "out"
        folder.mkdir()
        os.chmod(name, 0o755)
        os.chmod(folder, 0o555)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if was_root:
                os.seteuid(0)
            os.chmod(folder, 0o755)


def test_a_read_only_folder_is_refused_in_one_sentence(read_only_folder: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot write to .*permission denied.*--out"):
        Workspace(read_only_folder)
    with pytest.raises(ToolError, match="--out"):
        Workspace(read_only_folder / "deeper")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ToolError, match="cannot write to"):
        Workspace(tmp_path / "out")


def test_the_surface_can_be_written_beside_the_numbers(case: Path, estimate: Make) -> None:
    workspace = filled(case, estimate, 1)
    face, head = workspace.face("face-1"), workspace.studio.head
    add_vertices(case / "face-1.json", face, workspace.studio)
    record = json.loads((case / "face-1.json").read_text())
    points = torch.tensor(record["vertices_neutral"])
    assert torch.allclose(points, head.vertices(face.estimate.code.neutral())[0], atol=1e-3)
    assert isinstance(head, OpenHead)
    marks = torch.tensor(record["landmarks68_neutral"])
    assert torch.allclose(seen_landmarks68(head, points[None])[0], marks, atol=5e-3)
    assert (head.landmarks68(points[None])[0] - marks).norm(dim=1).max() < 8
    skin = torch.tensor(record["skin_triangles"])
    eyes = head.triangles[head.part == head.part_names.index("left_eye")]
    assert len(skin) > 5000 and not set(skin.flatten().tolist()) & set(eyes.flatten().tolist())
    assert workspace.studio.head.basis == layout.from_record(record).code.basis


@pytest.mark.usefixtures("all_files")
def test_what_a_photo_showed_of_the_skin_stays_with_the_face(
    case: Path, estimate: Make, tmp_path: Path
) -> None:
    logs = np.zeros((64, 64, 3))
    logs[:32] = -1.0
    given = estimate(3)
    seen = replace(given, code=replace(given.code, detail=SkinDetail.of_logarithms(logs)), source="photo:1")
    workspace = Workspace(case)
    workspace.add(given, made_by={"tool": "test"})
    workspace.add(seen, made_by={"tool": "reconstruct"})
    pictures = [np.asarray(Image.open(case / f"face-{n}.png").convert("RGB"), int) for n in (1, 2)]
    assert pictures[1].sum() < 0.95 * pictures[0].sum()
    assert (case / "face-1.glb").read_bytes() != (case / "face-2.glb").read_bytes()
    record = json.loads((case / "face-2.json").read_text())
    assert record["skin_detail"] == "face-2-skin.png" and (case / "face-2-skin.png").is_file()
    assert json.loads((case / "face-1.json").read_text())["skin_detail"] is None

    again = Workspace(case)
    edit(EditRequest(face="face-2", changes=[SliderChange(slider="nose width", value=0.5)]), again)
    assert (case / "face-3-skin.png").read_bytes() == (case / "face-2-skin.png").read_bytes()
    assert all(result.same for result in replay_case(case, tmp_path / "again", lambda doing, share: None))
    (case / "face-2-skin.png").write_bytes(b"no picture")
    with pytest.raises(ToolError, match="no map of skin detail"):
        Workspace(case).face("face-2")
