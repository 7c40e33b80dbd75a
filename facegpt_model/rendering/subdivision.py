"""One step of Loop subdivision: four triangles for one, on the smooth surface they suggest.

Weights of Loop 1987 with Warren's simpler rule for inner vertices; borders follow the cubic
B-spline of their own edges, so that parts that touch nowhere stay apart.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.rendering.topology import Topology, topology_of

Array = NDArray[np.float32]


def subdivide(vertices: Array, triangles: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """(V + E, 3) vertices and (4T, 3) triangles; the first V are the given ones, moved.

    vertices: (V, 3); triangles: (T, 3), each edge in at most two of them.
    """
    topology = topology_of(torch.from_numpy(triangles), len(vertices))
    edges, beside = topology.edges.numpy(), topology.beside.numpy()
    inner = beside[:, 1] >= 0
    ends = vertices[edges[:, 0]] + vertices[edges[:, 1]]
    wings = vertices[beside[:, 0]] + vertices[beside[:, 1]]
    middles = np.where(inner[:, None], 0.375 * ends + 0.125 * wings, 0.5 * ends)

    count = len(vertices)
    on_border = np.zeros(count, bool)
    on_border[edges[~inner].ravel()] = True
    valence = np.bincount(edges.ravel(), minlength=count)
    pull = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))[:, None]
    inner_moved = (1 - valence[:, None] * pull) * vertices + pull * _neighbour_sum(vertices, edges)
    border_moved = 0.75 * vertices + 0.125 * _neighbour_sum(vertices, edges[~inner])
    moved = np.where(on_border[:, None], border_moved, inner_moved)
    fine = np.concatenate([moved, middles]).astype(np.float32)
    return fine, fine_triangles(triangles, topology)


def fine_triangles(triangles: NDArray[np.int64], topology: Topology) -> NDArray[np.int64]:
    """(4T, 3) triangles after one step: three at the corners, then the middle one."""
    a, b, c = triangles.T
    ab, bc, ca = topology.triangle_edges.numpy().T + topology.vertex_count
    return np.stack([a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca], axis=1).reshape(-1, 3)


def fine_attributes(values: Array, triangles: NDArray[np.int64]) -> Array:
    """(V + E, C) of (V, C) vertex attributes: kept at vertices, averaged at edges."""
    edges = topology_of(torch.from_numpy(triangles), len(values)).edges.numpy()
    return np.concatenate([values, 0.5 * (values[edges[:, 0]] + values[edges[:, 1]])]).astype(np.float32)


def fine_corners(corners: Array) -> Array:
    """(4T, 3, C) of (T, 3, C) corner attributes such as texture coordinates, which may jump at seams."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    children = np.stack([a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca], axis=1)
    return children.reshape(-1, 3, corners.shape[2]).astype(np.float32)


def _neighbour_sum(vertices: Array, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    summed = np.zeros((len(vertices), 3))
    for axis in range(3):
        for here, there in ((0, 1), (1, 0)):
            summed[:, axis] += np.bincount(edges[:, here], vertices[edges[:, there], axis], len(vertices))
    return summed
