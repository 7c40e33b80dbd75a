"""Light in hair for stills: how much reaches a strand through the others, and what it sends back.

Strands fill a grid of cells with optical density; light is followed through it to each
lamp and to the sky. A strand scatters around its own direction: a white highlight shifted
to the root, a tinted one shifted to the tip (Marschner et al. 2003, in the form of
Kajiya 1989 and Scheuermann 2004), and a soft part that follows the mass of hair.
Frame and lamps are those of skin_shading.py: camera at the origin, millimetres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.appearance.strand import Strands
from facegpt_model.rendering.occlusion import even_directions
from facegpt_model.rendering.skin_shading import (
    FILL,
    FILL_COLOUR,
    GROUND,
    KEY,
    KEY_COLOUR,
    RIM,
    RIM_COLOUR,
    SKY,
)

Array = NDArray[np.float32]
CELL_MM = 6.0
AMBIENT_CELLS = 2  # the sky is followed through cells of this many cells' width
AMBIENT_DIRECTIONS = 14
EXTINCTION = 0.62  # of the geometric cross-section: hair scatters most light onwards


@njit(cache=True, nogil=True, fastmath=True)
def _fill(points: np.ndarray, width: np.ndarray, low: np.ndarray, cell: float, grid: np.ndarray) -> None:
    """Add each segment's length times width to the eight cells around its middle."""
    count, steps, _ = points.shape
    volume = cell * cell * cell
    for i in range(count):
        for k in range(steps - 1):
            length = 0.0
            for q in range(3):
                length += (points[i, k + 1, q] - points[i, k, q]) ** 2
            amount = math.sqrt(length) * width[i] / volume
            x = (0.5 * (points[i, k, 0] + points[i, k + 1, 0]) - low[0]) / cell - 0.5
            y = (0.5 * (points[i, k, 1] + points[i, k + 1, 1]) - low[1]) / cell - 0.5
            z = (0.5 * (points[i, k, 2] + points[i, k + 1, 2]) - low[2]) / cell - 0.5
            a, b, c = int(x), int(y), int(z)
            u, v, w = x - a, y - b, z - c
            for n in range(8):
                da, db, dc = n & 1, (n >> 1) & 1, n >> 2
                share = (u if da else 1 - u) * (v if db else 1 - v) * (w if dc else 1 - w)
                grid[a + da, b + db, c + dc] += amount * share


@njit(cache=True, nogil=True, fastmath=True)
def _through(grid: np.ndarray, direction: np.ndarray, cell: float) -> np.ndarray:
    """(X, Y, Z) optical depth from each cell's middle to the outside along a unit direction."""
    nx, ny, nz = grid.shape
    out = np.zeros((nx, ny, nz), np.float32)
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                px, py, pz, depth = x + 0.5, y + 0.5, z + 0.5, 0.35 * grid[x, y, z]
                while True:
                    px, py, pz = px + direction[0], py + direction[1], pz + direction[2]
                    a, b, c = math.floor(px), math.floor(py), math.floor(pz)
                    if a < 0 or b < 0 or c < 0 or a >= nx or b >= ny or c >= nz:
                        break
                    depth += grid[a, b, c]
                out[x, y, z] = depth * cell
    return out


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _at(grid: np.ndarray, x: float, y: float, z: float) -> float:
    """Trilinear value of a grid at cell coordinates (middles at + 0.5)."""
    nx, ny, nz = grid.shape
    x = min(max(x - 0.5, 0.0), nx - 1.001)
    y = min(max(y - 0.5, 0.0), ny - 1.001)
    z = min(max(z - 0.5, 0.0), nz - 1.001)
    a, b, c = int(x), int(y), int(z)
    u, v, w = x - a, y - b, z - c
    low = (grid[a, b, c] * (1 - u) + grid[a + 1, b, c] * u) * (1 - v)
    low += (grid[a, b + 1, c] * (1 - u) + grid[a + 1, b + 1, c] * u) * v
    high = (grid[a, b, c + 1] * (1 - u) + grid[a + 1, b, c + 1] * u) * (1 - v)
    high += (grid[a, b + 1, c + 1] * (1 - u) + grid[a + 1, b + 1, c + 1] * u) * v
    return low * (1 - w) + high * w


