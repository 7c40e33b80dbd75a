"""Writes the model file; same arrays, same bytes."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.atlas import lay_out
from facegpt_model.morphable.build.canvas import Canvas, make_canvas
from facegpt_model.morphable.build.cut import PART_NAMES
from facegpt_model.morphable.build.guarded import guard_zones
from facegpt_model.morphable.build.palette import ALBEDO_NAMES, palette
from facegpt_model.morphable.build.regions import REGION_NAMES, paint
from facegpt_model.morphable.build.shape import HeadShape
from facegpt_model.morphable.build.wheel import WHEEL_NAME, AnnyWheel, FloatArray
from facegpt_model.morphable.embedding import Embedding

MASK_SIZE = 1024
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def model_arrays(wheel: AnnyWheel, shape: HeadShape, samples: int, seed: int) -> dict[str, NDArray[Any]]:
    """Every array of the model file by name; shapes and units in docs/head_model.md."""
    cut = shape.cut
    uv = lay_out(cut)
    canvas = make_canvas(wheel, shape, uv, MASK_SIZE)
    masks = quantise(paint(canvas))
    colours = palette(REGION_NAMES)
    about = {
        "basis": "openhead@2",
        "source": WHEEL_NAME,
        "source_sha256": wheel.sha256,
        "licence": "CC0-1.0 (MakeHuman data); Face Units by Mika Suominen, CC0-1.0",
        "samples": samples,
        "seed": seed,
    }
    return {
        "about": np.array(json.dumps(about, sort_keys=True)),
        "mean": shape.components.mean.astype(np.float32),
        "identity": shape.components.basis.astype(np.float16),
        "variance_share": shape.components.variance_share.astype(np.float32),
        "expression": shape.expression.astype(np.float16),
        "expression_names": np.array(shape.expression_names),
        "triangles": cut.triangles.astype(np.uint16),
        "triangles_uv": cut.triangles_uv.astype(np.uint16),
        "uv": uv.astype(np.float16),
        "part": cut.part.astype(np.uint8),
        "part_names": np.array(PART_NAMES),
        "mirror": cut.mirror.astype(np.uint16),
        **embedding_arrays("ibug68", shape.landmarks.ibug68),
        **embedding_arrays("mediapipe478", shape.landmarks.mediapipe478),
        **embedding_arrays("jaw", shape.jaw),
        "guard_zone": guard_zones(shape),
        "target_names": np.array(shape.word_names),
        "target_identity": shape.words.astype(np.float32),
        "target_fidelity": shape.fidelity.astype(np.float32),
        "target_spread": shape.spread.astype(np.float32),
        "macro_names": np.array(shape.macro_names),
        "macro_identity": shape.macro.astype(np.float32),
        "macro_start": shape.macro_start.astype(np.float32),
        "albedo_names": np.array(ALBEDO_NAMES),
        "region_names": np.array(REGION_NAMES),
        "region_masks": masks,
        "region_weights": quantise(vertex_weights(canvas, shape, uv, masks)),
        "region_colour_mean": colours.mean.astype(np.float32),
        "region_colour_basis": colours.basis.astype(np.float32),
        "region_gain": colours.gain.astype(np.float32),
        "region_veil": colours.veil.astype(np.float32),
        "region_veil_mean": colours.veil_mean.astype(np.float32),
        "region_veil_basis": colours.veil_basis.astype(np.float32),
        "region_cover_mean": colours.cover_mean.astype(np.float32),
        "region_cover_basis": colours.cover_basis.astype(np.float32),
        "region_overlay": colours.overlay.astype(np.uint8),
    }


def embedding_arrays(name: str, points: Embedding) -> dict[str, NDArray[Any]]:
    """Triangle and weights of points on the surface."""
    return {
        f"{name}_triangle": points.triangle.astype(np.uint16),
        f"{name}_weights": points.weights.astype(np.float32),
    }


def quantise(weights: FloatArray) -> NDArray[np.uint8]:
    """(R, ...) weights as bytes; faint ones are dropped, which keeps the file small."""
    coarse = np.round(weights * 63).astype(np.int64) * 4
    coarse[coarse < 8] = 0
    return np.minimum(coarse, 252).astype(np.uint8)


def vertex_weights(canvas: Canvas, shape: HeadShape, uv: FloatArray, masks: NDArray[np.uint8]) -> FloatArray:
    """(R, V) weights of each vertex: masks blurred to about the mesh's spacing, over its uv corners."""
    cut = shape.cut
    count = len(masks)
    soft = masks.astype(np.float64)
    filled = canvas.part >= 0
    for axis in (1, 2):
        for _ in range(2):
            soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / 4
    column = np.clip((uv[:, 0] * canvas.size).astype(int), 0, canvas.size - 1)
    row = np.clip(((1 - uv[:, 1]) * canvas.size).astype(int), 0, canvas.size - 1)
    on_eye = np.isin(canvas.part, (1, 2))
    of_corner = np.where((on_eye & filled)[row, column], masks[:, row, column], soft[:, row, column])
    total = np.zeros((count, cut.vertex_count))
    for corner in range(3):
        np.add.at(total.T, cut.triangles[:, corner], of_corner[:, cut.triangles_uv[:, corner]].T)
    uses = np.bincount(cut.triangles.ravel(), minlength=cut.vertex_count)
    return total / (255.0 * uses)


def write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays as a compressed npz with fixed times, by way of a file beside it."""
    beside = path.with_suffix(".part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array.copy(order="C"), allow_pickle=False)
            archive.writestr(entry, buffer.getvalue(), compresslevel=9)
    os.replace(beside, path)
