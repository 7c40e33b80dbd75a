"""Light under the skin: what arrives at one place leaves a little beside it, red furthest.

Spreading in screen space after Jimenez et al. 2009, as two passes of a blur that stays on
the skin and on one layer of depth.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

SCATTER_MM = (2.2, 1.0, 0.6)  # deviation of the blur in red, green and blue


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
