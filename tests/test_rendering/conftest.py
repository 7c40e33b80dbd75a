"""Small scenes: a sphere and a head-like blob with a nose, in millimetres."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor


def sphere_mesh(rings: int, radius: float) -> tuple[Tensor, Tensor]:
    """(V, 3) float64 vertices and (T, 3) triangles, counter-clockwise from outside."""
    segments = 2 * rings
    vertices = [(0.0, radius, 0.0)]
    for i in range(1, rings):
        polar = math.pi * i / rings
        for k in range(segments):
            azimuth = 2 * math.pi * k / segments
            ring = radius * math.sin(polar)
            vertices.append((ring * math.sin(azimuth), radius * math.cos(polar), ring * math.cos(azimuth)))
    vertices.append((0.0, -radius, 0.0))
    last = len(vertices) - 1
    triangles = []
    for k in range(segments):
        after = (k + 1) % segments
        triangles.append((0, 1 + k, 1 + after))
        triangles.append((last, last - segments + after, last - segments + k))
        for i in range(rings - 2):
            a, b = 1 + i * segments + k, 1 + i * segments + after
            triangles += [(a, a + segments, b), (b, a + segments, b + segments)]
    return torch.tensor(vertices, dtype=torch.float64), torch.tensor(triangles)


@pytest.fixture(scope="session")
def sphere() -> tuple[Tensor, Tensor]:
    """A fine sphere of 80 mm radius."""
    return sphere_mesh(40, 80.0)


@pytest.fixture(scope="session")
def head() -> tuple[Tensor, Tensor, Tensor]:
    """A blob with a nose at +z: vertices (V, 3) float64, triangles, colours (V, 3)."""
    vertices, triangles = sphere_mesh(24, 1.0)
    x, y, z = vertices.unbind(dim=1)
    nose = torch.exp(-((x / 0.2) ** 2) - ((y + 0.1) / 0.3) ** 2) * (z > 0)
    shaped = vertices * torch.tensor([70.0, 105.0, 85.0], dtype=torch.float64)
    shaped = shaped + torch.stack([0 * x, 0 * x, 30 * nose - 75], dim=1)
    generator = torch.Generator().manual_seed(5)
    colours = 0.4 + 0.2 * torch.rand(len(vertices), 3, generator=generator, dtype=torch.float64)
    return shaped, triangles, colours


@pytest.fixture
def tangle() -> tuple[np.ndarray, np.ndarray]:
    """40 random triangles over a 23 x 17 picture: screen x, y and depth; some outside."""
    random = np.random.default_rng(3)
    corners = random.uniform(-6, 28, (120, 2))
    depth = random.uniform(200, 900, (120, 1))
    return np.hstack([corners, depth]), np.arange(120).reshape(40, 3)
