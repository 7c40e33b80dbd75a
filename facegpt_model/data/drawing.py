"""One synthetic head as a small picture, forward only and fast: z-buffer, interpolation, light.

The same compiled loops as the differentiable renderer's, on a head that may wear hair and
glasses. Linear RGB; pixels as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from facegpt_model.data.scenes import Placed
from facegpt_model.rendering.compiled.pixels import shade_visible
from facegpt_model.rendering.visibility import rasterise

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
FLIP = np.array([1, -1, -1], np.float32)  # camera frame to shading frame


@dataclass(frozen=True)
class Model:
    """What is drawn: vertices (V, 3) mm, head frame; normals (V, 3); colours (V, 3); triangles (T, 3)."""

    vertices: Floats
    normals: Floats
    colours: Floats
    triangles: Ints


@dataclass(frozen=True)
class Gloss:
    """Mirrored light: strength, exponent and (3,) unit direction half way between lamp and viewer."""

    strength: float
    exponent: float
    half_way: Floats


def draw(
    model: Model, placed: Placed, light: Floats, size: int, gloss: Gloss | None
) -> tuple[Floats, Floats, Ints]:
    """Linear RGB (size, size, 3), soft coverage (size, size) and triangle ids (size, size), -1 for none."""
    there = placed.project(model.vertices)
    screen = there.copy()
    screen[:, :2] = placed.focal * there[:, :2] / there[:, 2:] + size / 2
    points = screen.astype(np.float64)
    points[:, 2] = np.where(there[:, 2] > 1, 1 / np.maximum(there[:, 2], 1), 0)
    ids, _ = rasterise(points, model.triangles, size, size)
    turned = (model.normals @ placed.rotation.T) * FLIP
    points32, normals, colours, lamps, seen = (
        torch.from_numpy(part)[None] for part in (screen, turned, model.colours, light, ids)
    )
    shaded = shade_visible(points32, normals, colours, lamps, torch.from_numpy(model.triangles), seen)
    rgba = shaded.rgba[0].numpy()
    colour = rgba[..., :3]
    if gloss is not None:
        along = (shaded.normal[0].numpy() @ gloss.half_way).clip(0)
        colour = colour + gloss.strength * (along**gloss.exponent * rgba[..., 3])[..., None]
    return colour, softened(np.ascontiguousarray(rgba[..., 3])), ids


@njit(cache=True, nogil=True)
def softened(cover: np.ndarray) -> np.ndarray:
    """Coverage of (H, W) with edges smoothed inwards: mean of 3 x 3 neighbours, no more than before."""
    height, width = cover.shape
    out = np.empty_like(cover)
    for y in range(height):
        for x in range(width):
            total, count = 0.0, 0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        total += cover[y + dy, x + dx]
                        count += 1
            out[y, x] = min(total / count, cover[y, x])
    return out


def encoded(linear: Floats) -> Floats:
    """sRGB values of linear ones, both in 0..1 (a power of 1 / 2.2, which is near enough here)."""
    return np.asarray(np.clip(linear, 0, 1) ** np.float32(1 / 2.2), np.float32)
