"""Render: a still picture of a face from a side and in a light, with a transparent background."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.still import render_still
from tools.errors import ToolError
from tools.light_names import ABOUT_LIGHT, STUDIO, Light, lit_by
from tools.lights import lamps_for
from tools.marking import marked
from tools.outcome import Outcome
from tools.studio import Studio
from tools.workspace import Workspace
from tools.writing import ensure_folder, write_through


class RenderRequest(BaseModel, extra="forbid"):
    """Draw a picture of a face from another side, or in another light."""

    face: str = Field(
        default="",
        description="handle of the face, empty for the current one",
    )
    yaw: int = Field(default=0, ge=-90, le=90, description="degrees; positive turns to the person's left")
    pitch: int = Field(default=0, ge=-45, le=45, description="degrees; positive looks up")
    size: int = Field(default=512, ge=64, le=2048, description="pixels, width and height")
    light: Light = Field(default=STUDIO, description=ABOUT_LIGHT)


def render(request: RenderRequest, workspace: Workspace) -> Outcome:
    """Write face-N-yaw+30.png or alike into the workspace and name it."""
    face = workspace.face(request.face)
    pitch = f"-pitch{request.pitch:+d}" if request.pitch else ""
    light = f"-light-{request.light}" if request.light != STUDIO else ""
    path = workspace.folder / f"{face.handle}-yaw{request.yaw:+d}{pitch}{light}.png"
    render_to(face.estimate, workspace.studio, path, request, face.marked)
    workspace.wrote("render", {"handle": face.handle, **request.model_dump()}, (path.name,))
    seen = f"{face.handle} {_side(request)}{lit_by(request.light)}, {request.size} pixels"
    return Outcome(f"{path.name}: {seen}", files=(path.name,))


def _side(request: RenderRequest) -> str:
    """Where a face is seen from, such as "turned by 35 degrees to their left, chin up by 20"."""
    side = "left" if request.yaw > 0 else "right"
    turned = f"turned by {abs(request.yaw)} degrees to their {side}" if request.yaw else "from the front"
    chin = f", chin {'up' if request.pitch > 0 else 'down'} by {abs(request.pitch)} degrees"
    return turned + (chin if request.pitch else "")


def render_to(
    estimate: FaceEstimate, studio: Studio, path: Path, request: RenderRequest, mark: bool = False
) -> Path:
    """The picture of one face as a PNG with a transparent background; ToolError for another suffix or
    for the light of a photo it was not fitted to.

    mark: write "speculative" into its pixels, as for the faces of a witness's case
    """
    if path.suffix.lower() != ".png":
        raise ToolError(f"cannot draw into {path.name!r}; let the name end in .png")
    ensure_folder(path.parent)
    lamps = lamps_for(estimate, request.light)
    picture = render_still(
        studio.head, estimate.code, request.yaw, request.pitch, size=request.size, lamps=lamps
    )
    return write_through(path, marked(picture, mark).save)
