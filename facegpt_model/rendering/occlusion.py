"""What keeps light from a surface: ambient occlusion per vertex and a shadow map.

Both look at the mesh in parallel projection from where light comes, with the same z-buffer
as everything else. Any frame with consistent millimetres will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.rendering.visibility import rasterise

Array = NDArray[np.float32]
DIRECTIONS = 40
MAP_SIZE = 128  # pixels of one ambient depth map
BIAS_MM = 5.0  # surfaces nearer than this to the depth map's do not count as hidden


@dataclass(frozen=True)
class ParallelView:
    """A parallel projection along a direction: axes rows right, up, towards the light; mm to pixels."""

    axes: NDArray[np.float64]
    centre: NDArray[np.float64]
    radius: float
    size: int

    def points(self, vertices: NDArray[np.floating]) -> Array:
        """(V, 3) pixel x, pixel y and nearness in mm, positive inside the view."""
        local = (vertices - self.centre) @ self.axes.T
        scale = self.size / (2 * self.radius)
        x, y = self.size / 2 + local[:, 0] * scale, self.size / 2 - local[:, 1] * scale
        return np.stack([x, y, local[:, 2] + 2 * self.radius], axis=1).astype(np.float32)


def parallel_view(vertices: Array, direction: NDArray[np.float64], size: int) -> ParallelView:
    """The view that holds all vertices, looking against `direction`, which points at the light."""
    return _looking(*_ball(vertices), direction, size)


def _ball(vertices: Array) -> tuple[NDArray[np.float64], float]:
    """Centre and radius, a little too large, of a ball around vertices (V, 3)."""
    places = np.ascontiguousarray(vertices.T, np.float64)  # rows reduce ten times faster than columns
    centre = (places.max(axis=1) + places.min(axis=1)) / 2
    return centre, float(np.sqrt(((places - centre[:, None]) ** 2).sum(axis=0).max())) * 1.02


def _looking(
    centre: NDArray[np.float64], radius: float, direction: NDArray[np.float64], size: int
) -> ParallelView:
    towards = direction / np.linalg.norm(direction)
    helper = np.array([0.0, 1.0, 0.0]) if abs(towards[1]) < 0.95 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, towards)
    right /= np.linalg.norm(right)
    return ParallelView(np.stack([right, np.cross(towards, right), towards]), centre, radius, size)


def shadow_map(vertices: NDArray[np.floating], triangles: NDArray[np.int64], view: ParallelView) -> Array:
    """(size, size) nearness in mm of the first surface that light meets; 0 where it meets none."""
    return rasterise(view.points(vertices), triangles, view.size, view.size)[1]


def ambient_occlusion(vertices: Array, normals: Array, triangles: NDArray[np.int64]) -> Array:
    """(V,) cosine-weighted share, in [0, 1], of the surroundings each vertex can see."""
    open_sky, total = np.zeros(len(vertices)), np.zeros(len(vertices))
    ball = _ball(vertices)
    for direction in even_directions(DIRECTIONS):
        view = _looking(*ball, direction, MAP_SIZE)
        points = view.points(vertices)
        nearest = rasterise(points, triangles, MAP_SIZE, MAP_SIZE)[1]
        column, row = np.clip(points[:, :2].astype(np.int64), 0, MAP_SIZE - 1).T
        weight = np.maximum(normals @ direction, 0)
        open_sky += weight * (points[:, 2] + BIAS_MM > nearest[row, column])
        total += weight
    return (open_sky / np.maximum(total, 1e-6)).astype(np.float32)


def even_directions(count: int) -> NDArray[np.float64]:
    """(count, 3) unit vectors spread evenly over the sphere (Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    return np.stack([np.cos(azimuth) * np.sin(polar), np.cos(polar), np.sin(azimuth) * np.sin(polar)], axis=1)
