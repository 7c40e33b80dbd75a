"""Morph: a face between two others, such as the composites of two witnesses.

Every number of the face is mixed by one share; so is what is worn, whose numbers are made for that
(appearance/parameters.py). Morphs of several witnesses' composites were named more often than single
ones (notes in docs/tools.md); nothing here repeats that study.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from facegpt_model.face import FaceCode, FaceEstimate
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.studio import Studio
from tools.workspace import Workspace

MODEL = "morph@1"


class MorphRequest(BaseModel, extra="forbid"):
    """Make a face between two others, such as those of two witnesses."""

    face: str = Field(description="handle of the first face")
    other: str = Field(description="handle of the second face")
    share: float = Field(default=0.5, gt=0, lt=1, description="share of the second face")


def morph(request: MorphRequest, workspace: Workspace) -> Outcome:
    """Make the face in between; returns its handle. ToolError for unknown handles or one face twice."""
    first, second = workspace.face(request.face), workspace.face(request.other)
    if first.handle == second.handle:
        raise ToolError(f"between {first.handle} and itself there is nothing; name two faces")
    made_by = {"tool": "morph", "face": first.handle, "other": second.handle, "share": request.share}
    known = {face.handle: face.estimate for face in (first, second)}
    source = f"morph:{first.handle}+{second.handle}"
    estimate = FaceEstimate(morphed_code(workspace.studio, made_by, known), None, source, MODEL)
    marked = first.marked or second.marked
    made = workspace.add(estimate, made_by=made_by, parent=first.handle, marked=marked)
    text = (
        f"{made.handle}: {1 - request.share:.0%} of {first.handle} and {request.share:.0%} of "
        f"{second.handle}. It is speculative."
    )
    return Outcome(text, (made.handle,), workspace.files(made.handle))


def morphed_code(studio: Studio, made_by: dict[str, Any], faces: Mapping[str, FaceEstimate]) -> FaceCode:
    """The code a morph's `made_by` tells of."""
    first, second = faces[made_by["face"]].code, faces[made_by["other"]].code
    studio.require_basis(second, "the second face")
    layout = studio.head.layout
    share = float(made_by["share"])
    return studio.axes.bounded((1 - share) * layout.pack(first) + share * layout.pack(second))
