"""Which triangles must never fold: the outer skin around eyes, nostrils and lips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.canvas import ISLANDS, island_of_corner
from facegpt_model.morphable.build.shape import HeadShape
from facegpt_model.morphable.guard import ZONES

# Zone -> iBUG points around which it lies, and how far it reaches, mm.
AROUND = {"eyes": (range(36, 48), 9.0), "nostrils": (range(30, 36), 11.0), "lips": (range(48, 68), 9.0)}


def guard_zones(shape: HeadShape) -> NDArray[np.uint8]:
    """(T,) 0, or 1 plus the place in guard.ZONES of the zone a triangle belongs to."""
    cut, mean = shape.cut, shape.components.mean
    outer = island_of_corner(shape)[cut.triangles_uv[:, 0]] == ISLANDS.index("head")
    middle = mean[cut.triangles].mean(1)
    zone = np.zeros(len(cut.triangles), dtype=np.uint8)
    for number, name in enumerate(ZONES, start=1):
        points, reach = AROUND[name]
        around = mean[shape.landmarks.design68[list(points)]]
        near = np.linalg.norm(middle[:, None] - around[None], axis=2).min(1) < reach
        zone[outer & near & (zone == 0)] = number
    return zone
