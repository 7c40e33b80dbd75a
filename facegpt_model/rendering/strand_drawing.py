"""Draws strands as thin soft lines, nearest first, and lights only what is seen of them.

A line narrower than a pixel keeps the width of one and covers it less, so that fine hair
does not break into dots. Pixel centres at + 0.5. A pixel that hair has filled takes no more.

A strand scatters around its own direction: a white highlight shifted to the root, a tinted
one shifted to the tip (Marschner et al. 2003, in the form of Kajiya 1989 and Scheuermann
2004), and a soft part that follows the mass of hair. Frame and lamps are those of
skin_shading.py: camera at the origin, millimetres.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.appearance.strand import Strands
from facegpt_model.rendering.lamps import STUDIO, Lamps
from facegpt_model.rendering.strand_light import AMBIENT_CELLS, CELL_MM, HairLight, values_at

Array = NDArray[np.float32]
LEAST_PIXELS = 1.0  # narrowest line that is drawn
ON_SKIN_MM = 1.5  # a strand this little below the surface still shows
TILE = 8  # pixels along a side, that are found to be filled or behind the head at once
FILLED = 0.98  # opacity from which what lies behind counts as hidden


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _lobe(off: float, power: float) -> float:
    """Strength of a highlight this many radians off its cone."""
    return math.exp(-off * off * power)


@njit(cache=True, nogil=True, fastmath=True)
def _light_point(
    i: int,
    k: int,
    points: np.ndarray,
    colour: np.ndarray,
    normal: np.ndarray,
    jitter: np.ndarray,
    lit: np.ndarray,
    root_shade: float,
    tip_shade: float,
    low: np.ndarray,
    depths: np.ndarray,
    around: np.ndarray,
    lamps: tuple,
    got: np.ndarray,
    out: np.ndarray,
) -> None:
    """Linear RGB that point k of strand i sends to the camera, into out[i, k]."""
    key, key_colour, fill, fill_colour, rim, rim_colour, sky, ground = lamps
    steps = points.shape[1]
    cr, cg, cb = colour[i, 0], colour[i, 1], colour[i, 2]
    grey = 0.3 * cr + 0.5 * cg + 0.2 * cb
    clear = 1.0 - 0.80 * min(math.sqrt(grey) * 1.25, 1.0)  # light hair passes light on
    t = k / (steps - 1)
    before, after = max(k - 1, 0), min(k + 1, steps - 1)
    tx = points[i, after, 0] - points[i, before, 0]
    ty = points[i, after, 1] - points[i, before, 1]
    tz = points[i, after, 2] - points[i, before, 2]
    size = math.sqrt(tx * tx + ty * ty + tz * tz) + 1e-9
    tx, ty, tz = tx / size, ty / size, tz / size
    px, py, pz = points[i, k, 0], points[i, k, 1], points[i, k, 2]
    far = math.sqrt(px * px + py * py + pz * pz)
    vx, vy, vz = -px / far, -py / far, -pz / far
    block = CELL_MM * AMBIENT_CELLS
    values_at(around, (px - low[0]) / block, (py - low[1]) / block, (pz - low[2]) / block, got)
    seen, nx, ny, nz = got[0], got[1], got[2], got[3]
    size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-6
    root = 0.9 * (1.0 - 0.75 * t)
    nx, ny, nz = (
        nx / size + root * normal[i, 0],
        ny / size + root * normal[i, 1],
        nz / size + root * normal[i, 2],
    )
    flat = nx * tx + ny * ty + nz * tz
    nx, ny, nz = nx - 0.6 * flat * tx, ny - 0.6 * flat * ty, nz - 0.6 * flat * tz
    size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-6
    nx, ny, nz = nx / size, ny / size, nz / size
    tone = root_shade + (tip_shade - root_shade) * t
    cosine_v = tx * vx + ty * vy + tz * vz
    sine_v = math.sqrt(max(1.0 - cosine_v * cosine_v, 0.0))
    lean_v = math.atan2(cosine_v, sine_v)
    values_at(depths, (px - low[0]) / CELL_MM, (py - low[1]) / CELL_MM, (pz - low[2]) / CELL_MM, got)
    red = green = blue = 0.0
    for lamp in range(3):
        lx, ly, lz = key if lamp == 0 else (fill if lamp == 1 else rim)
        lr, lg, lb = key_colour if lamp == 0 else (fill_colour if lamp == 1 else rim_colour)
        reach = math.exp(-clear * got[lamp])
        if lamp == 0:
            reach *= 0.12 + 0.88 * lit[i, k]
        cosine_l = tx * lx + ty * ly + tz * lz
        sine_l = math.sqrt(max(1.0 - cosine_l * cosine_l, 0.0))
        # inclinations from the strand's normal plane; the cone mirrors one into minus the other
        bent = 0.5 * (math.atan2(cosine_l, sine_l) + lean_v)
        facing = (nx * lx + ny * ly + nz * lz + 0.3) / 1.3
        side = max(facing, 0.0)
        soft = (0.22 + 0.78 * side) * (0.35 + 0.65 * sine_l) * reach * 0.95
        mirror = reach * (0.15 + 0.85 * side) * sine_l
        tilt = 0.06 * jitter[i]
        white = 0.105 * mirror * _lobe(bent + 0.07 - tilt, 55.0)
        tint = 1.1 * mirror * _lobe(bent - 0.11 - 1.5 * tilt, 16.0)
        behind = max(-(vx * lx + vy * ly + vz * lz), 0.0)
        tint += 1.1 * behind * behind * reach
        red += lr * (cr * tone * (soft + tint) + white)
        green += lg * (cg * tone * (soft + tint) + white)
        blue += lb * (cb * tone * (soft + tint) + white)
    up = 0.5 + 0.5 * ny
    seen = min(seen * 1.25, 1.0) ** (0.55 + 0.75 * clear)
    sheen = 0.012 * seen
    out[i, k, 0] = red + (ground[0] + (sky[0] - ground[0]) * up) * seen * (cr * tone + sheen)
    out[i, k, 1] = green + (ground[1] + (sky[1] - ground[1]) * up) * seen * (cg * tone + sheen)
    out[i, k, 2] = blue + (ground[2] + (sky[2] - ground[2]) * up) * seen * (cb * tone + sheen)


@njit(cache=True, nogil=True, fastmath=True)
def _draw(
    order: np.ndarray,
    screen: np.ndarray,
    width: np.ndarray,
    taper: float,
    nearest: np.ndarray,
    points: np.ndarray,
    colour: np.ndarray,
    normal: np.ndarray,
    jitter: np.ndarray,
    lit: np.ndarray,
    root_shade: float,
    tip_shade: float,
    low: np.ndarray,
    depths: np.ndarray,
    around: np.ndarray,
    lamps: tuple,
    layer: np.ndarray,
) -> None:
    height, across = nearest.shape
    steps = screen.shape[1] - 1
    sent = np.empty((points.shape[0], points.shape[1], 3), np.float32)
    known = np.zeros((points.shape[0], points.shape[1]), np.bool_)
    got = np.zeros(4)
    front = nearest.copy()  # 1 / depth of what hides a strand; where hair has filled a pixel, everything
    behind = np.full((height // TILE + 1, across // TILE + 1), np.inf, np.float32)  # the least of each tile
    unfilled = np.zeros(behind.shape, np.int64)
    for row in range(height):
        for column in range(across):
            y, x = row // TILE, column // TILE
            behind[y, x] = min(behind[y, x], front[row, column])
            unfilled[y, x] += 1
    red = green = blue = redder = greener = bluer = 0.0
    for n in range(len(order) - 1, -1, -1):
        i, k = order[n] // steps, order[n] % steps
        ax, ay, az = screen[i, k, 0], screen[i, k, 1], screen[i, k, 2]
        bx, by, bz = screen[i, k + 1, 0], screen[i, k + 1, 1], screen[i, k + 1, 2]
        t = k / steps
        thick = width[i] * (1.0 if t < 0.5 else 1.0 - (1.0 - taper) * (t - 0.5) * 2.0)
        thin = min(thick / LEAST_PIXELS, 1.0)
        half = 0.5 * max(thick, LEAST_PIXELS)
        dx, dy = bx - ax, by - ay
        length = math.sqrt(dx * dx + dy * dy)
        if length < 1e-4 or length > 400.0:
            continue
        steep = abs(dy) > abs(dx)
        if steep:
            ax, ay, bx, by = ay, ax, by, bx
        first, second = k, k + 1
        if ax > bx:
            ax, ay, az, bx, by, bz = bx, by, bz, ax, ay, az
            first, second = k + 1, k
        wide, tall = (height, across) if steep else (across, height)
        slope = (by - ay) / max(bx - ax, 1e-6)
        reach = half * math.sqrt(1.0 + slope * slope)
        start, stop = max(math.ceil(ax - 0.5), 0), min(math.ceil(bx - 0.5), wide)
        foremost = max(az, bz)
        foremost *= 1.0 + ON_SKIN_MM * foremost
        left, right = int(max(min(ax, bx) - 1.0, 0.0)) // TILE, int(min(max(ax, bx), wide - 1.0)) // TILE
        top = int(max(min(ay, by) - reach, 0.0)) // TILE
        bottom = int(min(max(ay, by) + reach, tall - 1.0)) // TILE
        hidden = True
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                if (behind[x, y] if steep else behind[y, x]) <= foremost:
                    hidden = False
        if hidden:
            continue
        rising = (by - ay) / (bx - ax)
        nearing = (bz - az) / (bx - ax)
        lighted = False
        for major in range(start, stop):
            along = major + 0.5 - ax
            middle = ay + along * rising
            lowest, highest = (
                max(int(middle - reach + 1.0) - 1, 0),
                min(int(middle + reach + 1.0) - 1, tall - 1),
            )
            for minor in range(lowest, highest + 1):
                row, column = (major, minor) if steep else (minor, major)
                if front[row, column] > foremost:
                    continue
                near = az + along * nearing
                if front[row, column] > near * (1.0 + ON_SKIN_MM * near):
                    continue
                room = 1.0 - layer[row, column, 3]
                cover = (min(minor + 1.0, middle + reach) - max(minor + 0.0, middle - reach)) * thin * room
                if cover <= 0.0:
                    continue
                if not lighted:
                    lighted = True
                    for end in (k, k + 1):
                        if not known[i, end]:
                            known[i, end] = True
                            _light_point(
                                i, end, points, colour, normal, jitter, lit, root_shade, tip_shade,
                                low, depths, around, lamps, got, sent,
                            )  # fmt: skip
                    red, green, blue = sent[i, first, 0], sent[i, first, 1], sent[i, first, 2]
                    share = 1.0 / (bx - ax)
                    redder = (sent[i, second, 0] - red) * share
                    greener = (sent[i, second, 1] - green) * share
                    bluer = (sent[i, second, 2] - blue) * share
                layer[row, column, 0] += cover * (red + along * redder)
                layer[row, column, 1] += cover * (green + along * greener)
                layer[row, column, 2] += cover * (blue + along * bluer)
                layer[row, column, 3] += cover
                if room - cover < 1.0 - FILLED:
                    for q in range(4):  # what is left of it shows more hair, of about the same colour
                        layer[row, column, q] /= 1.0 - room + cover
                    front[row, column] = np.inf
                    y, x = row // TILE, column // TILE
                    unfilled[y, x] -= 1
                    if unfilled[y, x] == 0:
                        behind[y, x] = np.inf


def draw_strands(
    layer: Array,
    nearest: Array,
    screen: Array,
    width_pixels: Array,
    strands: Strands,
    lit: Array,
    light: HairLight,
    lamps: Lamps = STUDIO,
) -> None:
    """Lay strands under layer (H, W, 4), premultiplied linear RGB and opacity, in place.

    nearest: (H, W) 1 / depth in mm of what is there beside hair, 0 for nothing; screen: (N, P, 3)
    pixel x, y and 1 / depth; width_pixels: (N,) at the root; strands: in the lamps' frame; lit:
    (N, P) share of the key lamp the head leaves.
    """
    near = (screen[:, :-1, 2] + screen[:, 1:, 2]).reshape(-1)
    lowest, highest = float(near.min()), float(near.max())
    rank = ((near - lowest) / max(highest - lowest, 1e-9) * 65535).astype(np.uint16)
    _draw(
        np.argsort(rank, kind="stable"),
        screen,
        width_pixels.astype(np.float32),
        strands.taper,
        nearest,
        strands.points,
        strands.colour,
        strands.normal,
        np.random.default_rng(5).standard_normal(len(strands)).astype(np.float32),
        lit.astype(np.float32),
        strands.root_shade,
        strands.tip_shade,
        light.low,
        light.lamps,
        light.around,
        tuple(lamps),
        layer,
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
