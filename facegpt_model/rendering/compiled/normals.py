"""Vertex normals and edge lengths of meshes, compiled, with the gradient of the normals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegpt_model.rendering.compiled.pictures import array_of, each_picture

NO_AREA = 1e-12  # mm², length of a summed normal below which a vertex counts as having none


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(B, V, 3) unit normals of (B, V, 3) CPU vertices; as topology.vertex_normals."""
    return _Normals.apply(vertices, triangles)


def mean_edge_length(vertices: Tensor, edges: Tensor) -> Tensor:
    """(B,) mean length of (E, 2) edges over (B, V, 3) CPU vertices, without gradient; 0 without edges."""
    points, ends = array_of(vertices), array_of(edges)
    return vertices.new_tensor([_mean_edge(picture, ends) for picture in points])


class _Normals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, triangles: Tensor) -> Tensor:
        points, corners = array_of(vertices), array_of(triangles)
        normals = np.zeros_like(points)
        lengths = np.empty_like(points[..., 0])
        each_picture(lambda k: _forward(points[k], corners, normals[k], lengths[k]), len(points))
        result = torch.from_numpy(normals)
        ctx.save_for_backward(vertices, triangles, result)
        ctx.lengths = lengths
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        vertices, triangles, normals = map(array_of, ctx.saved_tensors)
        arriving, out = array_of(grad), np.zeros_like(vertices)
        each_picture(
            lambda k: _backward(vertices[k], triangles, normals[k], ctx.lengths[k], arriving[k], out[k]),
            len(vertices),
        )
        return torch.from_numpy(out), None


@njit(cache=True, nogil=True)
def _forward(points: np.ndarray, triangles: np.ndarray, normals: np.ndarray, lengths: np.ndarray) -> None:
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in range(3):
            i = triangles[t, k]
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(len(points)):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        length = math.sqrt(x * x + y * y + z * z)
        lengths[i] = length
        scale = 1.0 / length if length > NO_AREA else 0.0
        normals[i, 0], normals[i, 1], normals[i, 2] = x * scale, y * scale, z * scale


@njit(cache=True, nogil=True)
def _backward(
    points: np.ndarray,
    triangles: np.ndarray,
    normals: np.ndarray,
    lengths: np.ndarray,
    arriving: np.ndarray,
    out: np.ndarray,
) -> None:
    summed = np.zeros_like(points)
    for i in range(len(points)):
        if lengths[i] > NO_AREA:
            along = 0.0
            for k in range(3):
                along += arriving[i, k] * normals[i, k]
            for k in range(3):
                summed[i, k] = (arriving[i, k] - along * normals[i, k]) / lengths[i]
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        gx = summed[a, 0] + summed[b, 0] + summed[c, 0]
        gy = summed[a, 1] + summed[b, 1] + summed[c, 1]
        gz = summed[a, 2] + summed[b, 2] + summed[c, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        bx, by, bz = vy * gz - vz * gy, vz * gx - vx * gz, vx * gy - vy * gx
        cx, cy, cz = gy * uz - gz * uy, gz * ux - gx * uz, gx * uy - gy * ux
        out[b, 0] += bx
        out[b, 1] += by
        out[b, 2] += bz
        out[c, 0] += cx
        out[c, 1] += cy
        out[c, 2] += cz
        out[a, 0] -= bx + cx
        out[a, 1] -= by + cy
        out[a, 2] -= bz + cz


@njit(cache=True, nogil=True)
def _mean_edge(points: np.ndarray, edges: np.ndarray) -> float:
    total = 0.0
    for e in range(len(edges)):
        squared = 0.0
        for k in range(3):
            step = points[edges[e, 0], k] - points[edges[e, 1], k]
            squared += step * step
        total += math.sqrt(squared)
    return total / max(len(edges), 1)
