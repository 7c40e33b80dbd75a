"""Hair in a still: its light, its shadow on the face, and its strands over the picture.

Frame of the lamps, as in portrait.py: x right, y up, z towards the viewer, camera at the
origin, millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.strand import Strands
from facegpt_model.rendering.cameras import NEAR_MM
from facegpt_model.rendering.occlusion import ParallelView
from facegpt_model.rendering.strand_drawing import cast_shadows, draw_strands
from facegpt_model.rendering.strand_light import HairLight, light_through, shade_strands

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

    def on_skin(self, positions: Array) -> Array:
        """(V,) share of the sky that hair leaves places on the skin."""
        return 1 - SKIN_SHARE * (1 - self.light.openness(positions))

    def over(self, colour: Array, shown: Array, nearest: Array, focal: float) -> tuple[Array, Array]:
        """Linear RGB (P, P, 3) and opacity (P, P) of a picture with the hair laid over it.

        colour, shown: without hair; nearest: (P, P) 1 / depth of the head; focal: pixels.
        """
        pixels = len(shown)
        picture = np.concatenate([colour * shown[..., None], shown[..., None]], axis=2)
        for strands, lit in zip(self.strands, self.lit, strict=True):
            seen = shade_strands(strands, lit, self.light)
            depth = np.maximum(-strands.points[..., 2], NEAR_MM)
            scale = focal / depth
            screen = np.stack(
                [
                    pixels / 2 + strands.points[..., 0] * scale,
                    pixels / 2 - strands.points[..., 1] * scale,
                    1 / depth,
                ],
                axis=2,
            ).astype(np.float32)
            width = strands.width * scale.mean(axis=1)
            draw_strands(picture, nearest, screen, seen, width, strands.taper)
        opacity = picture[..., 3]
        return picture[..., :3] / np.maximum(opacity, 1e-6)[..., None], opacity


def hair_in_place(
    strands: Sequence[Strands],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
    lamp: ParallelView,
    shadow: Array,
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
    light = light_through(together, np.concatenate([hair.width for hair in placed]))
    return HairInPlace(placed, light, lit)


def _lit(points: Array, shadow: Array) -> Array:
    """(N,) share of the key lamp that the head leaves, softened over a few texels."""
    size = len(shadow)
    lit = np.zeros(len(points), np.float32)
    for dx, dy in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        column = np.clip((points[:, 0] + dx * SHADOW_SOFT_TEXELS).astype(np.int64), 0, size - 1)
        row = np.clip((points[:, 1] + dy * SHADOW_SOFT_TEXELS).astype(np.int64), 0, size - 1)
        lit += (shadow[row, column] - points[:, 2] <= SHADOW_BIAS_MM) / 5
    return lit


def _resampled(points: Array, steps: int) -> Array:
    """(N, steps, 3) strands with as many points, the same ends."""
    if points.shape[1] == steps:
        return points
    at = np.linspace(0, points.shape[1] - 1, steps)
    before = np.minimum(at.astype(int), points.shape[1] - 2)
    share = (at - before)[None, :, None]
    return (points[:, before] * (1 - share) + points[:, before + 1] * share).astype(np.float32)
