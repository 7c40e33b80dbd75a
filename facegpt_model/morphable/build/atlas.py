"""The head's own texture atlas: the face large, everything else small, nothing overlapping.

The body's atlas gives the face about one texel per millimetre and lays it on its side.
Here the island of the head is turned upright and stretched so that the face gets most of
the room; the bust, the mouth, the sockets and the eyes stand in a strip below. u to the
right, v up, both in [0, 1]; row 0 of an image is v = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.cut import PART_NAMES, HeadCut
from facegpt_model.morphable.build.wheel import FloatArray, IntArray

HEAD_BOX = (0.01, 0.25, 0.99, 0.99)
EYE_CENTRE, EYE_RADIUS = (0.115, 0.12), 0.105
# Boxes (left, bottom, right, top) for the other islands, the largest first.
STRIP_BOXES = (
    (0.24, 0.02, 0.53, 0.23),
    (0.55, 0.02, 0.73, 0.23),
    (0.75, 0.02, 0.81, 0.11),
    (0.75, 0.13, 0.81, 0.22),
    (0.83, 0.02, 0.89, 0.22),
    (0.91, 0.02, 0.99, 0.11),
    (0.91, 0.13, 0.99, 0.22),
)
# The face's middle in the body's atlas and the reach of its magnification, in body uv units.
FACE_CENTRE, FACE_REACH = (0.885, 0.484), (0.065, 0.05)


@dataclass(frozen=True)
class TexelMap:
    """What lies under each texel of a square image.

    triangle: (S, S) index or -1; weights: (S, S, 3) barycentric
    """

    triangle: IntArray
    weights: FloatArray

    def sample(self, values: FloatArray, corners: IntArray) -> FloatArray:
        """(S, S, C) of per-vertex values (n, C) through triangles' corners (T, 3); 0 where empty."""
        return (values[corners[self.triangle]] * self.weights[..., None]).sum(2) * (self.triangle >= 0)[
            ..., None
        ]


def lay_out(cut: HeadCut) -> FloatArray:
    """(U, 2) texture coordinates of the atlas for the head's uv corners."""
    laid = np.zeros_like(cut.uv)
    eyes = np.unique(cut.triangles_uv[cut.part == PART_NAMES.index("left_eye")])
    laid[eyes] = np.array(EYE_CENTRE) + EYE_RADIUS * cut.uv[eyes]
    rest = cut.triangles_uv[~np.isin(cut.part, (PART_NAMES.index("left_eye"), PART_NAMES.index("right_eye")))]
    found = sorted(islands(rest, len(cut.uv)), key=len, reverse=True)
    head, others = found[0], found[1:]
    if len(others) > len(STRIP_BOXES):
        raise ValueError(f"the atlas has {len(STRIP_BOXES)} boxes for {len(others)} small islands")
    laid[head] = _fit(_magnify(_upright(cut.uv[head])), HEAD_BOX, keep_shape=False)
    for island, box in zip(others, STRIP_BOXES, strict=False):
        laid[island] = _fit(cut.uv[island], box, keep_shape=True)
    return laid


def _upright(uv: FloatArray) -> FloatArray:
    """Turn the head's island by a quarter so that up in the face is up in the image."""
    return np.stack([uv[:, 1] - FACE_CENTRE[1], FACE_CENTRE[0] - uv[:, 0]], axis=1)


def _magnify(place: FloatArray) -> FloatArray:
    return np.arcsinh(place / np.array([FACE_REACH[1], FACE_REACH[0]]))


def _fit(place: FloatArray, box: tuple[float, float, float, float], keep_shape: bool) -> FloatArray:
    low, high = place.min(0), place.max(0)
    corner, room = np.array(box[:2]), np.array(box[2:]) - np.array(box[:2])
    scale = room / (high - low)
    if keep_shape:
        scale = np.full(2, scale.min())
    return corner + (place - low) * scale


def islands(triangles: IntArray, count: int) -> list[IntArray]:
    """Groups of uv corners connected by triangles."""
    label = np.arange(count)
    while True:
        lowest = label[triangles].min(1)
        updated = label.copy()
        np.minimum.at(updated, triangles.ravel(), np.repeat(lowest, 3))
        if np.array_equal(updated, label):
            break
        label = updated
    used = np.unique(triangles)
    return [used[label[used] == name] for name in np.unique(label[used])]


def texel_map(uv: FloatArray, triangles_uv: IntArray, size: int, gutter: int) -> TexelMap:
    """Rasterise the atlas at `size` texels, then grow every island by `gutter` texels."""
    triangle = np.full((size, size), -1, dtype=np.int64)
    weights = np.zeros((size, size, 3))
    place = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size], axis=1)
    for index, corners in enumerate(triangles_uv):
        a, b, c = place[corners]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        low = np.maximum(np.floor(np.minimum(np.minimum(a, b), c) - 0.5), 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(np.maximum(a, b), c) + 0.5), size).astype(int)
        x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
        second = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
        third = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
        inside = (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
        rows, columns = np.nonzero(inside)
        triangle[rows + low[1], columns + low[0]] = index
        found = second[inside], third[inside]
        weights[rows + low[1], columns + low[0]] = np.stack([1 - found[0] - found[1], *found], axis=1)
    for _ in range(gutter):
        _grow(triangle, weights)
    return TexelMap(triangle, weights)


def _grow(triangle: IntArray, weights: FloatArray) -> None:
    """Copy each empty texel's triangle from a filled neighbour, in place."""
    filled = triangle >= 0
    source, source_weights = triangle.copy(), weights.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        from_filled: NDArray[np.bool_] = np.roll(filled, step, axis)
        edge = np.zeros_like(filled)
        border: list[slice | int] = [slice(None), slice(None)]
        border[axis] = 0 if step == 1 else -1
        edge[tuple(border)] = True
        take = ~filled & from_filled & ~edge & (triangle < 0)
        triangle[take] = np.roll(source, step, axis)[take]
        weights[take] = np.roll(source_weights, step, axis)[take]