@dataclass(frozen=True)
class HairLight:
    """Light through one head of hair, in the lamps' frame.

    low: (3,) corner of the grids; key, fill, rim: (X, Y, Z) optical depth to those lamps, CELL_MM
    sky: (X', Y', Z') share of the surroundings seen; outward: (X', Y', Z', 3) out of the mass
    of hair; both every AMBIENT_CELLS cells
    """

    low: Array
    key: Array
    fill: Array
    rim: Array
    sky: Array
    outward: Array

    def openness(self, points: Array) -> Array:
        """(N,) share of the surroundings that places see past the hair, 1 outside of it."""
        at = (points - self.low) / (CELL_MM * AMBIENT_CELLS)
        inside = ((at > 0) & (at < np.array(self.sky.shape))).all(axis=1)
        return np.where(inside, _sample(self.sky, at.astype(np.float32)), 1).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _sample(grid: np.ndarray, at: np.ndarray) -> np.ndarray:
    out = np.zeros(len(at), np.float32)
    for i in range(len(at)):
        out[i] = _at(grid, at[i, 0], at[i, 1], at[i, 2])
    return out


def light_through(points: Array, width: Array) -> HairLight:
    """Follow the lamps and the sky through strands (N, P, 3) of these widths (N,), in the lamps' frame."""
    lowest, highest = (np.array([bound(points[..., k]) for k in range(3)]) for bound in (np.min, np.max))
    block = CELL_MM * AMBIENT_CELLS
    low = (lowest - 1.5 * block).astype(np.float32)
    cells = (np.ceil((highest + 1.5 * block - low) / block).astype(int)) * AMBIENT_CELLS
    grid = np.zeros(tuple(int(n) for n in cells), np.float32)
    _fill(points, width, low, CELL_MM, grid)
    grid *= EXTINCTION
    coarse = grid.reshape(
        cells[0] // AMBIENT_CELLS,
        AMBIENT_CELLS,
        cells[1] // AMBIENT_CELLS,
        AMBIENT_CELLS,
        cells[2] // AMBIENT_CELLS,
        AMBIENT_CELLS,
    ).mean(axis=(1, 3, 5))
    sky = np.zeros_like(coarse)
    outward = np.zeros((*coarse.shape, 3), np.float32)
    for direction in even_directions(AMBIENT_DIRECTIONS):
        seen = np.exp(-_through(coarse, direction.astype(np.float32), block))
        sky += seen / AMBIENT_DIRECTIONS
        outward += seen[..., None] * direction.astype(np.float32)
    key, fill, rim = (_through(grid, np.array(lamp, np.float32), CELL_MM) for lamp in (KEY, FILL, RIM))
    return HairLight(low, key, fill, rim, sky, outward)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _lobe(
    sine_l: float, cosine_l: float, cosine_v: float, sine_v: float, shift: float, power: float
) -> float:
    """Strength of a highlight whose cone is tilted along the strand by `shift` radians.

    cosine_l, cosine_v: tangent with light and view; sine_l, sine_v: their complements.
    """
    # inclinations from the strand's normal plane; the cone mirrors one into minus the other
    theta = math.atan2(cosine_l, sine_l) + math.atan2(cosine_v, sine_v)
    bent = 0.5 * theta - shift
    return math.exp(-bent * bent * power)


