"""Points that lie on a mesh: a triangle and where in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Embedding:
    """Points that move with the surface.

    triangle: (...,) rows of the mesh's triangles; weights: (..., 3) of their corners, sum 1
    """

    triangle: IntArray
    weights: FloatArray

    def on(self, vertices: FloatArray, triangles: IntArray) -> FloatArray:
        """(..., 3) places on a mesh of (V, 3) vertices and (T, 3) triangles."""
        return np.asarray((vertices[triangles[self.triangle]] * self.weights[..., None]).sum(-2))


def at_vertices(vertex: IntArray, triangles: IntArray) -> Embedding:
    """Points exactly at (P,) vertices, each in the first triangle that has it."""
    rows, places = [], []
    for one in vertex:
        row, place = np.argwhere(triangles == one)[0]
        rows.append(row)
        places.append(np.eye(3)[place])
    return Embedding(np.array(rows), np.array(places))


def nearest_on_surface(points: FloatArray, vertices: FloatArray, triangles: IntArray) -> Embedding:
    """The nearest points of a mesh to (P, 3) points."""
    corners = vertices[triangles]
    rows, weights = [], []
    for point in points:
        near = barycentric_clipped(point, corners)
        gap = np.linalg.norm((corners * near[..., None]).sum(1) - point, axis=1)
        best = int(gap.argmin())
        rows.append(best)
        weights.append(near[best])
    return Embedding(np.array(rows), np.array(weights))


def barycentric_clipped(point: FloatArray, corners: FloatArray) -> FloatArray:
    """(T, 3) weights of the point of each triangle (T, 3, 3) nearest to one point (3,)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    inside = _plane_weights(point, a, b, c)
    candidates = [inside]
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, along = corners[:, first], corners[:, second] - corners[:, first]
        length = np.maximum((along**2).sum(1), 1e-12)
        share = np.clip(((point - start) * along).sum(1) / length, 0.0, 1.0)
        row = np.zeros((len(corners), 3))
        row[:, first], row[:, second] = 1.0 - share, share
        candidates.append(row)
    stacked = np.stack(candidates)
    gap = np.linalg.norm((corners * stacked[..., None]).sum(2) - point, axis=2)
    gap[0, (inside < 0).any(1)] = np.inf
    return np.asarray(stacked[gap.argmin(0), np.arange(len(corners))])


def _plane_weights(point: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    first, second, third = b - a, c - a, point - a
    d00, d01, d11 = (first**2).sum(1), (first * second).sum(1), (second**2).sum(1)
    d20, d21 = (third * first).sum(1), (third * second).sum(1)
    area = np.maximum(d00 * d11 - d01**2, 1e-12)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    return np.stack([1.0 - v - w, v, w], axis=1)


def mirrored_embedding(embedding: Embedding, triangles: IntArray, mirror: IntArray) -> Embedding:
    """The same points on the other side of a mesh whose triangles come in mirrored pairs.

    triangles: (T, 3); mirror: (V,) vertex on the other side. KeyError where a triangle has no twin.
    """
    row_of = {tuple(sorted(map(int, corners))): row for row, corners in enumerate(triangles)}
    rows, weights = [], []
    for row, weight in zip(embedding.triangle, embedding.weights, strict=True):
        other = mirror[triangles[row]]
        twin = row_of[tuple(sorted(map(int, other)))]
        rows.append(twin)
        weights.append([weight[list(other).index(corner)] for corner in triangles[twin]])
    return Embedding(np.array(rows), np.array(weights))
