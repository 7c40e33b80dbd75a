"""Undo and redo as tools: the current face moves, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facegpt_model.face import FaceEstimate
from tools.breed import BreedRequest, breed
from tools.errors import ToolError
from tools.step_back import RedoRequest, UndoRequest, redo, undo
from tools.variants import VariantsRequest, variants
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


def test_undo_and_redo_say_which_face_is_current(case: Path, estimate: Callable[..., FaceEstimate]) -> None:
    workspace = Workspace(case)
    with pytest.raises(ToolError, match="nothing to undo"):
        undo(UndoRequest(), workspace)
    for number in range(2):
        workspace.add(estimate(number), made_by={"tool": "test"})
    assert undo(UndoRequest(), workspace).text == "face-1 is current again; later faces are kept"
    assert workspace.current == "face-1" and workspace.handles == ("face-1", "face-2")
    assert redo(RedoRequest(), workspace).text == "face-2 is current again"
    with pytest.raises(ToolError, match="nothing to redo"):
        redo(RedoRequest(), workspace)
    undo(UndoRequest(), workspace)
    assert "no face is current" in undo(UndoRequest(), workspace).text


def test_faces_made_together_are_one_step(case: Path, estimate: Callable[..., FaceEstimate]) -> None:
    workspace = Workspace(case)
    for number in range(2):
        workspace.add(estimate(number), made_by={"tool": "imagine", "text": "a man"})
    variants(VariantsRequest(count=2), workspace)
    assert workspace.current == "face-2"
    assert undo(UndoRequest(), workspace).text == "face-1 is current again; later faces are kept"
    redo(RedoRequest(), workspace)
    breed(BreedRequest(faces=["face-3", "face-4"], count=2), workspace)
    assert workspace.current == "face-6"
    undo(UndoRequest(), workspace)
    assert workspace.current == "face-2"
    again = Workspace(case)  # as the journal tells it
    assert again.current == "face-2" and redo(RedoRequest(), again).text == "face-6 is current again"
    (case / "face-5.json").unlink()
    assert Workspace(case).add(estimate(9), made_by={"tool": "test"}).handle == "face-7"
    again.delete("face-6")
    assert Workspace(case).add(estimate(9), made_by={"tool": "test"}).handle == "face-8"
