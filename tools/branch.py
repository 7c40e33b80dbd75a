"""Branch and history: go on from an earlier face, and see how all faces came about."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tools.errors import ToolError
from tools.face_files import Face
from tools.outcome import Outcome
from tools.workspace import Workspace

LISTED = 40  # faces of a history at most, the newest
WORDS = 90  # letters of what was said


class GoToRequest(BaseModel, extra="forbid"):
    """Make an earlier face the current one, to go on from there."""

    face: str = Field(description="handle of the face")


class HistoryRequest(BaseModel, extra="forbid"):
    """List the faces of this conversation and how each came about."""


def go_to(request: GoToRequest, workspace: Workspace) -> Outcome:
    """Branch off at a face; what was made after it is kept. ToolError for an unknown face."""
    if not request.face:
        raise ToolError("name the face to go to, such as face-1")
    return Outcome(f"{workspace.go_to(request.face)} is current now; later faces are kept")


def history(request: HistoryRequest, workspace: Workspace) -> Outcome:
    """One line per face, indented below its parent, the current one marked with *."""
    faces = [workspace.face(handle) for handle in workspace.handles[-LISTED:]]
    if not faces:
        return Outcome("there is no face yet")
    depth: dict[str, int] = {}
    lines = []
    for face in faces:
        depth[face.handle] = depth.get(face.parent or "", -1) + 1
        mark = "*" if face.handle == workspace.current else " "
        lines.append(f"{mark} {'  ' * depth[face.handle]}{face.handle}: {_how(face)}")
    return Outcome("\n".join(lines))


def _how(face: Face) -> str:
    made_by = face.made_by
    tool = str(made_by.get("tool", "unknown"))
    changes = made_by.get("changes")
    if changes:
        told = ", ".join(f"{c['slider']} {c['value']:+.2f}" for c in changes)
        return f"{tool} {told}"
    about = str(made_by.get("text") or made_by.get("file") or ", ".join(made_by.get("faces", ())))
    about = " ".join(about.split())
    return f"{tool} {about[:WORDS]}{'…' if len(about) > WORDS else ''}".strip()
