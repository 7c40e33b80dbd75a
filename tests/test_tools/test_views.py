"""Views from all sides, a report, and one face of several photos, as tools of a case."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from PIL import Image

from agent.registry import Services, tool_named
from facegpt_model.face import FaceEstimate
from tools.case import verify_case
from tools.errors import ToolError
from tools.reconstruct import show_photo
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
PORTRAIT = Path(str(resources.files("facegpt_model"))) / "data" / "examples" / "portrait.jpg"


def run(workspace: Workspace, name: str, **fields: object) -> tuple[str, ...]:
    spec = tool_named(name)
    return spec.run(fields, Services(workspace, None), lambda doing, share: None).files  # type: ignore[arg-type]


def test_a_sheet_a_turn_and_a_report_lie_beside_the_face(
    case: Path, estimate: Callable[..., FaceEstimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.views.SHEET_TILE", 64)
    monkeypatch.setattr("tools.views.FRAMES", 4)
    workspace = Workspace(case)
    workspace.add(estimate(1), made_by={"tool": "imagine", "text": "a man"})
    assert run(workspace, "views", kind="sheet") == ("face-1-sheet.png",)
    assert run(workspace, "views", kind="turntable") == ("face-1-turntable.webp",)
    with Image.open(case / "face-1-turntable.webp") as turn:
        assert turn.n_frames == 4 and turn.size == (64, 64)
    assert Image.open(case / "face-1-sheet.png").width > 200
    assert run(workspace, "report") == ("report.html",)
    assert "a man" in (case / "report.html").read_text() and verify_case(case).sound
    with pytest.raises(ToolError, match="not 'docx'"):
        run(workspace, "report", format="docx")


def test_photos_that_were_shown_become_one_person(case: Path, tmp_path: Path) -> None:
    workspace = Workspace(case)
    second = tmp_path / "second.png"
    Image.open(PORTRAIT).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(second)
    photos = [show_photo(path, workspace) for path in (PORTRAIT, second)]
    run(workspace, "reconstruct_together", photos=photos)
    one, two = (workspace.face(handle).estimate.code.identity for handle in workspace.handles)
    assert (one == two).all()
    for given, told in ((["photo-1", "photo-1"], "counts once"), (["photo-1", "photo-9"], "no photo called")):
        with pytest.raises(ToolError, match=told):
            run(workspace, "reconstruct_together", photos=given)
