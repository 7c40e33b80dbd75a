"""Variants: other faces that fit the same words, so that a person can recognise instead of recall.

What was said stays, by its measurements; everything else is drawn as people vary
(vlm/variants.py says how, and of whom).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.semantics.axes import UnknownAxis, axis_named
from facegpt_model.semantics.likely import Said
from facegpt_model.vlm.variants import draw_variant
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.said import is_observed, said_of
from tools.sheets import open_head
from tools.studio import Studio
from tools.workspace import Workspace

MODEL = "face-variants@1"
TOLD = 6  # kept sliders named at most


class VariantsRequest(BaseModel, extra="forbid"):
    """Draw other faces that fit what was said; what was not said differs."""

    face: str = Field(default="", description="handle of the face, empty for the current one")
    count: int = Field(default=4, ge=1, le=24, description="how many faces")
    spread: float = Field(default=1.0, gt=0, le=1, description="1 as people differ, less stays nearer")
    keep: list[str] = Field(default=[], max_length=40, description="names of sliders that stay too")
    seed: int = Field(default=0, ge=0, lt=2**31, description="the same seed draws the same faces")


def variants(request: VariantsRequest, workspace: Workspace, temperature: float = 1.0) -> Outcome:
    """Make `count` new faces; returns their handles and what they have in common.

    temperature: 0.1 to 1.5; 1 draws as people are, less more usual faces, more odder ones.
    The given face stays current. ToolError for an unknown face or slider, or a face that was
    fitted to a photo unless `keep` or a spread under 1 says what may differ.
    """
    face = workspace.face(request.face)
    said = said_of(face, workspace)
    for name in request.keep:
        try:
            axis_named(name)
        except UnknownAxis as error:
            raise ToolError(str(error)) from error
    if is_observed(face, workspace) and not request.keep and request.spread == 1:
        raise ToolError(
            f"{face.handle} was fitted to a photo, so nothing of it was left unsaid; "
            "name sliders to keep, or a spread under 1"
        )
    said = replace(said, sliders=tuple(dict.fromkeys((*said.sliders, *request.keep))))
    handles = []
    for number in range(request.count):
        made_by = {
            "tool": "variants",
            "from": face.handle,
            "seed": _seed(request.seed, number),
            "spread": request.spread,
            "temperature": temperature,
            "sex": said.sex,
            "years": said.years,
            "kept": list(said.sliders),
        }
        code = variant_code(workspace.studio, made_by, {face.handle: face.estimate})
        estimate = replace(
            face.estimate,
            code=code,
            source=f"variant:{face.handle}",
            model=MODEL,
            seed=_seed(request.seed, number),
            spread=None,
        )
        handles.append(workspace.add(estimate, made_by=made_by, parent=face.handle).handle)
    workspace.one_step(handles, face.handle)
    text = f"{', '.join(handles)}: variants of {face.handle}; {_told(said)}. {face.handle} stays current."
    return Outcome(text, tuple(handles), tuple(n for handle in handles for n in workspace.files(handle)))


def variant_code(studio: Studio, made_by: dict[str, Any], faces: Mapping[str, FaceEstimate]) -> FaceCode:
    """The code a variant's `made_by` tells of, from the face it was drawn for."""
    said = Said(made_by["sex"], made_by["years"], tuple(made_by["kept"]))
    code = faces[made_by["from"]].code
    seed, spread = made_by["seed"], made_by["spread"]
    temperature = made_by.get("temperature", 1.0)
    return draw_variant(code, said, open_head(studio), studio.axes, seed, spread, temperature)


def _seed(first: int, number: int) -> int:
    """A seed for each face, so that more faces do not change the first ones."""
    return first * 1000 + number


def _told(said: Said) -> str:
    sliders = said.fixed
    if not sliders:
        return "nothing was said, so everything differs"
    named = ", ".join(sliders[:TOLD]) + (f" and {len(sliders) - TOLD} more" if len(sliders) > TOLD else "")
    return f"kept: {named}; the rest is drawn as people vary, not known"
