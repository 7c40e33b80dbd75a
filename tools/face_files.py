"""The files of one face: face-N.json (its numbers), .png (its picture), .glb (its mesh).

Faces of a head model without words get an .obj (and its .mtl) instead of the .glb.

The JSON is the record of layout.py plus `handle`, `parent`, `made_by`, `speculative`, `marked`,
`description` (words), `understood` (canonical phrases of what was said), `landmarks68` and
`landmarks68_neutral` (68 x 3, millimetres, head frame: x to the person's left, y up, z out of
the face), `measurements` (name to millimetres, neutral face) and `skin_detail` (name of the picture
face-N-skin.png that holds what a photo showed of the skin, or null). It is written last: a face
exists once its JSON does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facegpt_model import gltf, layout, mesh
from facegpt_model.appearance.worn import worn_meshes
from facegpt_model.face import FaceEstimate
from facegpt_model.mesh_files import obj_files
from facegpt_model.rendering.still import render_still
from facegpt_model.skin.detail import BadDetail, SkinDetail
from tools.errors import ToolError
from tools.marking import marked
from tools.studio import Studio
from tools.writing import write_bytes, write_text, write_through

PICTURE_SIZE = 512  # pixels, width and height of face-N.png


@dataclass(frozen=True)
class Face:
    """A face of the conversation and where it came from.

    speculative: made from words or by an edit, so not what any photo shows
    made_by: the request that made it, as {"tool": name, ...}
    marked: its pictures say "speculative" in their pixels, as all of a witness's case do
    """

    handle: str
    estimate: FaceEstimate
    parent: str | None
    made_by: dict[str, Any]
    speculative: bool
    description: str = ""
    marked: bool = False


def write_face(folder: Path, face: Face, studio: Studio) -> dict[str, Any]:
    """Write the three files and return the record; ToolError if the disk refuses."""
    record = face_record(face, studio)
    picture = marked(render_still(studio.head, face.estimate.code, size=PICTURE_SIZE), face.marked)
    write_through(folder / f"{face.handle}.png", picture.save)
    surface = mesh.mesh_of(studio.head, face.estimate.code)
    name = f"{face.handle}.{studio.mesh_suffix}"
    if studio.mesh_suffix == "obj":
        for companion, content in obj_files(surface, name).items():
            write_bytes(folder / companion, content)
    else:
        worn = worn_meshes(studio.head, face.estimate.code)
        write_through(folder / name, lambda path: gltf.write_glb(surface, path, worn))
    detail = face.estimate.code.detail
    if detail is not None:
        write_bytes(folder / skin_file(face.handle), detail.png())
    write_text(folder / f"{face.handle}.json", layout.dumps(record))
    return record


def skin_file(handle: str) -> str:
    """Name of the picture that holds the detail of a face's skin."""
    return f"{handle}-skin.png"


def read_skin(path: Path) -> SkinDetail | None:
    """The skin detail of a file, None where there is none; ToolError if it holds something else."""
    if not path.is_file():
        return None
    try:
        return SkinDetail.from_png(path.read_bytes())
    except (OSError, BadDetail) as error:
        raise ToolError(f"{path} is no map of skin detail: {error}") from error


def face_record(face: Face, studio: Studio) -> dict[str, Any]:
    """Everything face-N.json holds."""
    code = face.estimate.code
    return {
        **layout.to_record(face.estimate),
        "handle": face.handle,
        "parent": face.parent,
        "made_by": face.made_by,
        "speculative": face.speculative,
        "marked": face.marked,
        "description": studio.words(code),
        "understood": list(face.made_by.get("attributes", ())),
        "measurements": studio.measurements(code),
        "landmarks68": _points(studio, face.estimate, expression=True),
        "landmarks68_neutral": _points(studio, face.estimate, expression=False),
        "skin_detail": None if code.detail is None else skin_file(face.handle),
    }


def add_vertices(path: Path, face: Face, studio: Studio) -> None:
    """Write the surface into face-N.json, so that shapes can be measured from outside.

    vertices, vertices_neutral: V x 3 mm, head frame, with and without expression;
    skin_triangles: T x 3 vertex ids of the outer skin, without eyes, teeth and tongue.
    Raises ToolError for a head model without a part called skin.
    """
    head = studio.head
    if "skin" not in head.part_names:
        raise ToolError(f"{head.basis} does not say which of its triangles are skin")
    record = json.loads(path.read_text(encoding="utf-8"))
    code = face.estimate.code
    for name, shown in (("vertices", code), ("vertices_neutral", code.neutral())):
        with torch.no_grad():
            record[name] = [[round(x, 3) for x in vertex] for vertex in head.vertices(shown)[0].tolist()]
    skin = head.triangles[head.part == head.part_names.index("skin")]
    record["skin_triangles"] = skin.tolist()
    write_text(path, layout.dumps(record))


def read_face(path: Path, studio: Studio) -> Face:
    """The face of a JSON file; ToolError if it is not one or belongs to another head model."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        estimate = layout.from_record(record)
    except FileNotFoundError as error:
        raise ToolError(f"there is no file {path}; give a face-N.json that FaceGPT wrote") from error
    except OSError as error:
        raise ToolError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ToolError(f"{path} is not a text file; give a face-N.json that FaceGPT wrote") from error
    except json.JSONDecodeError as error:
        raise ToolError(f"{path} is not valid JSON (line {error.lineno}): {error.msg}") from error
    except (layout.BadRecord, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ToolError(f"{path}: {error}") from error
    studio.require_basis(estimate.code, str(path))
    if record.get("skin_detail"):
        skin = read_skin(path.with_name(Path(str(record["skin_detail"])).name))
        estimate = replace(estimate, code=replace(estimate.code, detail=skin))
    return Face(
        handle=str(record.get("handle") or path.stem),
        estimate=estimate,
        parent=record.get("parent"),
        made_by=record.get("made_by") or {},
        speculative=bool(record.get("speculative", True)),
        description=str(record.get("description") or ""),
        marked=bool(record.get("marked", False)),
    )


def _points(studio: Studio, estimate: FaceEstimate, expression: bool) -> list[list[float]]:
    points = studio.seen_landmarks68(estimate.code if expression else estimate.code.neutral())
    return [[round(float(value), 3) for value in point] for point in points]
