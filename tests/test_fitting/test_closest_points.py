"""Closest points against a slow search that looks at every triangle from many sides."""

from __future__ import annotations

import numpy as np

from facegpt_model.fitting.closest_points import MeshSearch
from facegpt_model.morphable.base import load


def slowly(point: np.ndarray, corners: np.ndarray) -> float:
    """Distance to the closest of (T, 3, 3) triangles, by a fine grid of barycentric weights."""
    steps = np.linspace(0, 1, 81)
    u, v = (grid.ravel() for grid in np.meshgrid(steps, steps))
    u, v = u[u + v <= 1 + 1e-9], v[u + v <= 1 + 1e-9]
    weights = np.stack([1 - u - v, u, v], axis=1)
    return float(np.linalg.norm(weights @ corners - point, axis=-1).min())


def test_closest_places_equal_the_slow_search() -> None:
    random = np.random.default_rng(0)
    for _ in range(40):
        corners = random.normal(size=(1, 3, 3))
        points = random.normal(0, 2, (4, 3))
        found = MeshSearch(corners[0], np.array([[0, 1, 2]])).closest(points)
        for k, point in enumerate(points):
            assert found.distance[k] <= slowly(point, corners) + 1e-9
            assert found.distance[k] > slowly(point, corners) - 0.06  # the grid's own coarseness


def test_points_pushed_off_a_head_find_their_way_back() -> None:
    head = load()
    vertices = head.vertices(head.mean_code())[0].numpy().astype(np.float64)  # type: ignore[attr-defined]
    triangles = head.triangles[head.part == 0].numpy()
    search = MeshSearch(vertices, triangles)
    corners = vertices[triangles[::97]]
    middles = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    found = search.closest(middles + 0.2 * normal)
    assert np.quantile(np.abs(found.distance - 0.2), 0.9) < 1e-6
    assert ((found.normal * normal).sum(axis=1) > 0.99).mean() > 0.9
    assert set(found.vertex) <= set(np.unique(triangles))
