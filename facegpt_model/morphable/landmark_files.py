"""Where the 68 iBUG points lie on a head model: files that people publish for it.

Three kinds are read: a vertex number per line (.txt counts from 0; .anl, as MATLAB does,
from 1), three vertices with weights per line (GNM: "i w i w i w"), and the points on
triangles of FLAME's landmark_embedding.npy (flame.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COUNT = 68
RIGHT_JAW, LEFT_JAW = slice(0, 8), slice(9, 17)  # points before and after the chin


class MissingLandmarks(ValueError):
    """A head model was asked for landmarks, but no file says where they are."""


class BadLandmarkFile(ValueError):
    """A landmark file that cannot be read."""


@dataclass(frozen=True)
class Embedding:
    """68 points, each a weighted mean of three vertices.

    vertex: (68, 3) int64; weight: (68, 3), each row sums to 1
    """

    vertex: NDArray[np.int64]
    weight: NDArray[np.float32]

    @staticmethod
    def at_vertices(ids: NDArray[np.int64]) -> Embedding:
        """Points that are vertices, from (68,) vertex numbers."""
        weight = np.zeros((len(ids), 3), np.float32)
        weight[:, 0] = 1
        return Embedding(np.repeat(ids[:, None], 3, axis=1).astype(np.int64), weight)

    def points(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """(68, 3) places on (V, 3) vertices."""
        return (vertices[self.vertex] * self.weight[..., None]).sum(axis=1)

    def renumbered(self, place: NDArray[np.int64]) -> Embedding:
        """The same points when vertex v has become place[v]."""
        return Embedding(place[self.vertex], self.weight)


def read_points(path: Path) -> Embedding:
    """The embedding of a .txt or .anl file; BadLandmarkFile unless it holds 68 points."""
    try:
        rows = np.loadtxt(path, comments=["#", "%"], ndmin=2)
    except ValueError as error:
        raise BadLandmarkFile(f"{path} is no table of landmarks: {error}") from error
    if rows.shape == (COUNT, 1):
        first = 1 if path.suffix.lower() == ".anl" else 0
        return Embedding.at_vertices(rows[:, 0].astype(np.int64) - first)
    if rows.shape == (COUNT, 6):
        return Embedding(rows[:, ::2].astype(np.int64), rows[:, 1::2].astype(np.float32))
    raise BadLandmarkFile(
        f"{path} holds {rows.shape[0]} rows of {rows.shape[1]} numbers; "
        f"68 rows of one vertex, or of three vertices with weights, are needed"
    )


def jaw_in_order(points: Embedding, vertices: NDArray[np.float32]) -> Embedding:
    """The jaw line from the person's right ear over the chin to the left, y up.

    The file published with GNM v3 holds points 2 to 6 backwards; a file in order stays as it is.
    """
    height = points.points(vertices)[:, 1]
    order = np.arange(COUNT)
    order[RIGHT_JAW] = order[RIGHT_JAW][np.argsort(-height[RIGHT_JAW], kind="stable")]
    order[LEFT_JAW] = order[LEFT_JAW][np.argsort(height[LEFT_JAW], kind="stable")]
    return Embedding(points.vertex[order], points.weight[order])
