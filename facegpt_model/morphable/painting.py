"""Painting an atlas from region masks in one compiled pass, where no gradient is asked for."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def paint(
    masks: NDArray[np.uint8],
    overlay: NDArray[np.bool_],
    skin: NDArray[np.bool_],
    full: float,
    colours: NDArray[np.float32],
    cover: NDArray[np.float32],
    detail: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(H, W, 3) colours: base regions mixed by their masks, overlays painted over them in order.

    masks: (R, H, W), `full` for a weight of 1; overlay: (R,); colours: (R, 3); cover: (R,) how
    much of an overlay shows; detail: (H, W, 3) factors of the colour of the regions that are
    skin (R,). Texels without a base region are black below the overlays.
    """
    regions, height, width = masks.shape
    out = np.zeros((height, width, 3), np.float32)
    total = np.empty(width, np.float32)
    for y in range(height):
        total[:] = 0.0
        for r in range(regions):
            if overlay[r]:
                continue
            red, green, blue = colours[r, 0], colours[r, 1], colours[r, 2]
            for x in range(width):
                weight = np.float32(masks[r, y, x])
                if weight == 0.0:
                    continue
                total[x] += weight
                if skin[r]:
                    out[y, x, 0] += weight * red * detail[y, x, 0]
                    out[y, x, 1] += weight * green * detail[y, x, 1]
                    out[y, x, 2] += weight * blue * detail[y, x, 2]
                else:
                    out[y, x, 0] += weight * red
                    out[y, x, 1] += weight * green
                    out[y, x, 2] += weight * blue
        for x in range(width):
            if total[x] > 0.0:
                for k in range(3):
                    out[y, x, k] = min(out[y, x, k] / total[x], np.float32(1.0))
        for r in range(regions):
            if not overlay[r] or cover[r] == 0.0:
                continue
            red, green, blue = colours[r, 0], colours[r, 1], colours[r, 2]
            strength = np.float32(cover[r] / full)
            for x in range(width):
                if masks[r, y, x] == 0:
                    continue
                share = strength * np.float32(masks[r, y, x])
                out[y, x, 0] += share * (red - out[y, x, 0])
                out[y, x, 1] += share * (green - out[y, x, 1])
                out[y, x, 2] += share * (blue - out[y, x, 2])
    return out
