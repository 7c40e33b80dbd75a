"""Light among hair for stills: how much reaches a strand through the others.

Strands fill a grid of cells with optical density; light is followed through it to each
lamp and to the sky. Frame and lamps are those of skin_shading.py: camera at the origin,
millimetres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.rendering.lamps import STUDIO, Lamps
from facegpt_model.rendering.occlusion import even_directions

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


@njit(cache=True, nogil=True, fastmath=True)
def values_at(grid: np.ndarray, x: float, y: float, z: float, out: np.ndarray) -> None:
    """Trilinear values of a grid (X, Y, Z, 4) at cell coordinates (middles at + 0.5), into out (4,)."""
    nx, ny, nz, _ = grid.shape
    x = min(max(x - 0.5, 0.0), nx - 1.001)
    y = min(max(y - 0.5, 0.0), ny - 1.001)
    z = min(max(z - 0.5, 0.0), nz - 1.001)
    a, b, c = int(x), int(y), int(z)
    u, v, w = x - a, y - b, z - c
    out[:] = 0.0
    for n in range(8):
        da, db, dc = n & 1, (n >> 1) & 1, n >> 2
        share = (u if da else 1 - u) * (v if db else 1 - v) * (w if dc else 1 - w)
        for q in range(4):
            out[q] += share * grid[a + da, b + db, c + dc, q]


@dataclass(frozen=True)
class HairLight:
    """Light through one head of hair, in the lamps' frame.

    low: (3,) corner of the grids
    lamps: (X, Y, Z, 4) optical depth to key, fill and rim, and 0, every CELL_MM
    around: (X', Y', Z', 4) share of the surroundings seen, and the way out of the mass of hair,
    every AMBIENT_CELLS cells
    """

    low: Array
    lamps: Array
    around: Array

    def openness(self, points: Array) -> Array:
        """(N,) share of the surroundings that places see past the hair, 1 outside of it."""
        return _openness(self.around, ((points - self.low) / (CELL_MM * AMBIENT_CELLS)).astype(np.float32))


@njit(cache=True, nogil=True, fastmath=True)
def _openness(around: np.ndarray, at: np.ndarray) -> np.ndarray:
    out, values = np.ones(len(at), np.float32), np.zeros(4)
    for i in range(len(at)):
        x, y, z = at[i, 0], at[i, 1], at[i, 2]
        if 0 < x < around.shape[0] and 0 < y < around.shape[1] and 0 < z < around.shape[2]:
            values_at(around, x, y, z, values)
            out[i] = values[0]
    return out


def light_through(points: Array, width: Array, lamps: Lamps = STUDIO) -> HairLight:
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
    around = np.zeros((*coarse.shape, 4), np.float32)
    for direction in even_directions(AMBIENT_DIRECTIONS):
        seen = np.exp(-_through(coarse, direction.astype(np.float32), block))
        around[..., 0] += seen / AMBIENT_DIRECTIONS
        around[..., 1:] += seen[..., None] * direction.astype(np.float32)
    depths = np.zeros((*grid.shape, 4), np.float32)
    for column, way in enumerate((lamps.key, lamps.fill, lamps.rim)):
        depths[..., column] = _through(grid, np.array(way, np.float32), CELL_MM)
    return HairLight(low, depths, around)
