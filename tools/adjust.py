"""Adjust: more of the last change, less of it, or a feature back to how an earlier face had it.

Everything not named is kept. It comes down to an edit with worked-out amounts, which is what
the journal tells of it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from facegpt_model.semantics.axes import UnknownAxis, axis_named
from tools.edit import TOLERANCE, EditRequest, SliderChange, edit
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.workspace import Workspace

How = Literal["more", "less", "back"]


class AdjustRequest(BaseModel, extra="forbid"):
    """More or less of the last change, or named features back to an earlier face."""

    face: str = Field(default="", description="handle of the face, empty for the current one")
    how: How = Field(description="more or less of what was changed last, or back to an earlier face")
    sliders: list[str] = Field(default=[], max_length=8, description="sliders, empty for those changed last")
    amount: float = Field(default=0.5, gt=0, le=1, description="share of the last change, for more and less")
    to: str = Field(default="", description="earlier face to go back to, empty for the one before")


def adjust(request: AdjustRequest, workspace: Workspace) -> Outcome:
    """Make a new face; ToolError if nothing was changed before or the face already is as asked."""
    face = workspace.face(request.face)
    line = workspace.lineage(face.handle)
    last = _last_changes(line, workspace)
    for name in request.sliders:
        try:
            axis_named(name)
        except UnknownAxis as error:
            raise ToolError(str(error)) from error
    names = tuple(request.sliders) or tuple(last)
    if not names:
        raise ToolError(f"nothing was changed on the way to {face.handle} yet; name the sliders to move")
    if request.how == "back":
        amounts = _back(names, face.handle, request.to, line, workspace)
    else:
        sign = 1.0 if request.how == "more" else -1.0
        amounts = {name: sign * request.amount * last.get(name, 1.0) for name in names}
    changes = [
        SliderChange(slider=name, value=min(max(value, -1.0), 1.0))
        for name, value in amounts.items()
        if abs(value) > TOLERANCE
    ]
    if not changes:
        raise ToolError(f"{', '.join(names)} of {face.handle} already are as in the earlier face")
    return edit(EditRequest(face=face.handle, changes=changes), workspace)


def _last_changes(line: tuple[str, ...], workspace: Workspace) -> dict[str, float]:
    """Sliders and amounts of the newest edit in the line."""
    for handle in reversed(line):
        changes = workspace.face(handle).made_by.get("changes")
        if changes:
            return {str(change["slider"]): float(change["value"]) for change in changes}
    return {}


def _back(
    names: tuple[str, ...], handle: str, to: str, line: tuple[str, ...], workspace: Workspace
) -> dict[str, float]:
    if not to and len(line) < 2:
        raise ToolError(f"there is no face before {handle} to go back to; name one with `to`")
    target = workspace.face(to or line[-2])
    now = workspace.studio.axes.read(workspace.face(handle).estimate.code)
    then = workspace.studio.axes.read(target.estimate.code)
    if target.handle in line:  # the edits between the two are known exactly
        between = line[line.index(target.handle) + 1 :]
        made = [workspace.face(between_one).made_by.get("changes") for between_one in between]
        if all(made):
            moved = [(str(c["slider"]), float(c["value"])) for changes in made if changes for c in changes]
            return {name: -sum(value for slider, value in moved if slider == name) for name in names}
    return {name: then[name] - now[name] for name in names}
