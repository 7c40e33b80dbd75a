"""What lies under each texel of a head's texture atlas, found once per model and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from facegpt_model.rendering.visibility import rasterise

if TYPE_CHECKING:
    from facegpt_model.morphable.textured import TexturedModel

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Texels:
    """The texels that show the outer skin, F of S * S, in rows from the top (v = 1).

    size: S; index: (F,) places in the flattened image; corners: (F, 3) vertices of the triangle
    under each; weights: (F, 3) barycentric; design: (F, 3) mm on the mean face; facing: (F,) z of
    the mean face's normal
    """

    size: int
    index: NDArray[np.int64]
    corners: NDArray[np.int64]
    weights: Floats
    design: Floats
    facing: Floats

    def on(self, values: NDArray[np.floating], chosen: NDArray[np.int64] | None = None) -> Floats:
        """(F, C) of per-vertex values (V, C), or of the chosen texels only."""
        corners, weights = (
            (self.corners, self.weights) if chosen is None else (self.corners[chosen], self.weights[chosen])
        )
        mixed = np.einsum("fk,fkc->fc", weights, np.asarray(values, np.float32)[corners])
        return np.asarray(mixed, np.float32)

    def near(
        self, vertices: NDArray[np.floating], point: NDArray[np.floating], radius: float
    ) -> NDArray[np.int64]:
        """Which texels may lie within a radius (mm) of a point, by their triangles' first corners."""
        reach = radius + 12.0  # no triangle of a face is longer
        close = np.linalg.norm(np.asarray(vertices) - point, axis=1) < reach
        found: NDArray[np.int64] = np.flatnonzero(close[self.corners[:, 0]])
        return found


_KNOWN: WeakKeyDictionary[object, dict[int, Texels]] = WeakKeyDictionary()


def texels_of(model: TexturedModel, mean: NDArray[np.floating], size: int) -> Texels:
    """The texels of a model with its mean face (V, 3) mm; kept as long as the model lives."""
    known = _KNOWN.setdefault(model, {})
    if size not in known:
        known[size] = _laid_out(model, mean, size)
    return known[size]


def _laid_out(model: TexturedModel, mean: NDArray[np.floating], size: int) -> Texels:
    uv = model.uv.double().numpy()
    triangles, triangles_uv = model.triangles.numpy(), model.triangles_uv.numpy()
    skin = [index for index, name in enumerate(model.part_names) if name in ("skin", "face", "head")]
    outer = np.isin(model.part.numpy(), skin)
    triangles, triangles_uv = triangles[outer], triangles_uv[outer]
    points = np.column_stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, np.ones(len(uv))])
    ids, _ = rasterise(points, triangles_uv, size, size)
    index = np.flatnonzero(ids.ravel() >= 0)
    triangle = ids.ravel()[index]
    centre = np.stack([index % size + 0.5, index // size + 0.5], axis=1)
    a, b, c = (points[triangles_uv[triangle, k], :2] - centre for k in range(3))
    areas = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    weights = (areas / areas.sum(axis=1, keepdims=True)).astype(np.float32)
    corners = triangles[triangle]
    place = np.asarray(mean, np.float64)[triangles]
    normal = np.cross(place[:, 1] - place[:, 0], place[:, 2] - place[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    design = np.einsum("fk,fkc->fc", weights, np.asarray(mean, np.float32)[corners])
    return Texels(
        size, index, corners, weights, design.astype(np.float32), normal[triangle, 2].astype(np.float32)
    )


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
