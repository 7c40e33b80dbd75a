"""Breed: children of faces that were chosen as near to the memory, as composite systems do it.

A child mixes its parents' numbers at random, takes what they wear from one of them part by
part, and differs a little of its own; what was said of all parents stays (semantics/likely.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.semantics.breeding import bred
from facegpt_model.semantics.likely import Said
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.said import said_of
from tools.sheets import open_head
from tools.studio import Studio
from tools.workspace import Workspace

MODEL = "breeding@2"


class BreedRequest(BaseModel, extra="forbid"):
    """Mix two or more chosen faces into new ones."""

    faces: list[str] = Field(min_length=2, max_length=12, description="handles of the chosen faces")
    count: int = Field(default=4, ge=1, le=24, description="how many children")
    mutation: float = Field(default=0.25, ge=0, le=1, description="difference of their own, 0 none")
    seed: int = Field(default=0, ge=0, lt=2**31, description="the same seed makes the same children")


def breed(request: BreedRequest, workspace: Workspace) -> Outcome:
    """Make children of the faces; returns their handles. ToolError unless two different ones are given."""
    parents = [workspace.face(handle) for handle in dict.fromkeys(request.faces)]
    if len(parents) < 2:
        raise ToolError("choose at least two different faces to breed")
    said = _common([said_of(face, workspace) for face in parents])
    names = [face.handle for face in parents]
    known = {face.handle: face.estimate for face in parents}
    handles = []
    for number in range(request.count):
        made_by = {
            "tool": "breed",
            "faces": names,
            "seed": request.seed * 1000 + number,
            "mutation": request.mutation,
            "sex": said.sex,
            "years": said.years,
            "kept": list(said.sliders),
        }
        estimate = FaceEstimate(
            bred_code(workspace.studio, made_by, known), None, f"breed:{'+'.join(names)}", MODEL,
            request.seed * 1000 + number,
        )  # fmt: skip
        handles.append(workspace.add(estimate, made_by=made_by, parent=names[0]).handle)
    workspace.one_step(handles, handles[-1])
    kept = f"; kept: {', '.join(said.fixed)}" if said.fixed else ""
    text = f"{', '.join(handles)}: children of {', '.join(names)}{kept}. All are speculative."
    return Outcome(text, tuple(handles), tuple(n for handle in handles for n in workspace.files(handle)))


def bred_code(studio: Studio, made_by: dict[str, Any], faces: Mapping[str, FaceEstimate]) -> FaceCode:
    """The code a child's `made_by` tells of, from its parents."""
    said = Said(made_by["sex"], made_by["years"], tuple(made_by["kept"]))
    codes = [faces[handle].code for handle in made_by["faces"]]
    return bred(codes, said, open_head(studio), studio.axes, made_by["seed"], made_by["mutation"])


def _common(said: list[Said]) -> Said:
    """What was said of every one of them."""
    first = said[0]
    return replace(
        first,
        sex=first.sex if len({one.sex for one in said}) == 1 else "person",
        years=first.years if len({one.years for one in said}) == 1 else None,
        sliders=tuple(name for name in first.sliders if all(name in one.sliders for one in said)),
    )
