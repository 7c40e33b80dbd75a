"""Array: the pictures of several faces in one, with their handles under them."""

from __future__ import annotations

import math
from functools import partial

from PIL import Image
from pydantic import BaseModel, Field

from facegpt_model.rendering.still import contact_sheet
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.workspace import Workspace
from tools.writing import write_through

TILE = 256  # pixels of one picture


class ArrayRequest(BaseModel, extra="forbid"):
    """Show several faces side by side in one picture."""

    faces: list[str] = Field(default=[], max_length=200, description="handles; empty for all")
    columns: int = Field(default=0, ge=0, le=20, description="pictures in a row; 0 chooses")
    name: str = Field(default="array", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$", description="of the file")


def array(request: ArrayRequest, workspace: Workspace) -> Outcome:
    """Write NAME.png into the workspace. ToolError for an unknown face or one without a picture."""
    if request.name.startswith(("face-", "photo-", "overlay")):
        raise ToolError(f"{request.name}.png belongs to a face or photo; choose another name")
    handles = [workspace.face(handle).handle for handle in request.faces or workspace.handles]
    if not handles:
        raise ToolError("there is no face yet; describe one in words or show a photo first")
    pictures = []
    for handle in handles:
        path = workspace.folder / f"{handle}.png"
        if not path.is_file():
            raise ToolError(f"{handle}.png is not there, so {handle} cannot be shown")
        with Image.open(path) as picture:
            pictures.append(picture.convert("RGBA").resize((TILE, TILE), Image.Resampling.LANCZOS))
    columns = request.columns or math.ceil(math.sqrt(len(pictures)))
    sheet = contact_sheet(pictures, columns, handles)
    path = write_through(workspace.folder / f"{request.name}.png", partial(sheet.save, format="PNG"))
    workspace.wrote("array", {"faces": handles}, (path.name,))
    return Outcome(f"{path.name}: {len(handles)} faces in {columns} columns", files=(path.name,))
