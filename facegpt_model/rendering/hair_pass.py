"""Hair in a still: its light, its shadow on the face, and its strands over the picture.

Frame of the lamps, as in portrait.py: x right, y up, z towards the viewer, camera at the
origin, millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.appearance.strand import Strands
from facegpt_model.rendering.cameras import NEAR_MM
from facegpt_model.rendering.lamps import STUDIO, Lamps
from facegpt_model.rendering.occlusion import ParallelView
from facegpt_model.rendering.strand_drawing import cast_shadows, draw_strands
from facegpt_model.rendering.strand_light import HairLight, light_through

Array = NDArray[np.float32]
SHADOW_BIAS_MM = 3.0
SHADOW_SOFT_TEXELS = 6.0
SKIN_SHARE = 0.85  # of the sky that hair hides, how much the skin below misses


@dataclass(frozen=True)
class HairInPlace:
    """Strands in the lamps' frame, with the light among them."""

    strands: Sequence[Strands]
    light: HairLight
    lit: Sequence[Array]
    lamps: Lamps = STUDIO

    def on_skin(self, positions: Array) -> Array:
        """(V,) share of the sky that hair leaves places on the skin."""
        return 1 - SKIN_SHARE * (1 - self.light.openness(positions))

    def layer(self, nearest: Array, focal: float) -> Array:
        """(P, P, 4) premultiplied linear RGB and opacity of the hair that is seen before a head.

        nearest: (P, P) 1 / depth of the head; focal: pixels. Later strands lie over earlier ones.
        """
        pixels = len(nearest)
        drawn = np.zeros((pixels, pixels, 4), np.float32)
        for strands, lit in zip(reversed(self.strands), reversed(self.lit), strict=True):
            scale = focal / np.maximum(-strands.points[..., 2], NEAR_MM)
            screen = np.empty(strands.points.shape, np.float32)
            screen[..., 0] = pixels / 2 + strands.points[..., 0] * scale
            screen[..., 1] = pixels / 2 - strands.points[..., 1] * scale
            screen[..., 2] = scale / focal
            draw_strands(
                drawn,
                nearest,
                screen,
                strands.width * scale.mean(axis=1),
                strands,
                lit,
                self.light,
                self.lamps,
            )
        return drawn


def hair_in_place(
    strands: Sequence[Strands],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
    lamp: ParallelView,
    shadow: Array,
    lamps: Lamps,
) -> HairInPlace | None:
    """Bring strands from the head's frame to the lamps' and add their shadow to the key lamp's map.

    None for no strands, which leaves the map as it is.
    """
    if not strands:
        return None
    placed, lit = [], []
    for hair in strands:
        points = (hair.points @ rotation.T + translation).astype(np.float32)
        normal = (hair.normal @ rotation.T).astype(np.float32)
        placed.append(replace(hair, points=points, normal=normal))
        lit.append(_lit(lamp.points(points.reshape(-1, 3)), shadow).reshape(points.shape[:2]))
    for hair in placed:
        cast_shadows(lamp.points(hair.points.reshape(-1, 3)).reshape(hair.points.shape), shadow)
    steps = max(hair.points.shape[1] for hair in placed)
    together = np.concatenate([_resampled(hair.points, steps) for hair in placed])
    light = light_through(together, np.concatenate([hair.width for hair in placed]), lamps)
    return HairInPlace(placed, light, lit, lamps)


@njit(cache=True, nogil=True)
def _lit(points: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """(N,) share of the key lamp that the head leaves, softened over a few texels."""
    last = len(shadow) - 1
    lit = np.zeros(len(points), np.float32)
    for i in range(len(points)):
        for n in range(5):
            dx = SHADOW_SOFT_TEXELS * (n == 1) - SHADOW_SOFT_TEXELS * (n == 2)
            dy = SHADOW_SOFT_TEXELS * (n == 3) - SHADOW_SOFT_TEXELS * (n == 4)
            column, row = min(max(int(points[i, 0] + dx), 0), last), min(max(int(points[i, 1] + dy), 0), last)
            if shadow[row, column] - points[i, 2] <= SHADOW_BIAS_MM:
                lit[i] += 0.2
    return lit


def _resampled(points: Array, steps: int) -> Array:
    """(N, steps, 3) strands with as many points, the same ends."""
    if points.shape[1] == steps:
        return points
    at = np.linspace(0, points.shape[1] - 1, steps)
    before = np.minimum(at.astype(int), points.shape[1] - 2)
    share = (at - before)[None, :, None]
    return (points[:, before] * (1 - share) + points[:, before + 1] * share).astype(np.float32)
