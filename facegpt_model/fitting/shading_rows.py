"""How colours at vertices change with the vertices: slopes of shading and of what the photo shows.

A vertex v is lit by its normal n = N / |N|, N being the sum of cross products of the triangles
around it. Over a closed ring of neighbours u, with the neighbours before and after it,
    dN = sum_u (X_before(u) - X_after(u)) x dX_u,
so the slopes along D directions of the whole mesh need a handful of their rows per vertex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rings:
    """Neighbours of every vertex in order: (V, R) ids with the ones before and after, -1 beyond the end.

    closed: (V,) whether the triangles around a vertex close; only these have slopes
    """

    around: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    closed: NDArray[np.bool_]


def rings_of(triangles: NDArray[np.int64], vertex_count: int) -> Rings:
    """Rings of a mesh of (T, 3) triangles."""
    after: list[dict[int, int]] = [{} for _ in range(vertex_count)]
    for a, b, c in triangles.tolist():
        after[a][b], after[b][c], after[c][a] = c, a, b
    width = max((len(ring) for ring in after), default=0)
    tables = np.full((3, vertex_count, width), -1, np.int64)
    closed = np.zeros(vertex_count, bool)
    for vertex, ring in enumerate(after):
        closed[vertex] = bool(ring) and set(ring.values()) == set(ring)
        if closed[vertex]:
            before = {v: u for u, v in ring.items()}
            for slot, u in enumerate(ring):
                tables[:, vertex, slot] = u, before[u], ring[u]
    around, before_them, after_them = tables
    return Rings(around, before_them, after_them, closed)


def shading_rows(
    vertices: Array,
    directions: NDArray[np.float32],
    rings: Rings,
    vertex: NDArray[np.int64],
    by_normal: Array,
    by_place: Array,
) -> NDArray[np.float32]:
    """(S, C, D) slopes of C values at S vertices with closed rings along D directions of the mesh.

    vertices: (V, 3); directions: (V, 3, D); by_normal: (S, C, 3) slope of a value by the unit
    normal, by_place: (S, C, 3) by the vertex's own place, all in the frame of the vertices
    """
    rows = np.zeros((*by_normal.shape[:2], directions.shape[2]), np.float32)
    _add_rows(
        vertices, directions, rings.around, rings.before, rings.after, vertex, by_normal, by_place, rows
    )
    return rows


@njit(cache=True, nogil=True, fastmath=True)
def _add_rows(
    vertices: np.ndarray,
    directions: np.ndarray,
    around: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    vertex: np.ndarray,
    by_normal: np.ndarray,
    by_place: np.ndarray,
    rows: np.ndarray,
) -> None:
    for s in range(len(vertex)):
        v = vertex[s]
        nx = ny = nz = 0.0
        size = 0
        for u in around[v]:
            if u < 0:
                break
            w = after[v, size]
            ax, bx = vertices[u, 0] - vertices[v, 0], vertices[w, 0] - vertices[v, 0]
            ay, by = vertices[u, 1] - vertices[v, 1], vertices[w, 1] - vertices[v, 1]
            az, bz = vertices[u, 2] - vertices[v, 2], vertices[w, 2] - vertices[v, 2]
            nx += ay * bz - az * by
            ny += az * bx - ax * bz
            nz += ax * by - ay * bx
            size += 1
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        nx, ny, nz = nx / length, ny / length, nz / length
        for c in range(by_normal.shape[1]):
            gx, gy, gz = by_normal[s, c, 0], by_normal[s, c, 1], by_normal[s, c, 2]
            along = gx * nx + gy * ny + gz * nz
            gx, gy, gz = (gx - along * nx) / length, (gy - along * ny) / length, (gz - along * nz) / length
            for k in range(size):
                p, q = before[v, k], after[v, k]
                x = vertices[p, 0] - vertices[q, 0]
                y = vertices[p, 1] - vertices[q, 1]
                z = vertices[p, 2] - vertices[q, 2]
                _add(rows[s, c], directions[around[v, k]], gy * z - gz * y, gz * x - gx * z, gx * y - gy * x)
            _add(rows[s, c], directions[v], by_place[s, c, 0], by_place[s, c, 1], by_place[s, c, 2])


@njit(cache=True, nogil=True, fastmath=True)
def _add(row: np.ndarray, mesh: np.ndarray, x: float, y: float, z: float) -> None:
    a, b, c = np.float32(x), np.float32(y), np.float32(z)
    along_x, along_y, along_z = mesh[0], mesh[1], mesh[2]
    for d in range(len(row)):
        row[d] += a * along_x[d] + b * along_y[d] + c * along_z[d]
