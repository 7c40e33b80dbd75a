"""How far a head reaches at a place, seen straight from the front or from one side.

Things that sit on a head (glasses, marks) ask this of the neutral face instead of searching its
triangles. Millimetres, head frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facegpt_model.rendering.visibility import rasterise

Floats = NDArray[np.float64]
Side = Literal["front", "left", "right"]
STEP_MM = 0.75
MARGIN_MM = 3.0
NOTHING = -1e3  # mm, where there is no head


@dataclass(frozen=True)
class Relief:
    """Heights over a plane: (H, W) mm, row 0 on top; column c lies at low + c * STEP_MM.

    From the front the plane is (x, y) and heights are z; from the left it is (-z, y) and
    heights are x; from the right (-z, y) and -x.
    """

    heights: Floats
    triangles: NDArray[np.int64]
    left: float
    top: float

    def at(self, across: NDArray[np.floating] | float, up: NDArray[np.floating] | float) -> Floats:
        """Height at places, bilinear; NOTHING beside the head."""
        column = (np.asarray(across, np.float64) - self.left) / STEP_MM - 0.5
        row = (self.top - np.asarray(up, np.float64)) / STEP_MM - 0.5
        last = np.array(self.heights.shape) - 2
        x = np.clip(np.floor(column), 0, last[1]).astype(np.int64)
        y = np.clip(np.floor(row), 0, last[0]).astype(np.int64)
        s, t = np.clip(column - x, 0, 1), np.clip(row - y, 0, 1)
        corners = (
            self.heights[y, x],
            self.heights[y, x + 1],
            self.heights[y + 1, x],
            self.heights[y + 1, x + 1],
        )
        mixed = (corners[0] * (1 - s) + corners[1] * s) * (1 - t) + (
            corners[2] * (1 - s) + corners[3] * s
        ) * t
        return np.where(np.min(corners, axis=0) <= NOTHING, np.max(corners, axis=0), mixed)

    def triangle_at(self, across: float, up: float) -> int:
        """The triangle seen at a place, -1 beside the head."""
        column = int(np.clip((across - self.left) / STEP_MM, 0, self.triangles.shape[1] - 1))
        row = int(np.clip((self.top - up) / STEP_MM, 0, self.triangles.shape[0] - 1))
        return int(self.triangles[row, column])


def relief(vertices: NDArray[np.floating], triangles: NDArray[np.int64], side: Side) -> Relief:
    """The heights of a mesh (V, 3) seen from the front, or from the person's left or right."""
    x, y, z = np.asarray(vertices, np.float64).T
    across, height = {"front": (x, z), "left": (-z, x), "right": (-z, -x)}[side]
    left, top = across.min() - MARGIN_MM, y.max() + MARGIN_MM
    width = int((across.max() + MARGIN_MM - left) / STEP_MM) + 1
    rows = int((top - y.min() + MARGIN_MM) / STEP_MM) + 1
    base = height.min() - 1.0
    points = np.stack([(across - left) / STEP_MM, (top - y) / STEP_MM, height - base], axis=1)
    ids, nearest = rasterise(points, triangles, rows, width)
    return Relief(np.where(ids >= 0, nearest + base, NOTHING), ids, float(left), float(top))
