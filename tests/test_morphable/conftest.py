"""Tiny head models in the layouts of the real files: a lat-long head with a nose, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True)
class TinyHead:
    """vertices: (V, 3) metres, x to the person's left, y up, z out; triangles: (T, 3) seen from outside
    counter-clockwise; landmarks: (68,) vertex ids, the jaw line in iBUG's order"""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    landmarks: NDArray[np.int64]


def tiny_head(rings: int = 12, columns: int = 20) -> TinyHead:
    polar = np.linspace(0.15, np.pi - 0.15, rings)[:, None]
    around = np.arange(columns)[None] * 2 * np.pi / columns
    x = 0.07 * np.sin(polar) * np.sin(around)
    y = 0.11 * np.cos(polar) * np.ones_like(around)
    z = 0.09 * np.sin(polar) * np.cos(around)
    vertices = np.stack([x, y, z], axis=2).reshape(-1, 3)
    triangles = []
    for r in range(rings - 1):
        for c in range(columns):
            a, b = r * columns + c, r * columns + (c + 1) % columns
            triangles += [[a, a + columns, b], [b, a + columns, b + columns]]
    vertices[np.argmax(vertices[:, 2])] += [0, 0, 0.02]  # the nose
    front = np.flatnonzero(vertices[:, 2] > 0.01)
    ids = np.resize(front, 68)
    right = np.linspace(0.09, -0.09, 9)
    jaw = [np.argmin(np.abs(vertices[:, 1] - h) + 9 * (vertices[:, 0] > 0)) for h in right]
    left = [np.argmin(np.abs(vertices[:, 1] - h) + 9 * (vertices[:, 0] <= 0)) for h in right[-2::-1]]
    ids[:17] = [*jaw, *left]
    return TinyHead(vertices, np.array(triangles), ids.astype(np.int64))


@pytest.fixture
def tiny() -> TinyHead:
    return tiny_head()
