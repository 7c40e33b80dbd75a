"""ICT-FaceKit light (MIT): the folder FaceXModel with one OBJ mesh per shape.

The files hold centimetres, y up, z out of the face; every shape is a whole mesh, from which
the neutral one is subtracted here. Identity shapes are principal components already scaled
to one standard deviation. Lashes and other see-through shells are left out. There are no
colours: parts get plain ones, and iris and pupil are painted on the outer eyeballs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel, ModelFiles
from facegpt_model.morphable.landmark_files import Embedding
from facegpt_model.morphable.linear_head import (
    HeadData,
    LinearHead,
    finished,
    of_triangles,
    paint_iris,
    plain_colours,
)
from facegpt_model.morphable.obj_files import ObjMesh, read_obj, read_vertices

MM_PER_CM = 10.0
PART_NAMES = ("skin", "orbit", "mouth", "teeth", "left_eye", "right_eye")
MATERIAL_PART = {  # the others are see-through, or, as the inner eyeballs, never seen
    "M_Face": "skin",
    "M_BackHead": "skin",
    "M_GumsTongue": "mouth",
    "M_Teeth": "teeth",
    "M_ScleraLeft": "left_eye",
    "M_ScleraRight": "right_eye",
}
MOUTH_SOCKET, EYE_SOCKETS = (11248, 13294), (13294, 14062)  # vertex ranges, from the model's README
ARKIT = re.compile(r"_(L|R)$")


def read_ict(files: ModelFiles) -> LinearHead:
    """The head of a folder with any number of identity and expression meshes.

    BadModel when a mesh has another number of vertices or a list is missing.
    """
    folder = files.found["neutral mesh"].parent
    lists = _lists(files.found["index lists"])
    neutral = read_obj(files.found["neutral mesh"])
    identity = _shapes(sorted(folder.glob("identity[0-9][0-9][0-9].obj")), neutral)
    wanted = [folder / f"{name}.obj" for name in lists["expressions"]]
    present = [path for path in wanted if path.is_file()]
    part, kept = _parts(neutral)
    mean = neutral.vertices * MM_PER_CM
    landmarks = Embedding.at_vertices(np.array(lists["idx_to_landmark_verts"], np.int64))
    data = HeadData(
        basis=files.entry.basis,
        mean=mean,
        identity=identity,
        expression=_shapes(present, neutral),
        expression_names=tuple(_arkit_name(path.stem) for path in present),
        triangles=neutral.triangles,
        part=part,
        part_names=PART_NAMES,
        albedo_mean=_colours(neutral, part, landmarks),
        albedo=np.zeros((0, len(mean), 3), np.float32),
        landmarks=landmarks,
    )
    return LinearHead(finished(of_triangles(data, kept)))


def _lists(path: Path) -> dict[str, list[str] | list[int]]:
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
        if len(lists["idx_to_landmark_verts"]) != 68 or not lists["expressions"]:
            raise BadModel(f"{path} must name 68 landmarks and the expressions")
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel(f"{path} is not ICT-FaceKit's list of indices: {error}") from error
    return dict(lists)


def _arkit_name(stem: str) -> str:
    """ARKit's own spelling: mouthSmile_L is mouthSmileLeft; halves of one action keep their side."""
    return ARKIT.sub(lambda side: {"L": "Left", "R": "Right"}[side[1]], stem)


def _shapes(paths: list[Path], neutral: ObjMesh) -> NDArray[np.float32]:
    """(n, V, 3) mm: what each mesh adds to the neutral one."""
    shapes = np.zeros((len(paths), len(neutral.vertices), 3), np.float32)
    for row, path in enumerate(paths):
        vertices = read_vertices(path)
        if vertices.shape != neutral.vertices.shape:
            raise BadModel(f"{path} has {len(vertices)} vertices, the neutral mesh {len(neutral.vertices)}")
        shapes[row] = (vertices - neutral.vertices) * MM_PER_CM
    return shapes


def _parts(mesh: ObjMesh) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Part of each triangle, and which are drawn at all."""
    by_material = [PART_NAMES.index(MATERIAL_PART.get(name, "skin")) for name in mesh.materials]
    part = np.array(by_material, np.int64)[mesh.material]
    first = mesh.triangles[:, 0]
    for (start, end), name in ((MOUTH_SOCKET, "mouth"), (EYE_SOCKETS, "orbit")):
        part[(first >= start) & (first < end)] = PART_NAMES.index(name)
    kept = np.array([name in MATERIAL_PART for name in mesh.materials])[mesh.material]
    return part, kept


def _colours(mesh: ObjMesh, part: NDArray[np.int64], landmarks: Embedding) -> NDArray[np.float32]:
    """(V, 3) plain colours with irises."""
    mean = mesh.vertices * MM_PER_CM
    colours = plain_colours(mean, mesh.triangles, part, PART_NAMES, landmarks)
    for index, name in enumerate(mesh.materials):
        if name.startswith("M_Sclera"):
            paint_iris(colours, mean, np.unique(mesh.triangles[mesh.material == index]))
    return colours
