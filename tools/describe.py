"""Describe: a face in words and millimetres, read from its numbers, not from any memory of it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tools.face_files import Face
from tools.outcome import Outcome
from tools.studio import Studio
from tools.workspace import Workspace

TOLD = ("face_width", "face_height", "nose_width", "mouth_width", "eye_distance_inner")


class DescribeRequest(BaseModel, extra="forbid"):
    """Say in words what a face looks like."""

    face: str = Field(
        default="",
        description="handle of the face, empty for the current one",
    )


def describe(request: DescribeRequest, workspace: Workspace) -> Outcome:
    """The words and the main measurements of a face."""
    face = workspace.face(request.face)
    return Outcome(f"{face.handle}: {words_of(face, workspace.studio)}")


def words_of(face: Face, studio: Studio) -> str:
    """One line: words; main measurements in millimetres of the neutral face."""
    code = face.estimate.code
    measured = studio.measurements(code)
    told = ", ".join(f"{name.replace('_', ' ')} {measured[name]:.0f} mm" for name in TOLD if name in measured)
    words = studio.words(code).removesuffix(".") or f"no words, as {studio.head.basis} knows none"
    return f"{words}; {told}"
