"""Expression: one face makes the face another one makes, and stays who it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from facegpt_model.face import FaceCode, FaceEstimate
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.studio import Studio
from tools.workspace import Workspace

MODEL = "expression-transfer@1"


class ExpressRequest(BaseModel, extra="forbid"):
    """Give a face the expression of another one; shape, skin and hair stay."""

    face: str = Field(default="", description="handle of the face to change, empty for the current one")
    like: str = Field(description="handle of the face that lends its expression")
    amount: float = Field(default=1.0, ge=0, le=1, description="1 the whole expression, 0 none at all")


def express(request: ExpressRequest, workspace: Workspace) -> Outcome:
    """Make the face with that expression; ToolError for unknown handles or one face twice."""
    face, giver = workspace.face(request.face), workspace.face(request.like)
    if face.handle == giver.handle:
        raise ToolError(f"{face.handle} has its own expression already; name another face to take one from")
    made_by = {"tool": "express", "face": face.handle, "like": giver.handle, "amount": request.amount}
    known = {one.handle: one.estimate for one in (face, giver)}
    estimate = replace(
        face.estimate,
        code=expressed_code(workspace.studio, made_by, known),
        source=f"express:{face.handle}+{giver.handle}",
        model=MODEL,
        spread=None,
    )
    made = workspace.add(estimate, made_by=made_by, parent=face.handle)
    text = f"{made.handle}: {face.handle} with the expression of {giver.handle}. {face.handle} is kept."
    return Outcome(text, (made.handle,), workspace.files(made.handle))


def expressed_code(studio: Studio, made_by: dict[str, Any], faces: Mapping[str, FaceEstimate]) -> FaceCode:
    """The code a transfer's `made_by` tells of."""
    code, giver = faces[made_by["face"]].code, faces[made_by["like"]].code
    studio.require_basis(giver, "the face whose expression is taken")
    return replace(code, expression=float(made_by["amount"]) * giver.expression)
