"""Closest points on a triangle mesh, in compiled loops. Everything is numpy, in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NEAREST = 3  # vertices whose triangles are searched


@dataclass(frozen=True)
class Closest:
    """What is closest to N points.

    place: (N, 3) on the mesh; normal: (N, 3) there; distance: (N,) mm; vertex: (N,) the nearest one
    border: (N,) whether that vertex lies on an open border of the mesh, where pairs mislead
    """

    place: Array
    normal: Array
    distance: Array
    vertex: NDArray[np.int64]
    border: NDArray[np.bool_]


class MeshSearch:
    """A mesh that answers where its surface is closest to given points."""

    def __init__(self, vertices: Array, triangles: NDArray[np.int64]) -> None:
        """vertices: (V, 3); triangles: (T, 3); vertices outside all triangles are no part of the mesh."""
        self._used = np.unique(triangles)
        self._cloud = np.ascontiguousarray(vertices[self._used], np.float64)
        place = np.zeros(len(vertices), np.int64)
        place[self._used] = np.arange(len(self._used))
        self._triangles = place[triangles]
        corners = self._cloud[self._triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        self._border = _on_border(self._triangles, len(self._cloud))
        self._around = _triangles_around(self._triangles, len(self._cloud))

    def closest(self, points: Array) -> Closest:
        """The closest places to (N, 3) points, exact among the triangles around the nearest vertices."""
        points = np.ascontiguousarray(points, np.float64)
        place, triangle, vertex = _search(points, self._cloud, self._triangles, self._around)
        distance = np.linalg.norm(place - points, axis=1)
        return Closest(place, self._normal[triangle], distance, self._used[vertex], self._border[vertex])


@numba.njit(cache=True)
def _search(
    points: np.ndarray, cloud: np.ndarray, triangles: np.ndarray, around: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(points)
    places = np.empty((count, 3))
    found, nearest = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for row in range(count):
        point = points[row]
        near = np.full(NEAREST, -1)
        gaps = np.full(NEAREST, np.inf)
        for vertex in range(len(cloud)):
            gap = 0.0
            for axis in range(3):
                gap += (cloud[vertex, axis] - point[axis]) ** 2
            if gap < gaps[-1]:
                slot = NEAREST - 1
                while slot > 0 and gap < gaps[slot - 1]:
                    gaps[slot], near[slot] = gaps[slot - 1], near[slot - 1]
                    slot -= 1
                gaps[slot], near[slot] = gap, vertex
        best = np.inf
        for vertex in near:
            for triangle in around[max(vertex, 0)]:
                if triangle < 0:
                    break
                a, b, c = triangles[triangle]
                place = _on_triangle(point, cloud[a], cloud[b], cloud[c])
                gap = ((place - point) ** 2).sum()
                if gap < best:
                    best = gap
                    places[row] = place
                    found[row] = triangle
        nearest[row] = near[0]
    return places, found, nearest


@numba.njit(cache=True)
def _on_triangle(point: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The closest place to a point on one triangle, by the region it projects into (Ericson 2005, 5.1.5)."""
    ab, ac, ap = b - a, c - a, point - a
    d1, d2 = ab @ ap, ac @ ap
    if d1 <= 0 and d2 <= 0:
        return a
    bp = point - b
    d3, d4 = ab @ bp, ac @ bp
    if d3 >= 0 and d4 <= d3:
        return b
    vc = d1 * d4 - d3 * d2
    if vc <= 0 and d1 >= 0 and d3 <= 0:
        return a + d1 / max(d1 - d3, 1e-18) * ab
    cp = point - c
    d5, d6 = ab @ cp, ac @ cp
    if d6 >= 0 and d5 <= d6:
        return c
    vb = d5 * d2 - d1 * d6
    if vb <= 0 and d2 >= 0 and d6 <= 0:
        return a + d2 / max(d2 - d6, 1e-18) * ac
    va = d3 * d6 - d5 * d4
    if va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        return b + (d4 - d3) / max((d4 - d3) + (d5 - d6), 1e-18) * (c - b)
    total = max(va + vb + vc, 1e-18)
    return a + vb / total * ab + vc / total * ac


def _on_border(triangles: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(V,) whether a vertex has an edge with only one triangle."""
    edges = np.sort(np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)]), axis=1)
    known, times = np.unique(edges, axis=0, return_counts=True)
    border = np.zeros(count, bool)
    border[known[times == 1]] = True
    return border


def _triangles_around(triangles: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(V, D) triangles that hold each vertex, filled up with -1."""
    corner = triangles.ravel()
    order = np.argsort(corner, kind="stable")
    valence = np.bincount(corner, minlength=count)
    start = np.concatenate([[0], np.cumsum(valence)[:-1]])
    table = np.full((count, max(int(valence.max()), 1)), -1, np.int64)
    slot = np.arange(len(corner)) - start[corner[order]]
    table[corner[order], slot] = order // 3
    return table
