"""A case accounts for itself: changes are found, faces are made again, the report tells it all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facegpt_model import layout
from facegpt_model.face import FaceEstimate
from tools.case import verify_case
from tools.digests import code_digest
from tools.edit import EditRequest, SliderChange, edit
from tools.errors import ToolError
from tools.face_files import Face, face_record, write_face
from tools.journal import JournalBroken
from tools.marking import marked
from tools.render import RenderRequest, render
from tools.replay import replay_case
from tools.report import report_of, write_report
from tools.studio import Studio
from tools.workspace import Workspace
from tools.writing import write_text
from ui.cli import app

Make = Callable[..., FaceEstimate]


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces get their real JSON, a picture of one colour and a mesh of their digest: quick to write."""

    def write(folder: Path, face: Face, studio: Studio) -> None:
        digest = code_digest(face.estimate)
        write_text(folder / f"{face.handle}.json", layout.dumps(face_record(face, studio)))
        Image.new("RGBA", (64, 64), f"#{digest[:6]}").save(folder / f"{face.handle}.png")
        write_text(folder / f"{face.handle}.glb", digest)

    for room in ("tools.workspace", "tools.replay"):
        monkeypatch.setattr(f"{room}.write_face", write)


pytestmark = pytest.mark.usefixtures("quick_files")


def silent(doing: str, share: float) -> None:
    """No progress."""


def small_case(folder: Path, make: Make) -> Workspace:
    """A face, an edit of it and a picture from the side."""
    workspace = Workspace(folder)
    workspace.journal.append("said", {"text": "a <b>man</b>, 50 – ж"})
    workspace.add(make(1), made_by={"tool": "imagine", "text": "a man"})
    edit(EditRequest(changes=[SliderChange(slider="nose width", value=0.5)]), workspace)
    render(RenderRequest(yaw=30, size=64), workspace)
    return workspace


def test_an_untouched_case_is_sound_and_its_end_can_be_noted(case: Path, estimate: Make) -> None:
    workspace = small_case(case, estimate)
    check = verify_case(case)
    assert check.sound and check.files == 7 and check.lines == 5
    workspace.undo()
    assert verify_case(case, last=check.last).sound
    assert not verify_case(case, last="0" * 64).sound


def change_picture(case: Path) -> str:
    Image.new("RGBA", (64, 64)).save(case / "face-1.png")
    return "face-1.png was changed"


def change_numbers(case: Path) -> str:
    record = json.loads((case / "face-2.json").read_text())
    record["identity"][3] += 0.001
    (case / "face-2.json").write_text(json.dumps(record))
    return "face-2.json holds other numbers"


def remove_mesh(case: Path) -> str:
    (case / "face-1.glb").unlink()
    return "face-1.glb is not there"


def slip_in_a_face(case: Path) -> str:
    (case / "face-7.json").write_bytes((case / "face-1.json").read_bytes())
    return "face-7 is told of by no line"


@pytest.mark.parametrize("tamper", [change_picture, change_numbers, remove_mesh, slip_in_a_face])
def test_a_changed_file_is_found(case: Path, estimate: Make, tamper: Callable[[Path], str]) -> None:
    small_case(case, estimate)
    told = tamper(case)
    check = verify_case(case)
    assert not check.sound and any(told in problem for problem in (*check.changed, *check.missing))
    result = CliRunner().invoke(app, ["case", "verify", str(case)])
    assert result.exit_code == 2 and told in result.stderr


def test_lines_cut_off_at_the_end_are_missed(case: Path, estimate: Make) -> None:
    journal = small_case(case, estimate).journal.path
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-2]))
    with pytest.raises(JournalBroken, match="2 of 5 lines are missing at the end"):
        verify_case(case)
    with pytest.raises(ToolError, match=r"no journal\.jsonl"):
        verify_case(case.parent)


def test_a_replay_makes_the_same_faces_from_the_journal_alone(
    case: Path, estimate: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_pictures: None
) -> None:
    for room in ("tools.workspace", "tools.replay"):  # real pictures and meshes
        monkeypatch.setattr(f"{room}.write_face", write_face)
    workspace = small_case(case, estimate)
    digests = [code_digest(workspace.face(handle).estimate) for handle in workspace.handles]
    kept = np.asarray(Image.open(case / "face-2.png"))
    for handle in ("face-1", "face-2"):
        (case / f"{handle}.json").unlink()
    out = tmp_path / "again"
    first, second = replay_case(case, out, silent)
    assert (first.how, second.how) == ("numbers", "again")
    assert first.same and second.same and first.picture == second.picture == 0
    again = Workspace(out)
    assert [code_digest(again.face(handle).estimate) for handle in again.handles] == digests
    assert (np.asarray(Image.open(out / "face-2.png")) == kept).all()


