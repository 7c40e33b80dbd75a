"""Export: a face as a file for other programs; the suffix chooses the format.

glb: metres, y up, one part per material, 52 named morph targets. obj and ply: millimetres.
png: a picture with a transparent background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from facegpt_model import gltf, mesh
from facegpt_model.face import FaceEstimate
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.render import RenderRequest, render_to
from tools.studio import Studio
from tools.workspace import Workspace
from tools.writing import write_through

FORMATS = ("glb", "obj", "ply", "png")


class ExportRequest(BaseModel, extra="forbid"):
    """Write a face as a file for other programs."""

    face: str = Field(
        default="",
        description="handle of the face, empty for the current one",
    )
    format: Literal["glb", "obj", "ply", "png"] = Field(
        default="glb", description="glb: glTF with named morph targets; obj, ply: plain mesh; png: picture"
    )


def export(request: ExportRequest, workspace: Workspace) -> Outcome:
    """Write face-N.<format> into the workspace and name it."""
    face = workspace.face(request.face)
    path = workspace.folder / f"{face.handle}.{request.format}"
    about = export_to(face.estimate, workspace.studio, path)
    workspace.journal.append("export", {"handle": face.handle, "file": path.name})
    return Outcome(f"{path.name}: {face.handle}, {about}", files=(path.name,))


def export_to(estimate: FaceEstimate, studio: Studio, path: Path) -> str:
    """Write one face to `path` and say what it is; ToolError if its suffix names no known format."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise ToolError(f"cannot export to {path.name!r}; let the name end in .{', .'.join(FORMATS)}")
    if suffix == "png":
        render_to(estimate, studio, path, RenderRequest())
        return "picture of 512 pixels"
    surface = mesh.mesh_of(studio.head, estimate.code)
    if suffix == "glb":
        write_through(path, lambda stand_in: gltf.write_glb(surface, stand_in))
        about = f"{len(surface.morph_targets)} named morph targets"
    else:
        write_through(path, surface.write_obj if suffix == "obj" else surface.write_ply)
        about = "mesh in millimetres"
    return f"{about}, {path.stat().st_size / 1e6:.1f} MB"
