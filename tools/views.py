"""Views: one face from all sides, as a labelled sheet or a turning picture, kept with the case."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tools.light_names import ABOUT_LIGHT, STUDIO, Light, lit_by
from tools.outcome import Outcome
from tools.turntable import Progress, Turntable, sheet_to, turntable_to
from tools.workspace import Workspace

SHEET_TILE = 256  # pixels of one of its eight sides
FRAMES = 36


class ViewsRequest(BaseModel, extra="forbid"):
    """Show a face from all sides: a sheet of eight labelled views, or a turntable that moves."""

    face: str = Field(default="", description="handle of the face, empty for the current one")
    kind: Literal["sheet", "turntable"] = Field(default="sheet", description="still sheet or moving picture")
    light: Light = Field(default=STUDIO, description=ABOUT_LIGHT)


def views(request: ViewsRequest, workspace: Workspace, progress: Progress) -> Outcome:
    """Write face-N-sheet.png or face-N-turntable.webp; ToolError for an unknown face."""
    face = workspace.face(request.face)
    light = f"-light-{request.light}" if request.light != STUDIO else ""
    if request.kind == "sheet":
        path = workspace.folder / f"{face.handle}-sheet{light}.png"
        sheet_to(face.estimate, workspace.studio, path, SHEET_TILE, progress, face.marked, request.light)
    else:
        path = workspace.folder / f"{face.handle}-turntable{light}.webp"
        turn = Turntable(frames=FRAMES, size=SHEET_TILE, light=request.light)
        turntable_to(face.estimate, workspace.studio, path, turn, progress, face.marked)
    workspace.wrote("views", {"handle": face.handle, **request.model_dump()}, (path.name,))
    return Outcome(f"{path.name}: {face.handle} from all sides{lit_by(request.light)}", files=(path.name,))
