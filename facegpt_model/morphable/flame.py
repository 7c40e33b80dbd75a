"""FLAME 2020, 2023 and 2023 Open (Max Planck Institute for Intelligent Systems).

The pickle holds metres, y up, z out of the face: 300 identity and 100 expression directions
of one standard deviation in `shapedirs`, and five joints. The root stays still; neck, jaw and
both eyes turn, with pose correctives. The pickle is read without running anything in it and
without chumpy (restricted_pickle.py). Landmarks come from landmark_embedding.npy, colours
from a texture file (flame_texture.py); without one, parts get plain colours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel, ModelFiles
from facegpt_model.morphable.flame_texture import VertexColours, read_texture
from facegpt_model.morphable.landmark_files import Embedding
from facegpt_model.morphable.linear_head import HeadData, LinearHead, finished, paint_iris, plain_colours
from facegpt_model.morphable.restricted_pickle import read_object_array, read_pickle
from facegpt_model.morphable.skinning import Skeleton

MM_PER_M = 1000.0
IDENTITIES = 300  # of shapedirs; the rest are expressions
JOINT_NAMES = ("neck", "jaw", "left_eye", "right_eye")
PART_NAMES = ("skin", "left_eye", "right_eye")
KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")


def read_flame(files: ModelFiles) -> LinearHead:
    """The head of a FLAME pickle; UnsafePickle or BadModel for anything else."""
    path = files.found["model"]
    model = read_pickle(path)
    missing = [key for key in KEYS if model.get(key) is None]
    if missing:
        raise BadModel(f"{path} is not a FLAME model: it has no {', '.join(missing)}")
    arrays = {key: np.asarray(model[key]) for key in KEYS}
    mean = _mm(arrays["v_template"])
    shapes = _mm(arrays["shapedirs"]).transpose(2, 0, 1)
    if len(shapes) <= IDENTITIES:
        raise BadModel(f"{path} has {len(shapes)} shape directions; FLAME has 300 and its expressions")
    triangles = arrays["f"].astype(np.int64)
    skeleton = _skeleton(arrays, mean, shapes)
    part = _parts(triangles, skeleton.weights)
    landmarks = _landmarks(files, triangles) if "landmarks" in files.found else None
    expressions = len(shapes) - IDENTITIES
    colours = _colours(files, mean, triangles, part, landmarks)
    data = HeadData(
        basis=files.entry.basis,
        mean=mean,
        identity=shapes[:IDENTITIES],
        expression=shapes[IDENTITIES:],
        expression_names=tuple(f"expression_{n:03d}" for n in range(expressions)),
        triangles=triangles,
        part=part,
        part_names=PART_NAMES,
        albedo_mean=colours.mean,
        albedo=colours.components,
        srgb=colours.srgb,
        landmarks=landmarks,
        no_landmarks=f"put landmark_embedding.npy, published for FLAME with DECA, into {files.folder}",
        skeleton=skeleton,
    )
    return LinearHead(finished(data))


def _mm(metres: NDArray[Any]) -> NDArray[np.float32]:
    return (np.asarray(metres, np.float64) * MM_PER_M).astype(np.float32)


def _skeleton(
    arrays: dict[str, NDArray[Any]], mean: NDArray[np.float32], shapes: NDArray[np.float32]
) -> Skeleton:
    """Joints are regressed from the shaped vertices, so they follow identity and expression."""
    regressor = arrays["J_regressor"].astype(np.float32)
    moved = np.einsum("jv,kvx->kjx", regressor, shapes)
    correctives = _mm(arrays["posedirs"]).reshape(len(mean), 3, -1).transpose(2, 0, 1)
    parents = arrays["kintree_table"][0].astype(np.int64)
    return Skeleton(
        names=JOINT_NAMES,
        parents=(-1, *(int(parent) for parent in parents[1:])),
        rest=regressor @ mean,
        identity=moved[:IDENTITIES],
        expression=moved[IDENTITIES:],
        weights=arrays["weights"].astype(np.float32),
        correctives=correctives,
    )


def _parts(triangles: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.int64]:
    """Eyeballs are what turns with the eye joints."""
    part = np.zeros(len(triangles), np.int64)
    for joint, name in enumerate(JOINT_NAMES, start=1):
        if name in PART_NAMES:
            part[(weights[:, joint] > 0.5)[triangles].all(axis=1)] = PART_NAMES.index(name)
    return part


def _landmarks(files: ModelFiles, triangles: NDArray[np.int64]) -> Embedding:
    path = files.found["landmarks"]
    stored = read_object_array(path)
    try:
        faces = np.asarray(stored["full_lmk_faces_idx"]).reshape(68).astype(np.int64)
        weights = np.asarray(stored["full_lmk_bary_coords"]).reshape(68, 3).astype(np.float32)
        return Embedding(triangles[faces], weights)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BadModel(f"{path} does not place 68 points on FLAME's triangles: {error}") from error


def _colours(
    files: ModelFiles,
    mean: NDArray[np.float32],
    triangles: NDArray[np.int64],
    part: NDArray[np.int64],
    landmarks: Embedding | None,
) -> VertexColours:
    """The texture's colours at vertices, or plain ones with painted irises."""
    if "texture" in files.found:
        return read_texture(
            files.found["texture"], files.found.get("texture coordinates"), triangles, len(mean)
        )
    colours = plain_colours(mean, triangles, part, PART_NAMES, landmarks)
    for index in range(1, len(PART_NAMES)):
        if (part == index).any():
            paint_iris(colours, mean, np.unique(triangles[part == index]))
    return VertexColours(colours, np.zeros((0, len(mean), 3), np.float32), srgb=False)
