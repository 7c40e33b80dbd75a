"""Antialiased outlines, compiled: what silhouette.py does, one edge at a time.

Crossings of outlines with rows and columns of pixel centres are found once and kept for the
backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegpt_model.rendering.cameras import NEAR_MM
from facegpt_model.rendering.compiled.pictures import array_of, each_picture
from facegpt_model.rendering.silhouette import BEHIND, OWN_SURFACE
from facegpt_model.rendering.topology import topology_of

AXIS, START, END, LINE, FRONT, BACK = range(6)  # columns of a list of crossings


def antialias(pixels: Tensor, screen: Tensor, depth: Tensor, triangles: Tensor, detail_mm: Tensor) -> Tensor:
    """As silhouette.antialias, for CPU tensors."""
    return _Outlines.apply(pixels, screen, depth, triangles, detail_mm)


class _Outlines(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, pixels: Tensor, screen: Tensor, depth: Tensor, triangles: Tensor, detail_mm: Tensor
    ) -> Tensor:
        topology = topology_of(triangles, screen.shape[1])
        tables = [array_of(t) for t in (triangles, topology.edges, topology.faces, topology.beside)]
        image, points, surfaces, scales = map(array_of, (pixels, screen, depth, detail_mm))
        result = torch.from_numpy(image.copy())
        out = result.numpy()
        found: list[np.ndarray] = [np.empty((0, 6), np.int64)] * len(image)

        def draw(k: int) -> None:
            found[k] = _crossings(
                points[k], *tables, surfaces[k], NEAR_MM, OWN_SURFACE * scales[k], BEHIND * scales[k]
            )
            _blend(found[k], points[k], image[k], out[k])

        each_picture(draw, len(image))
        ctx.save_for_backward(pixels, screen)
        ctx.found = found
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        image, points = map(array_of, ctx.saved_tensors)
        arriving = array_of(grad)
        grads = [torch.from_numpy(arriving.copy()), torch.from_numpy(np.zeros_like(points))]
        to_image, to_points = (tensor.numpy() for tensor in grads)
        each_picture(
            lambda k: _blend_backward(
                ctx.found[k], points[k], image[k], arriving[k], to_image[k], to_points[k]
            ),
            len(image),
        )
        return *grads, None, None, None


@njit(cache=True, nogil=True)
def _crossings(
    points: np.ndarray,
    triangles: np.ndarray,
    edges: np.ndarray,
    faces: np.ndarray,
    beside: np.ndarray,
    depth: np.ndarray,
    nearest: float,
    own: float,
    behind: float,
) -> np.ndarray:
    """(N, 6) int64: axis, start and end vertex, line, front and back pixel along the axis.

    Of several outlines between two pixels only the outermost counts, as in silhouette.py.

    nearest, own, behind: mm; nothing closer is drawn, how far the front pixel may be from the
    edge to be its own surface, and how far behind it the other pixel must be.
    """
    size = (depth.shape[1], depth.shape[0])
    facing = np.zeros(len(triangles), np.int8)  # 0 not drawn, 1 towards the camera, 2 away
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if points[a, 2] >= nearest and points[b, 2] >= nearest and points[c, 2] >= nearest:
            ux, uy = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
            vx, vy = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
            facing[t] = 1 if ux * vy - uy * vx < 0 else 2
    found = np.empty((1024, 6), np.int64)
    furthest = np.empty(1024)
    of_pair = np.full((2, 2, size[1], size[0]), -1, np.int32)  # by axis and the side that is in front
    count = 0
    for e in range(len(edges)):
        one = facing[faces[e, 0]]
        border = faces[e, 1] < 0
        if one == 0 or (not border and one + facing[faces[e, 1]] != 3):
            continue
        start, end = edges[e, 0], edges[e, 1]
        side = beside[e, 0] if border or one == 1 else beside[e, 1]
        rise, run = abs(points[end, 1] - points[start, 1]), abs(points[end, 0] - points[start, 0])
        axis = 0 if rise >= run else 1
        other = 1 - axis
        low = min(points[start, other], points[end, other])
        high = max(points[start, other], points[end, other])
        first = max(math.ceil(low - 0.5), 0)
        last = min(math.ceil(high - 0.5) - 1, size[other] - 1)
        span = float(points[end, other]) - points[start, other]
        slope = (float(points[end, axis]) - points[start, axis]) / span if span != 0.0 else 0.0
        for line in range(first, last + 1):
            along = (line + 0.5 - points[start, other]) / span
            crossing = points[start, axis] + along * (float(points[end, axis]) - points[start, axis])
            lower = math.floor(crossing - 0.5)
            if lower < 0 or lower >= size[axis] - 1:
                continue
            at_side = points[start, axis] + (float(points[side, other]) - points[start, other]) * slope
            front, back = (lower + 1, lower) if points[side, axis] > at_side else (lower, lower + 1)
            here = depth[line, front] if axis == 0 else depth[front, line]
            there = depth[line, back] if axis == 0 else depth[back, line]
            far = 1.0 / ((1.0 - along) / points[start, 2] + along / points[end, 2])
            if not (abs(here - far) < own and there > far + behind):
                continue
            beyond = (crossing - (front + 0.5)) * (back - front)
            y, x = (line, lower) if axis == 0 else (lower, line)
            place = of_pair[axis, front - lower, y, x]
            if place < 0:
                place = count
                of_pair[axis, front - lower, y, x] = count
                count += 1
            elif beyond < furthest[place]:
                continue
            if place == len(found):
                found = np.concatenate((found, np.empty_like(found)))
                furthest = np.concatenate((furthest, np.empty_like(furthest)))
            furthest[place] = beyond
            found[place, AXIS] = axis
            found[place, START] = start
            found[place, END] = end
            found[place, LINE] = line
            found[place, FRONT] = front
            found[place, BACK] = back
    return found[:count].copy()


@njit(cache=True, nogil=True, inline="always")
def _beyond(crossing: np.ndarray, points: np.ndarray) -> tuple[float, float, float]:
    """How far the edge lies beyond the border between its two pixels, its position along itself, span."""
    axis, other = crossing[AXIS], 1 - crossing[AXIS]
    start, end = crossing[START], crossing[END]
    span = float(points[end, other]) - points[start, other]
    along = (crossing[LINE] + 0.5 - points[start, other]) / span
    place = points[start, axis] + along * (float(points[end, axis]) - points[start, axis])
    return (place - (crossing[FRONT] + 0.5)) * (crossing[BACK] - crossing[FRONT]) - 0.5, along, span


@njit(cache=True, nogil=True, inline="always")
def _pixels(crossing: np.ndarray, grows: bool) -> tuple[int, int, int, int]:
    """Row and column of the pixel that changes, then of the one whose colour comes in."""
    target = crossing[BACK] if grows else crossing[FRONT]
    source = crossing[FRONT] if grows else crossing[BACK]
    line = crossing[LINE]
    return (line, target, line, source) if crossing[AXIS] == 0 else (target, line, source, line)


@njit(cache=True, nogil=True)
def _blend(crossings: np.ndarray, points: np.ndarray, image: np.ndarray, out: np.ndarray) -> None:
    for n in range(len(crossings)):
        beyond, _, _ = _beyond(crossings[n], points)
        ty, tx, sy, sx = _pixels(crossings[n], beyond > 0.0)
        for k in range(image.shape[2]):
            out[ty, tx, k] += abs(beyond) * (image[sy, sx, k] - image[ty, tx, k])


@njit(cache=True, nogil=True)
def _blend_backward(
    crossings: np.ndarray,
    points: np.ndarray,
    image: np.ndarray,
    arriving: np.ndarray,
    to_image: np.ndarray,
    to_points: np.ndarray,
) -> None:
    for n in range(len(crossings)):
        crossing = crossings[n]
        beyond, along, span = _beyond(crossing, points)
        ty, tx, sy, sx = _pixels(crossing, beyond > 0.0)
        to_place = 0.0
        for k in range(image.shape[2]):
            share = abs(beyond) * arriving[ty, tx, k]
            to_image[sy, sx, k] += share
            to_image[ty, tx, k] -= share
            to_place += arriving[ty, tx, k] * (image[sy, sx, k] - image[ty, tx, k])
        to_place *= (crossing[BACK] - crossing[FRONT]) * (1.0 if beyond > 0.0 else -1.0)
        axis, other = crossing[AXIS], 1 - crossing[AXIS]
        start, end = crossing[START], crossing[END]
        slope = (float(points[end, axis]) - points[start, axis]) / span
        to_points[start, axis] += (1.0 - along) * to_place
        to_points[end, axis] += along * to_place
        to_points[start, other] -= (1.0 - along) * slope * to_place
        to_points[end, other] -= along * slope * to_place
