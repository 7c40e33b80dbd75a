"""Outer: other hair and another outline round the same inner face.

Composites are best begun with eyes, nose and mouth; hair and outline come after. This keeps brows,
eyes, nose, mouth and skin of a face and takes hair, forehead, cheeks, jaw, chin, ears and neck from
other people who fit what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from facegpt_model.appearance.parameters import Appearance
from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.semantics.axes import axis_list
from facegpt_model.semantics.likely import Said, drawn_like
from tools.outcome import Outcome
from tools.said import said_of
from tools.sheets import open_head
from tools.studio import Studio
from tools.workspace import Workspace

MODEL = "outer-face@1"
PARTS = ("face", "forehead", "cheeks", "chin", "jaw", "ears", "neck")
REACH = 0.8  # of a slider, the farthest an outline goes from the face it began as


class OuterRequest(BaseModel, extra="forbid"):
    """Draw other hair and outlines round the same eyes, nose and mouth."""

    face: str = Field(default="", description="handle of the face, empty for the current one")
    count: int = Field(default=9, ge=1, le=24, description="how many faces")
    outline: bool = Field(default=True, description="also vary the outline; false varies hair alone")
    seed: int = Field(default=0, ge=0, lt=2**31, description="the same seed draws the same faces")


def outer(request: OuterRequest, workspace: Workspace) -> Outcome:
    """Make `count` new faces; returns their handles. The given face stays current; ToolError if unknown."""
    face = workspace.face(request.face)
    said = said_of(face, workspace)
    handles = []
    for number in range(request.count):
        seed = request.seed * 1000 + number
        made_by = {
            "tool": "outer",
            "from": face.handle,
            "seed": seed,
            "outline": request.outline,
            "sex": said.sex,
            "years": said.years,
            "kept": list(said.sliders),
        }
        code = outer_code(workspace.studio, made_by, {face.handle: face.estimate})
        estimate = FaceEstimate(code, None, f"outer:{face.handle}", MODEL, seed)
        handles.append(workspace.add(estimate, made_by=made_by, parent=face.handle).handle)
    workspace.one_step(handles, face.handle)
    varied = "hair and outline" if request.outline else "hair"
    text = f"{', '.join(handles)}: other {varied} round the inner face of {face.handle}, which stays current."
    return Outcome(text, tuple(handles), tuple(n for handle in handles for n in workspace.files(handle)))


def outer_code(studio: Studio, made_by: dict[str, Any], faces: Mapping[str, FaceEstimate]) -> FaceCode:
    """The code such a face's `made_by` tells of."""
    said = Said(made_by["sex"], made_by["years"], tuple(made_by["kept"]))
    code = faces[made_by["from"]].code
    other = drawn_like(code, said, open_head(studio), studio.axes, made_by["seed"])
    made = _rehaired(code, other) if code.appearance.shape[1] else code
    if not made_by["outline"]:
        return made
    now, then = studio.axes.read(code), studio.axes.read(other)
    free = [axis.name for axis in axis_list() if axis.part in PARTS and axis.name not in said.fixed]
    moves = {name: min(max(then[name] - now[name], -REACH), REACH) for name in free}
    return studio.axes.shift(made, moves)


def _rehaired(code: FaceCode, other: FaceCode) -> FaceCode:
    own, drawn = Appearance.of(code.appearance[0]), Appearance.of(other.appearance[0])
    return replace(code, appearance=replace(own, hair=drawn.hair).row())
