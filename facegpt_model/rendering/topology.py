"""What the renderer needs to know of a mesh's connections: its edges, and normals.

Computed once per triangle tensor and kept as long as that tensor lives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from facegpt_model.rendering.compiled import normals as compiled

NO_LENGTH = 1e-12  # below it a vector has no direction
_KNOWN: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


@dataclass(frozen=True)
class Topology:
    """Connections of T triangles over V vertices.

    edges:   (E, 2) int64 vertices of every edge
    faces:   (E, 2) int64 the triangles beside it, the second -1 at a border
    beside:  (E, 2) int64 the vertices opposite to it in those triangles, -1 likewise
    triangle_edges: (T, 3) int64 edge from corner k to corner k + 1 of every triangle
    """

    vertex_count: int
    edges: Tensor
    faces: Tensor
    beside: Tensor
    triangle_edges: Tensor


def topology_of(triangles: Tensor, vertex_count: int) -> Topology:
    """Topology of (T, 3) triangles; raises ValueError for ids outside 0..vertex_count - 1.

    Edges shared by more than two triangles keep the first two.
    """
    known = _KNOWN.get(triangles)
    if known is not None and known[0] == (triangles._version, vertex_count):
        return known[1]
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.is_floating_point:
        raise ValueError(
            f"triangles must be (T, 3) whole numbers, not {tuple(triangles.shape)} {triangles.dtype}"
        )
    corners = triangles.detach().cpu().numpy().astype(np.int64)
    if corners.size and (corners.min() < 0 or corners.max() >= vertex_count):
        raise ValueError(
            f"a triangle names vertex {corners.max()}, but there are only {vertex_count} vertices"
        )
    topology = _build(corners, vertex_count, triangles.device)
    _KNOWN[triangles] = ((triangles._version, vertex_count), topology)
    return topology


def _build(corners: np.ndarray, vertex_count: int, device: torch.device) -> Topology:
    count = len(corners)
    starts = corners.ravel()
    ends = corners[:, [1, 2, 0]].ravel()
    opposite = corners[:, [2, 0, 1]].ravel()
    face = np.repeat(np.arange(count), 3)
    key = np.minimum(starts, ends) * max(vertex_count, 1) + np.maximum(starts, ends)
    order = np.argsort(key, kind="stable")
    _, first, place, uses = np.unique(key[order], return_index=True, return_inverse=True, return_counts=True)
    triangle_edges = np.empty(len(order), np.int64)
    triangle_edges[order] = place
    one = order[first]
    shared = uses > 1
    two = order[np.where(shared, first + 1, first)] if len(order) else one
    edges = np.stack([starts[one], ends[one]], axis=1)
    faces = np.stack([face[one], np.where(shared, face[two], -1)], axis=1)
    beside = np.stack([opposite[one], np.where(shared, opposite[two], -1)], axis=1)
    tables = (edges, faces, beside, triangle_edges.reshape(-1, 3))
    return Topology(vertex_count, *(torch.from_numpy(table.astype(np.int64)).to(device) for table in tables))


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(B, V, 3) unit normals, area-weighted, outward for counter-clockwise triangles.

    Vertices without any area around them get a zero normal and send no gradient. Compiled
    loops on the CPU, torch elsewhere.
    """
    if vertices.device.type == "cpu":
        return compiled.vertex_normals(vertices, triangles)
    return vertex_normals_in_torch(vertices, triangles)


def vertex_normals_in_torch(vertices: Tensor, triangles: Tensor) -> Tensor:
    """As vertex_normals, on any device: the batch folded into rows, so that index_add moves long rows."""
    batch, count = vertices.shape[:2]
    rows = vertices.permute(1, 0, 2).reshape(count, batch * 3)
    a, b, c = (rows.index_select(0, triangles[:, k]).view(-1, batch, 3) for k in range(3))
    areas = torch.linalg.cross(b - a, c - a).reshape(-1, batch * 3)
    summed = torch.zeros_like(rows).index_add(0, triangles.reshape(-1), areas.repeat_interleave(3, dim=0))
    return unit(summed.view(count, batch, 3).permute(1, 0, 2))


def unit(vectors: Tensor) -> Tensor:
    """(..., 3) vectors made one long; those of no length become zero and send no gradient."""
    squared = (vectors * vectors).sum(dim=-1, keepdim=True)
    some = squared > NO_LENGTH * NO_LENGTH
    return torch.where(some, vectors * torch.where(some, squared, 1.0).rsqrt(), 0.0)


def mean_edge_length(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(B,) mean length of a mesh's edges in the unit of its (B, V, 3) vertices; 0 without edges.

    Sends no gradient.
    """
    edges = topology_of(triangles, vertices.shape[1]).edges
    points = vertices.detach()
    if points.device.type == "cpu":
        return compiled.mean_edge_length(points, edges)
    lengths = (points.index_select(1, edges[:, 0]) - points.index_select(1, edges[:, 1])).norm(dim=2)
    return lengths.sum(dim=1) / max(len(edges), 1)
