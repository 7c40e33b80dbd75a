"""Remove: delete the files of one face for good; the one tool that destroys anything."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tools.errors import ToolError
from tools.outcome import Outcome
from tools.workspace import Workspace


class DeleteRequest(BaseModel, extra="forbid"):
    """Delete the files of a face for good; a person has to approve it."""

    face: str = Field(description="handle of the face")


def delete(request: DeleteRequest, workspace: Workspace) -> Outcome:
    """Delete one named face. ToolError for an unknown face or none named: "it" is not enough here."""
    if not request.face:
        raise ToolError("name the face to delete, such as face-1")
    names = workspace.delete(request.face)
    return Outcome(f"{request.face} was deleted ({len(names)} files); how it was made stays in the journal")
