"""Light under the skin: what arrives at one place leaves a little beside it, red furthest.

Spreading in screen space after Jimenez et al. 2009, as two passes of a blur that stays on
the skin and on one layer of depth. It works on pixels, not on samples: what spreads is smooth.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

SCATTER_MM = (2.2, 1.0, 0.6)  # deviation of the blur in red, green and blue
SPREAD = 0.65  # share of the light that enters the skin


@njit(cache=True, nogil=True, fastmath=True)
def scatter(
    light: np.ndarray, depth: np.ndarray, skin: np.ndarray, pixels_per_mm: float, across: bool
) -> np.ndarray:
    """Light (H, W, 3) blurred along rows or columns within the skin, red furthest.

    depth: (H, W) mm; neighbours on another layer do not take part.
    """
    height, width = depth.shape
    out = light.copy()
    reach = int(2.2 * SCATTER_MM[0] * pixels_per_mm) + 1
    step = max(1, reach // 8)
    falloff = np.zeros((reach + 1, 3))
    for k in range(3):
        sigma = SCATTER_MM[k] * pixels_per_mm
        for i in range(reach + 1):
            falloff[i, k] = math.exp(-0.5 * (i / sigma) ** 2)
    total, summed = np.zeros(3), np.zeros(3)
    for row in range(height):
        for column in range(width):
            if not skin[row, column]:
                continue
            here = depth[row, column]
            total[:] = 0.0
            summed[:] = 0.0
            for offset in range(-reach // step * step, reach + 1, step):
                y, x = (row, column + offset) if across else (row + offset, column)
                if y < 0 or x < 0 or y >= height or x >= width or not skin[y, x]:
                    continue
                close = (depth[y, x] - here) / (2.0 * SCATTER_MM[0])
                same = math.exp(-close * close)
                for k in range(3):
                    weight = falloff[abs(offset), k] * same
                    total[k] += weight
                    summed[k] += weight * light[y, x, k]
            for k in range(3):
                if total[k] > 0.0:
                    out[row, column, k] = summed[k] / total[k]
    return out


def scatter_in_skin(
    light: np.ndarray, nearest: np.ndarray, skin: np.ndarray, samples: int, pixels_per_mm: float
) -> None:
    """Let light (P, P, 3) spread where skin (P, P) is, in place.

    nearest: (P, P) 1 / depth in mm; samples: per pixel along one side; pixels_per_mm: of samples.
    """
    coarse, depth, some = _by_pixel(light, nearest, skin, samples)
    scale = pixels_per_mm / samples
    spread = scatter(scatter(coarse, depth, some, scale, True), depth, some, scale, False)
    _mix(light, nearest, skin, samples, spread, depth)


@njit(cache=True, nogil=True, fastmath=True)
def _by_pixel(
    light: np.ndarray, nearest: np.ndarray, skin: np.ndarray, samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean light (S, S, 3) and depth (S, S) of the skin in each pixel, and whether there is any."""
    size = len(skin) // samples
    coarse, depth = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    some = np.zeros((size, size), np.bool_)
    for y in range(size):
        for x in range(size):
            count, far, red, green, blue = 0, 0.0, 0.0, 0.0, 0.0
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    if skin[row, column]:
                        count += 1
                        far += 1.0 / nearest[row, column]
                        red += light[row, column, 0]
                        green += light[row, column, 1]
                        blue += light[row, column, 2]
            if count > 0:
                some[y, x], depth[y, x] = True, far / count
                coarse[y, x, 0], coarse[y, x, 1], coarse[y, x, 2] = red / count, green / count, blue / count
    return coarse, depth, some


@njit(cache=True, nogil=True, fastmath=True)
def _mix(
    light: np.ndarray,
    nearest: np.ndarray,
    skin: np.ndarray,
    samples: int,
    spread: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Take SPREAD of the light from the pixel's, less for samples on another layer than its mean."""
    for row in range(len(skin)):
        for column in range(len(skin)):
            if skin[row, column]:
                y, x = row // samples, column // samples
                close = (1.0 / nearest[row, column] - depth[y, x]) / (2.0 * SCATTER_MM[0])
                share = SPREAD * math.exp(-close * close)
                for k in range(3):
                    light[row, column, k] += share * (spread[y, x, k] - light[row, column, k])
