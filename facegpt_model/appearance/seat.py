"""Where glasses rest on a head: the eyes, the bridge of the nose, the sides and the ears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.relief import NOTHING, Relief, relief

Floats = NDArray[np.float64]
EAR_STANDS_OFF_MM = 4.5  # how much farther out than the head above it a surface must be to be an ear
EAR_SEARCH = np.arange(-50.0, -115.0, -1.5)  # mm behind the eyes
REST_BELOW_TOP_MM = 3.0  # a temple crosses where the ear's edge is this far below its highest point


@dataclass(frozen=True)
class Ear:
    """One side of the head, as if it were the person's left: x counts outwards from the middle.

    rest: (3,) where a temple passes over the ear's root; side: relief of that side
    """

    rest: Floats
    side: Relief
    middle: float

    def reach(self, y: Floats | float, z: Floats | float) -> Floats:
        """How far out from the middle the head is at height y and depth z."""
        return self.side.at(-np.asarray(z, np.float64), y) - self.middle


@dataclass(frozen=True)
class Seat:
    """What a frame is fitted to; mm, head frame.

    middle: x between the eyes; pupils: height of the eyes' middle; inner: distance of the eyes'
    inner corners; apart: distance of the eyes' middles; front: relief from the front
    """

    middle: float
    pupils: float
    inner: float
    apart: float
    front: Relief
    left: Ear
    right: Ear


def seat_of(vertices: NDArray[np.floating], triangles: NDArray[np.int64], points68: Floats) -> Seat:
    """The seat on a neutral head: vertices (V, 3) and its iBUG-68 landmarks (68, 3)."""
    right, left = points68[36:42].mean(axis=0), points68[42:48].mean(axis=0)
    middle = float((points68[27, 0] + (right[0] + left[0]) / 2) / 2)
    eyes = (left + right) / 2
    sides = (
        (relief(vertices, triangles, "left"), middle, points68[16]),
        (
            relief(vertices, triangles, "right"),
            -middle,
            points68[0] * np.array([-1.0, 1.0, 1.0]),
        ),
    )
    ears = [Ear(_rest(side, centre, eyes, jaw), side, centre) for side, centre, jaw in sides]
    return Seat(
        middle=middle,
        pupils=float(eyes[1]),
        inner=float(points68[42, 0] - points68[39, 0]),
        apart=float(left[0] - right[0]),
        front=relief(vertices, triangles, "front"),
        left=ears[0],
        right=ears[1],
    )


def _rest(side: Relief, middle: float, eyes: Floats, jaw: Floats) -> Floats:
    """(3,) x from the middle, y, z where a temple passes over the ear; near the jaw's end if there is none.

    Going back from the eyes, the ear's upper edge rises; the temple crosses it just before its top.
    """
    heights = eyes[1] + np.arange(20.0, -16.0, -0.75)
    depths = eyes[2] + EAR_SEARCH
    reach = side.at(-depths[:, None], heights[None, :])
    off = reach - reach[:, :1]
    ear = (off > EAR_STANDS_OFF_MM) & (reach[:, :1] > NOTHING)
    found = ear.any(axis=1)
    if not found.any():
        return np.array([jaw[0] - middle + 2.0, eyes[1] + 3.0, jaw[2] - 8.0])
    upper = np.where(found, heights[np.argmax(ear, axis=1)], -np.inf)
    place = int(np.argmax(upper >= upper.max() - REST_BELOW_TOP_MM))
    y, z = float(upper[place]), float(depths[place])
    return np.array([float(side.at(-z, y + 4.0)) - middle, y, z])
