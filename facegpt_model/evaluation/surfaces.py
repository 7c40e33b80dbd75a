"""Skin surfaces of different topologies brought onto each other: landmarks first, then closest points.

All numpy, float64, millimetres. A moved surface is scaled as well: a photograph does not
show how large a head is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facegpt_model.face import FaceCode
from facegpt_model.fitting.closest_points import MeshSearch
from facegpt_model.morphable.base import MorphableModel

Array = NDArray[np.float64]
Ids = NDArray[np.int64]
ICP_ROUNDS = 20
ICP_STILL = 1e-4  # mm by which the mean distance must fall, or the rounds end
TRIMMED = 0.9  # share of the pairs, the closest, that move the surface


@dataclass(frozen=True)
class Surface:
    """One person's skin.

    vertices: (V, 3) mm; triangles: (T, 3); landmarks: (68, 3) mm, iBUG order, same frame
    """

    vertices: Array
    triangles: Ids
    landmarks: Array

    def moved(self, motion: Similarity) -> Surface:
        """The same skin elsewhere."""
        return replace(self, vertices=motion.apply(self.vertices), landmarks=motion.apply(self.landmarks))


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Array
    translation: Array

    def apply(self, points: Array) -> Array:
        """(N, 3) moved points."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)

    def after(self, first: Similarity) -> Similarity:
        """The motion that does `first`, then this."""
        return Similarity(
            self.scale * first.scale, self.rotation @ first.rotation, self.apply(first.translation[None])[0]
        )


def similarity(points: Array, wanted: Array) -> Similarity:
    """The rotation, scale and shift that bring (N, 3) points closest to wanted ones (Umeyama 1991)."""
    here, there = points.mean(axis=0), wanted.mean(axis=0)
    source, target = points - here, wanted - there
    u, size, vt = np.linalg.svd(target.T @ source)
    handed = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * handed) @ vt
    scale = float((size * handed).sum() / max((source**2).sum(), 1e-12))
    return Similarity(scale, rotation, there - scale * rotation @ here)


def surfaces_of(model: MorphableModel, code: FaceCode) -> list[Surface]:
    """The neutral skin of each face of a code."""
    neutral = code.neutral()
    vertices = model.vertices(neutral).detach().double()
    marks = model.landmarks68(vertices).detach().double().numpy()
    skin = model.triangles[model.part == model.part_names.index("skin")].numpy().astype(np.int64)
    used, numbers = np.unique(skin, return_inverse=True)
    triangles = numbers.reshape(skin.shape).astype(np.int64)
    return [
        Surface(face[used], triangles, points) for face, points in zip(vertices.numpy(), marks, strict=True)
    ]


def refine(points: Array, search: MeshSearch) -> tuple[Similarity, Array]:
    """The small similarity of the surface behind `search` that brings it closest to (N, 3) points.

    Iterated closest points, the farthest tenth of the pairs left out. Returns the motion of
    the surface, and for each point the vector (N, 3) from it to the closest place of the moved surface.
    """
    motion = Similarity(1.0, np.eye(3), np.zeros(3))
    best: tuple[float, Similarity, Array] | None = None
    for _ in range(ICP_ROUNDS):
        back = _inverse(motion)
        place = search.closest(back.apply(points)).place  # closest is closest in both frames
        gap = motion.apply(place) - points
        distance = np.linalg.norm(gap, axis=1)
        kept = distance <= np.quantile(distance, TRIMMED)
        error = float(distance[kept].mean())
        if best is not None and error > best[0] - ICP_STILL:
            break
        best = (error, motion, gap)
        motion = similarity(place[kept], points[kept])
    if best is None:
        raise ValueError("a surface needs points to be brought to")
    return best[1], best[2]


def _inverse(motion: Similarity) -> Similarity:
    turned = motion.rotation.T
    return Similarity(1 / motion.scale, turned, -turned @ motion.translation / motion.scale)
