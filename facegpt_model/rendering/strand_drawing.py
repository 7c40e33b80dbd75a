"""Draws strands as thin soft lines over a picture, furthest first.

A line narrower than a pixel keeps the width of one and covers it less, so that fine hair
does not break into dots. Pixel centres at + 0.5.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]
LEAST_PIXELS = 1.0  # narrowest line that is drawn
ON_SKIN_MM = 1.5  # a strand this little below the surface still shows


@njit(cache=True, nogil=True, fastmath=True)
def _draw(
    order: np.ndarray,
    screen: np.ndarray,
    colour: np.ndarray,
    width: np.ndarray,
    taper: float,
    nearest: np.ndarray,
    bias: float,
    least: float,
    picture: np.ndarray,
) -> None:
    height, across = nearest.shape
    steps = screen.shape[1] - 1
    for n in range(len(order)):
        i, k = order[n] // steps, order[n] % steps
        ax, ay, az = screen[i, k, 0], screen[i, k, 1], screen[i, k, 2]
        bx, by, bz = screen[i, k + 1, 0], screen[i, k + 1, 1], screen[i, k + 1, 2]
        t = k / steps
        thick = width[i] * (1.0 if t < 0.5 else 1.0 - (1.0 - taper) * (t - 0.5) * 2.0)
        thin = min(thick / least, 1.0)
        half = 0.5 * max(thick, least)
        dx, dy = bx - ax, by - ay
        length = math.sqrt(dx * dx + dy * dy)
        if length < 1e-4 or length > 400.0:
            continue
        steep = abs(dy) > abs(dx)
        if steep:
            ax, ay, bx, by, dx, dy = ay, ax, by, bx, dy, dx
        if ax > bx:
            ax, ay, az, bx, by, bz = bx, by, bz, ax, ay, az
            first, second = k + 1, k
        else:
            first, second = k, k + 1
        wide, tall = (height, across) if steep else (across, height)
        slope = (by - ay) / max(bx - ax, 1e-6)
        lean = math.sqrt(1.0 + slope * slope)
        reach = half * lean
        start, stop = math.ceil(ax - 0.5), math.ceil(bx - 0.5)
        for major in range(max(start, 0), min(stop, wide)):
            w = (major + 0.5 - ax) / (bx - ax)
            middle = ay + w * (by - ay)
            near = az + w * (bz - az)
            low, high = math.floor(middle - reach), math.floor(middle + reach)
            for minor in range(max(low, 0), min(high, tall - 1) + 1):
                cover = (min(minor + 1.0, middle + reach) - max(minor + 0.0, middle - reach)) * thin
                if cover <= 0.0:
                    continue
                row, column = (major, minor) if steep else (minor, major)
                if nearest[row, column] > near * (1.0 + bias * near):
                    continue
                for q in range(3):
                    c = colour[i, first, q] * (1 - w) + colour[i, second, q] * w
                    picture[row, column, q] += cover * (c - picture[row, column, q])
                picture[row, column, 3] += cover * (1.0 - picture[row, column, 3])


def draw_strands(
    picture: Array,
    nearest: Array,
    screen: Array,
    colour: Array,
    width_pixels: Array,
    taper: float,
) -> None:
    """Lay strands over picture (H, W, 4), premultiplied linear RGB and opacity, in place.

    nearest: (H, W) 1 / depth in mm of what is there, 0 for nothing; screen: (N, P, 3) pixel
    x, y and 1 / depth; colour: (N, P, 3) linear RGB; width_pixels: (N,) at the root, of
    which the share `taper` is left at the tip.
    """
    near = (screen[:, :-1, 2] + screen[:, 1:, 2]).reshape(-1)
    low, high = float(near.min()), float(near.max())
    rank = ((near - low) / max(high - low, 1e-9) * 65535).astype(np.uint16)
    order = np.argsort(rank, kind="stable")
    _draw(
        order,
        screen,
        colour,
        width_pixels.astype(np.float32),
        taper,
        nearest,
        ON_SKIN_MM,
        LEAST_PIXELS,
        picture,
    )


@njit(cache=True, nogil=True, fastmath=True)
def _cast(points: np.ndarray, shadow: np.ndarray) -> None:
    size = shadow.shape[0]
    for i in range(points.shape[0]):
        for k in range(points.shape[1] - 1):
            ax, ay, az = points[i, k, 0], points[i, k, 1], points[i, k, 2]
            bx, by, bz = points[i, k + 1, 0], points[i, k + 1, 1], points[i, k + 1, 2]
            count = int(max(abs(bx - ax), abs(by - ay))) + 1
            for n in range(count):
                w = (n + 0.5) / count
                column, row = int(ax + w * (bx - ax)), int(ay + w * (by - ay))
                if column < 0 or row < 0 or column >= size or row >= size:
                    continue
                near = az + w * (bz - az)
                if near > shadow[row, column]:
                    shadow[row, column] = near


def cast_shadows(points: Array, shadow: Array) -> None:
    """Add strands (N, P, 3), given as pixel x, y and nearness in mm of a shadow map, to that map."""
    _cast(points, shadow)
