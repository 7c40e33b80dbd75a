"""Edit: move named sliders of a face, keep everything else, keep the old face.

Slider values are relative, in slider units of semantics/axes.toml: +1 is as far as the
axis usefully goes. The answer states the measured effect in millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import BaseModel, Field, ValidationError

from facegpt_model.face import FaceCode
from facegpt_model.semantics.axes import AxisRange, UnknownAxis
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.studio import Studio
from tools.workspace import Workspace

NOTICEABLE = 0.1  # mm; smaller changes are not worth telling
TOLD = 3  # measurements told at most
TOLERANCE = 1e-4  # code units; below this two codes are the same face


class SliderChange(BaseModel, extra="forbid"):
    """One slider and how far to move it."""

    slider: str = Field(description="name of a slider")
    value: float = Field(ge=-1, le=1, description="added to the slider; negative is less")


class EditRequest(BaseModel, extra="forbid"):
    """Change named features of a face; makes a new face and keeps the old one."""

    face: str = Field(
        default="",
        description="handle of the face, empty for the current one",
    )
    changes: list[SliderChange] = Field(min_length=1, max_length=8)


def edit(request: EditRequest, workspace: Workspace) -> Outcome:
    """Make a new face with the sliders moved; returns its handle and what changed.

    ToolError for an unknown face or slider (naming close ones), or if nothing would move.
    """
    face = workspace.face(request.face)
    studio = workspace.studio
    before = face.estimate.code
    changes = _summed(request.changes)
    after = edited_code(studio, before, request.changes)
    told = "; ".join(f"{name} {value:+.2f}" for name, value in changes.items())
    if _same(studio, before, after):
        raise ToolError(f"{face.handle} is at the limit of what was asked ({told}), so nothing would change")
    undone = studio.axes.shift(after, {name: -value for name, value in changes.items()})
    limited = "" if _same(studio, before, undone) else " Part of it met a limit."
    estimate = replace(
        face.estimate,
        code=after,
        source=f"edit:{face.handle}",
        model="sliders@1",
        spread=None,
    )
    made = workspace.add(
        estimate, made_by={"tool": "edit", **request.model_dump(), "from": face.handle}, parent=face.handle
    )
    effect = measured_effect(studio, before, after, tuple(changes))
    measured = f" Measured: {effect}." if effect else ""
    text = f"{made.handle} made from {face.handle}: {told}.{measured} {face.handle} is kept.{limited}"
    return Outcome(text, (made.handle,), workspace.files(made.handle))


def edited_code(studio: Studio, code: FaceCode, changes: Sequence[SliderChange]) -> FaceCode:
    """The one face of `code` with these sliders moved, everything else kept; ToolError as of edit."""
    try:
        return studio.axes.shift(code, _summed(changes))
    except (UnknownAxis, AxisRange) as error:
        raise ToolError(str(error)) from error


def parse_changes(settings: Sequence[str]) -> EditRequest:
    """The request of settings such as "nose width=+0.5"; ToolError if one cannot be read."""
    changes = []
    for setting in settings:
        slider, _, value = setting.rpartition("=")
        try:
            changes.append(SliderChange(slider=slider.strip(), value=float(value)))
        except (ValidationError, ValueError) as error:
            raise ToolError(
                f"cannot read the setting {setting!r}; write a slider and a number from -1 to 1, "
                "such as 'nose width=+0.5'"
            ) from error
    return EditRequest(changes=changes)


def measured_effect(studio: Studio, before: FaceCode, after: FaceCode, sliders: tuple[str, ...] = ()) -> str:
    """The largest changes in millimetres, such as "nose width +1.9 mm, mouth width +0.4 mm".

    Measurements called like a moved slider come first. When the expression changed, the
    faces are measured with their expressions.
    """
    expressed = not after.expression.equal(before.expression)
    old, new = (studio.measurements(code, expression=expressed) for code in (before, after))
    change = {name: new[name] - old[name] for name in old if abs(new[name] - old[name]) >= NOTICEABLE}
    meant = {slider.replace(" ", "_") for slider in sliders}
    order = sorted(change, key=lambda name: (name not in meant, -abs(change[name])))[:TOLD]
    return ", ".join(f"{name.replace('_', ' ')} {change[name]:+.1f} mm" for name in order)


def _summed(changes: Sequence[SliderChange]) -> dict[str, float]:
    summed: dict[str, float] = {}
    for change in changes:
        summed[change.slider] = summed.get(change.slider, 0.0) + change.value
    return summed


def _same(studio: Studio, one: FaceCode, other: FaceCode) -> bool:
    pack = studio.head.layout.pack
    return torch.allclose(pack(one), pack(other), atol=TOLERANCE)
