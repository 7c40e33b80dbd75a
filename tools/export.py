"""Export: a face as a file for other programs; the suffix chooses the format.

glb: metres, y up, one part per material; expressions and shape sliders as named morph targets.
obj (with .mtl and .png beside it) and ply: millimetres, current expression. png: a picture
with a transparent background.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from facegpt_model.appearance.worn import worn_meshes
from facegpt_model.face import FaceEstimate
from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import Mesh, mesh_of
from facegpt_model.mesh_files import obj_files, ply_bytes
from facegpt_model.semantics.axes import UnknownAxis
from facegpt_model.semantics.axis_targets import SHAPE_AXES, ColourOnly, shape_axis_names, with_axes
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.render import RenderRequest, render_to
from tools.studio import Studio
from tools.workspace import Workspace
from tools.writing import ensure_folder, write_bytes

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


@dataclass(frozen=True)
class GlbOptions:
    """What only a .glb can hold.

    axes:      names of shape sliders that become morph targets beside the expressions
    quantised: whole numbers instead of floats, about half the size (KHR_mesh_quantization)
    """

    axes: tuple[str, ...] = SHAPE_AXES
    quantised: bool = False


@dataclass(frozen=True)
class Written:
    """Files an export wrote, the asked-for one first, and what that one is."""

    files: tuple[Path, ...]
    about: str


def export(request: ExportRequest, workspace: Workspace) -> Outcome:
    """Write face-N.<format> into the workspace and name it."""
    face = workspace.face(request.face)
    path = workspace.folder / f"{face.handle}.{request.format}"
    written = export_to(face.estimate, workspace.studio, path, mark=face.marked)
    files = tuple(file.name for file in written.files)
    workspace.wrote("export", {"handle": face.handle, **request.model_dump()}, files)
    return Outcome(f"{path.name}: {face.handle}, {written.about}", files=files)


def export_to(
    estimate: FaceEstimate,
    studio: Studio,
    path: Path,
    options: GlbOptions | None = None,
    mark: bool = False,
) -> Written:
    """Write one face to `path`, and an OBJ's companions beside it.

    Raises ToolError if its suffix names no known format, if options meant for .glb are given
    for another one, for an unknown slider or one that changes no shape, or if the disk refuses.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise ToolError(f"cannot export to {path.name!r}; let the name end in .{', .'.join(FORMATS)}")
    if options is not None and suffix != "glb":
        raise ToolError(
            f"a .{suffix} file holds no morph targets, so leave out --axes and --quantised or let the "
            "name end in .glb"
        )
    ensure_folder(path.parent)
    if suffix == "png":
        render_to(estimate, studio, path, RenderRequest(), mark)
        return Written((path,), "picture of 512 pixels")
    shown = SHAPE_AXES if suffix == "glb" and studio.sliders is not None else ()
    options = options or GlbOptions(axes=shown)
    mesh = _mesh(estimate, studio, options.axes)
    worn = worn_meshes(studio.head, estimate.code)
    if suffix == "glb":
        contents = {path.name: glb_bytes(mesh, worn, quantised=options.quantised)}
        about = f"{len(mesh.morph_targets)} named morph targets"
    elif suffix == "obj":
        contents = obj_files(mesh, path.name, worn)
        about = "mesh in millimetres"
    else:
        contents = {path.name: ply_bytes(mesh, worn)}
        about = "mesh in millimetres"
    for name, content in contents.items():
        write_bytes(path.with_name(name), content)
    files = (path, *(path.with_name(name) for name in contents if name != path.name))
    return Written(files, f"{about}, {path.stat().st_size / 1e6:.1f} MB")


def axes_named(text: str) -> tuple[str, ...]:
    """The sliders of "all", "none" or "nose width, chin length"; ToolError if nothing is named."""
    if text.strip().lower() == "none":
        return ()
    if text.strip().lower() == "all":
        return shape_axis_names()
    names = tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
    if not names:
        raise ToolError("name the sliders, as in --axes 'nose width, chin length', or all or none")
    return names


def _mesh(estimate: FaceEstimate, studio: Studio, axes: tuple[str, ...]) -> Mesh:
    mesh = mesh_of(studio.head, estimate.code)
    if not axes:
        return mesh
    try:
        return with_axes(mesh, studio.head, estimate.code, studio.axes, axes)
    except (UnknownAxis, ColourOnly) as error:
        raise ToolError(f"{error}; --axes also takes all or none") from error
