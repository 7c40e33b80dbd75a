"""GNM Head v3 (Google, Apache-2.0): gnm_head.npz, and head_sparse_68.txt for landmarks.

The file holds metres, y up, z out of the face. The neck is the root and stays still; head,
left_eye and right_eye turn, with pose correctives. Identity and expression components are
normal with standard deviation 1. There are no colours: parts get plain ones. The clear outer
shell of the eyes is left out, as in the makers' own pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel, ModelFiles
from facegpt_model.morphable.landmark_files import jaw_in_order, read_points
from facegpt_model.morphable.linear_head import (
    IRIS,
    PUPIL,
    HeadData,
    LinearHead,
    finished,
    of_triangles,
    plain_colours,
)
from facegpt_model.morphable.skinning import Skeleton

MM_PER_M = 1000.0
PART_NAMES = ("skin", "mouth", "gums", "teeth", "tongue", "left_eye", "right_eye")
GROUPS = (  # vertex group -> part; later rows take triangles from earlier ones
    ("mouth_sock", "mouth"),
    ("gums", "gums"),
    ("upper_teeth_and_gums", "gums"),
    ("lower_teeth_and_gums", "gums"),
    ("teeth", "teeth"),
    ("tongue", "tongue"),
    ("left_eye", "left_eye"),
    ("right_eye", "right_eye"),
)
CORNEA = "eye_exteriors"
MEMBER = 0.5  # weight from which a vertex belongs to a group
ARRAYS = (
    "template_vertex_positions",
    "vertex_identity_basis",
    "expression_basis",
    "expression_names",
    "triangles",
    "skinning_weights",
    "template_joint_positions",
    "joint_identity_basis",
    "joint_parent_indices",
    "joint_names",
    "vertex_groups",
    "vertex_group_names",
)


def read_gnm(files: ModelFiles) -> LinearHead:
    """The head of gnm_head.npz; BadModel naming an array that is missing."""
    path = files.found["model"]
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except ValueError as error:
        raise BadModel(f"{path} is no .npz of plain arrays: {error}") from error
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise BadModel(f"{path} is not a GNM v3 head: it has no {', '.join(missing)}")
    mean = _mm(arrays["template_vertex_positions"])
    triangles = arrays["triangles"].astype(np.int64)
    groups = {
        str(name): weights > MEMBER
        for name, weights in zip(arrays["vertex_group_names"], arrays["vertex_groups"], strict=True)
    }
    part = _parts(triangles, groups)
    points = read_points(files.found["landmarks"]) if "landmarks" in files.found else None
    landmarks = jaw_in_order(points, mean) if points else None
    colours = plain_colours(mean, triangles, part, PART_NAMES, landmarks)
    for name, colour in (("irises", IRIS), ("pupils", PUPIL)):
        if name in groups:
            colours[groups[name]] = colour
    data = HeadData(
        basis=files.entry.basis,
        mean=mean,
        identity=_mm(arrays["vertex_identity_basis"]),
        expression=_mm(arrays["expression_basis"]),
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        triangles=triangles,
        part=part,
        part_names=PART_NAMES,
        albedo_mean=colours,
        albedo=np.zeros((0, len(mean), 3), np.float32),
        landmarks=landmarks,
        no_landmarks=f"put head_sparse_68.txt of google/GNM into {files.folder}",
        skeleton=_skeleton(arrays, len(mean)),
    )
    clear = groups.get(CORNEA, np.zeros(len(mean), bool))[triangles].all(axis=1)
    return LinearHead(finished(of_triangles(data, ~clear)))


def _mm(metres: NDArray[Any]) -> NDArray[np.float32]:
    return (metres * MM_PER_M).astype(np.float32)


def _parts(triangles: NDArray[np.int64], groups: dict[str, NDArray[np.bool_]]) -> NDArray[np.int64]:
    part = np.zeros(len(triangles), np.int64)
    for group, name in GROUPS:
        if group in groups:
            part[groups[group][triangles].all(axis=1)] = PART_NAMES.index(name)
    return part


def _skeleton(arrays: dict[str, NDArray[Any]], count: int) -> Skeleton:
    """Joints below the root; the file's correctives of the root are never needed."""
    names = tuple(str(name) for name in arrays["joint_names"])
    joints = len(names)
    correctives = np.zeros((0, count, 3), np.float32)
    if "pose_correctives_regressor" in arrays:
        regressor = arrays["pose_correctives_regressor"]
        if regressor.shape != (9 * joints, 3 * count):
            raise BadModel(f"pose_correctives_regressor has the shape {regressor.shape}")
        correctives = _mm(regressor[9:]).reshape(9 * (joints - 1), count, 3)
    return Skeleton(
        names=names[1:],
        parents=(-1, *(int(parent) for parent in arrays["joint_parent_indices"][1:])),
        rest=_mm(arrays["template_joint_positions"]),
        identity=_mm(arrays["joint_identity_basis"]),
        expression=np.zeros((len(arrays["expression_basis"]), joints, 3), np.float32),
        weights=arrays["skinning_weights"].T.astype(np.float32),
        correctives=correctives,
    )