def test_a_replay_tells_what_came_out_different(
    case: Path, estimate: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_case(case, estimate)
    picture = Image.open(case / "face-1.png")
    picture.putpixel((32, 32), (0, 0, 255, 255))
    picture.save(case / "face-1.png")
    monkeypatch.setattr("tools.replay.edited_code", lambda studio, code, changes: code)  # sliders do nothing
    first, second = replay_case(case, tmp_path / "again", silent)
    assert first.code and first.mesh and not first.same and (first.picture or 0) > 1
    assert not second.code and not second.same
    with pytest.raises(ToolError, match="never writes into the case itself"):
        replay_case(case, case, silent)


def test_the_report_tells_words_pictures_and_settings(case: Path, estimate: Make, tmp_path: Path) -> None:
    small_case(case, estimate)
    page = write_report(case, tmp_path / "new" / "report.html").read_text()
    assert "&lt;b&gt;man&lt;/b&gt;, 50 – ж" in page and "<b>man</b>" not in page
    assert page.count("data:image/jpeg;base64,") == 3  # two faces and the picture from the side
    assert "nose width +0.50" in page and "openhead@2" in page and "are as they were written" in page
    assert 'src="http' not in page and "href" not in page
    steps = report_of(case).steps
    (drawn,) = [step for step in steps if step.title == "A picture of face-2 was drawn"]
    assert drawn.picture is not None
    assert max(drawn.picture.getpixel((1, 62))) < 100  # the dark bar that says "speculative"
    pages = write_report(case, tmp_path / "report.pdf").read_bytes()
    assert pages.startswith(b"%PDF") and len(pages) > 10_000
    change_picture(case)
    assert "NOT as it was written: face-1.png was changed" in report_of(case).state
    with pytest.raises(ToolError, match=r"\.html or \.pdf"):
        write_report(case, tmp_path / "report.doc")


def test_handles_of_deleted_faces_are_not_given_again(case: Path, estimate: Make, tmp_path: Path) -> None:
    workspace = small_case(case, estimate)
    names = workspace.delete("face-2")
    assert set(names) == {"face-2.json", "face-2.png", "face-2.glb", "face-2-yaw+30.png"}
    assert workspace.current == "face-1" and not list(case.glob("face-2*"))
    assert verify_case(case).sound
    again = Workspace(case)
    assert again.current == "face-1" and again.add(estimate(3), made_by={}).handle == "face-3"
    assert [result.handle for result in replay_case(case, tmp_path / "again", silent)] == ["face-1", "face-3"]


def test_going_to_an_earlier_face_branches_there(case: Path, estimate: Make) -> None:
    workspace = small_case(case, estimate)
    assert workspace.go_to("face-1") == "face-1"
    edit(EditRequest(changes=[SliderChange(slider="smile", value=0.5)]), workspace)
    assert workspace.lineage() == ("face-1", "face-3")
    assert Workspace(case).undo() == "face-1"


def test_pictures_of_a_witness_are_marked_and_stay_so(
    case: Path, estimate: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_pictures: None
) -> None:
    monkeypatch.setattr("tools.workspace.write_face", write_face)
    workspace = Workspace(case)
    workspace.begin_witness()
    workspace.add(estimate(1), made_by={"tool": "imagine"})
    plain = Workspace(tmp_path / "plain")
    plain.add(estimate(1), made_by={"tool": "imagine"})
    pictures = [np.asarray(Image.open(folder / "face-1.png")) for folder in (case, tmp_path / "plain")]
    assert (pictures[0][-3:, :, 3] > 200).all() and not (pictures[1][-3:, :, 3] > 200).all()
    brought = plain.bring(case / "face-1.json")
    assert brought.marked and Workspace(case).witness
    render(RenderRequest(face="face-2", size=64), plain)
    assert (np.asarray(Image.open(tmp_path / "plain" / "face-2-yaw+0.png"))[-3:, :, 3] > 200).all()
    with pytest.raises(ToolError, match="holds faces made before"):
        plain.begin_witness()


def test_the_mark_fits_every_size() -> None:
    for size in ((64, 64), (512, 512), (900, 200)):
        picture = Image.new("RGB", size, "white")
        shown = marked(picture)
        assert shown.size == size and shown.mode == "RGB" and marked(picture, False) is picture
        assert np.asarray(shown)[-1].mean() < 80