@njit(cache=True, nogil=True, fastmath=True)
def _shade(
    points: np.ndarray,
    colour: np.ndarray,
    normal: np.ndarray,
    jitter: np.ndarray,
    lit: np.ndarray,
    root_shade: float,
    tip_shade: float,
    low: np.ndarray,
    key: np.ndarray,
    fill: np.ndarray,
    rim: np.ndarray,
    sky: np.ndarray,
    outward: np.ndarray,
    cell: float,
    block: float,
    gloss: float,
    out: np.ndarray,
) -> None:
    count, steps, _ = points.shape
    for i in range(count):
        cr, cg, cb = colour[i, 0], colour[i, 1], colour[i, 2]
        grey = 0.3 * cr + 0.5 * cg + 0.2 * cb
        clear = 1.0 - 0.80 * min(math.sqrt(grey) * 1.25, 1.0)  # light hair passes light on
        for k in range(steps):
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
            x, y, z = (px - low[0]) / cell, (py - low[1]) / cell, (pz - low[2]) / cell
            u, v, w = (px - low[0]) / block, (py - low[1]) / block, (pz - low[2]) / block
            seen = _at(sky, u, v, w)
            nx = _at(outward[:, :, :, 0], u, v, w)
            ny = _at(outward[:, :, :, 1], u, v, w)
            nz = _at(outward[:, :, :, 2], u, v, w)
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
            red = green = blue = 0.0
            for lamp in range(3):
                if lamp == 0:
                    lx, ly, lz = KEY
                    lr, lg, lb = KEY_COLOUR
                    reach = math.exp(-clear * _at(key, x, y, z)) * (0.12 + 0.88 * lit[i, k])
                elif lamp == 1:
                    lx, ly, lz = FILL
                    lr, lg, lb = FILL_COLOUR
                    reach = math.exp(-clear * _at(fill, x, y, z))
                else:
                    lx, ly, lz = RIM
                    lr, lg, lb = RIM_COLOUR
                    reach = math.exp(-clear * _at(rim, x, y, z))
                cosine_l = tx * lx + ty * ly + tz * lz
                sine_l = math.sqrt(max(1.0 - cosine_l * cosine_l, 0.0))
                facing = (nx * lx + ny * ly + nz * lz + 0.3) / 1.3
                side = max(facing, 0.0)
                soft = (0.22 + 0.78 * side) * (0.35 + 0.65 * sine_l) * reach * 0.95
                mirror = gloss * reach * (0.15 + 0.85 * side) * sine_l
                tilt = 0.06 * jitter[i]
                white = 0.105 * mirror * _lobe(sine_l, cosine_l, cosine_v, sine_v, -0.07 + tilt, 55.0)
                tint = 1.1 * mirror * _lobe(sine_l, cosine_l, cosine_v, sine_v, 0.11 + 1.5 * tilt, 16.0)
                behind = max(-(vx * lx + vy * ly + vz * lz), 0.0)
                tint += 1.1 * behind * behind * reach * gloss
                red += lr * (cr * tone * (soft + tint) + white)
                green += lg * (cg * tone * (soft + tint) + white)
                blue += lb * (cb * tone * (soft + tint) + white)
            up = 0.5 + 0.5 * ny
            seen = min(seen * 1.25, 1.0) ** (0.55 + 0.75 * clear)
            sheen = 0.012 * seen * gloss
            out[i, k, 0] = red + (GROUND[0] + (SKY[0] - GROUND[0]) * up) * seen * (cr * tone + sheen)
            out[i, k, 1] = green + (GROUND[1] + (SKY[1] - GROUND[1]) * up) * seen * (cg * tone + sheen)
            out[i, k, 2] = blue + (GROUND[2] + (SKY[2] - GROUND[2]) * up) * seen * (cb * tone + sheen)


def shade_strands(strands: Strands, lit: Array, light: HairLight, gloss: float = 1.0) -> Array:
    """(N, P, 3) linear RGB that strands, in the lamps' frame, send to the camera.

    lit: (N, P) share of the key lamp the head leaves.
    """
    out = np.zeros_like(strands.points)
    jitter = np.random.default_rng(5).standard_normal(len(strands)).astype(np.float32)
    _shade(
        strands.points,
        strands.colour,
        strands.normal,
        jitter,
        lit.astype(np.float32),
        strands.root_shade,
        strands.tip_shade,
        light.low,
        light.key,
        light.fill,
        light.rim,
        light.sky,
        light.outward,
        CELL_MM,
        CELL_MM * AMBIENT_CELLS,
        gloss,
        out,
    )
    return out
