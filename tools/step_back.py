"""Undo and redo: which face is the current one; no face is ever lost by it."""

from __future__ import annotations

from pydantic import BaseModel

from tools.outcome import Outcome
from tools.workspace import Workspace


class UndoRequest(BaseModel, extra="forbid"):
    """Go back to the face before the last change; later faces are kept."""


class RedoRequest(BaseModel, extra="forbid"):
    """Take the last undo back."""


def undo(request: UndoRequest, workspace: Workspace) -> Outcome:
    """Make the face before the current one current; ToolError if there is none."""
    current = workspace.undo()
    if current is None:
        return Outcome("no face is current now; all are kept")
    return Outcome(f"{current} is current again; later faces are kept")


def redo(request: RedoRequest, workspace: Workspace) -> Outcome:
    """Make the face that was undone last current again; ToolError if there is none."""
    return Outcome(f"{workspace.redo()} is current again")
