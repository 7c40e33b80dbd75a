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
from facegpt_model.rendering.shading import Places
from facegpt_model.rendering.silhouette import BEHIND, LAYER, OWN_SURFACE, ColourOf
from facegpt_model.rendering.topology import topology_of

AXIS, START, END, LINE, FRONT, BACK, INNER, OUTER = range(8)  # columns of a list of crossings
PIXEL = -1  # as INNER or OUTER: that side looks as its pixel does


def antialias(
    pixels: Tensor,
    screen: Tensor,
    depth: Tensor,
    ids: Tensor,
    triangles: Tensor,
    detail_mm: Tensor,
    colour_of: ColourOf | None,
) -> Tensor:
    """As silhouette.antialias, for CPU tensors."""
    topology = topology_of(triangles, screen.shape[1])
    tables = [array_of(t) for t in (triangles, topology.edges, topology.faces, topology.beside)]
    points, surfaces, seen, scales = map(array_of, (screen, depth, ids, detail_mm))
    layers = scales * (LAYER if colour_of is not None else np.inf)
    found: list[np.ndarray] = [np.empty((0, 8), np.int64)] * len(points)

    def find(k: int) -> None:
        found[k] = _crossings(
            points[k], *tables, surfaces[k], seen[k], NEAR_MM, OWN_SURFACE * scales[k], BEHIND * scales[k],
            layers[k],
        )  # fmt: skip

    each_picture(find, len(points))
    if colour_of is None:
        for crossings in found:
            crossings[:, INNER:] = PIXEL
        return _Outlines.apply(pixels, screen, pixels.new_zeros(0, pixels.shape[3]), found)
    places = [_places(crossings, points[k]) for k, crossings in enumerate(found)]
    counts = np.array([len(place) for place in places])
    for crossings, before in zip(found, np.cumsum(counts) - counts, strict=True):
        sides = crossings[:, INNER:]
        sides[sides != PIXEL] += before
    flat = torch.from_numpy(np.concatenate(places))
    picture = torch.from_numpy(np.repeat(np.arange(len(places)), counts))
    x, y = (flat[:, column].to(screen) + 0.5 for column in (1, 2))
    return _Outlines.apply(pixels, screen, colour_of(Places(picture, flat[:, 0], x, y)), found)


class _Outlines(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pixels: Tensor, screen: Tensor, given: Tensor, found: list[np.ndarray]) -> Tensor:
        image, points = map(array_of, (pixels, screen))
        beside = array_of(given)
        result = torch.from_numpy(image.copy())
        out = result.numpy()
        each_picture(lambda k: _blend(found[k], points[k], image[k], beside, out[k]), len(image))
        ctx.save_for_backward(pixels, screen, given)
        ctx.found = found
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        image, points, beside = map(array_of, ctx.saved_tensors)
        arriving = array_of(grad)
        grads = [
            torch.from_numpy(array)
            for array in (arriving.copy(), np.zeros_like(points), np.zeros_like(beside))
        ]
        to_image, to_points, to_beside = (tensor.numpy() for tensor in grads)
        each_picture(
            lambda k: _blend_backward(
                ctx.found[k], points[k], image[k], beside, arriving[k], to_image[k], to_points[k], to_beside
            ),
            len(image),
        )
        return *grads, None


@njit(cache=True, nogil=True)
def _crossings(
    points: np.ndarray,
    triangles: np.ndarray,
    edges: np.ndarray,
    faces: np.ndarray,
    beside: np.ndarray,
    depth: np.ndarray,
    ids: np.ndarray,
    nearest: float,
    own: float,
    behind: float,
    layer: float,
) -> np.ndarray:
    """(N, 8) int64: axis, start and end vertex, line, front and back pixel along the axis, and the
    triangles on the inner and the outer side.

    Of several outlines between two pixels the outermost counts, and of those at least `layer`
    nearer the outermost, as in silhouette.py.

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
    found = np.empty((1024, 8), np.int64)
    reach, distance, follows = np.empty(1024), np.empty(1024), np.empty(1024, np.int64)
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
            if count == len(found):
                found = np.concatenate((found, np.empty_like(found)))
                reach = np.concatenate((reach, np.empty_like(reach)))
                distance = np.concatenate((distance, np.empty_like(distance)))
                follows = np.concatenate((follows, np.empty_like(follows)))
            reach[count], distance[count] = beyond, far
            follows[count] = of_pair[axis, front - lower, y, x]
            of_pair[axis, front - lower, y, x] = count
            found[count, AXIS] = axis
            found[count, START] = start
            found[count, END] = end
            found[count, LINE] = line
            found[count, FRONT] = front
            found[count, BACK] = back
            found[count, INNER] = faces[e, 0] if border or one == 1 else faces[e, 1]
            count += 1
    return _chosen(found[:count], reach, distance, follows, of_pair, ids, layer)


@njit(cache=True, nogil=True)
def _chosen(
    found: np.ndarray,
    reach: np.ndarray,
    distance: np.ndarray,
    follows: np.ndarray,
    of_pair: np.ndarray,
    ids: np.ndarray,
    layer: float,
) -> np.ndarray:
    """Of the chain of crossings of each pair of pixels the one or two that count, with both sides.

    reach, distance: how far out and how far away; follows: the one before in the chain; of_pair:
    the last of each chain.
    """
    out = np.empty((len(found), 8), np.int64)
    count = 0
    for last in of_pair.ravel():
        if last < 0:
            continue
        outer, n = last, last
        while n >= 0:
            if reach[n] > reach[outer]:
                outer = n
            n = follows[n]
        nearer, n = -1, last
        while n >= 0:
            if distance[n] < distance[outer] - layer and (nearer < 0 or reach[n] > reach[nearer]):
                nearer = n
            n = follows[n]
        axis, line = found[outer, AXIS], found[outer, LINE]
        front, back = found[outer, FRONT], found[outer, BACK]
        seen = ids[line, front] if axis == 0 else ids[front, line]
        beyond = ids[line, back] if axis == 0 else ids[back, line]
        strip = found[outer, INNER]
        out[count] = found[outer]
        grows = reach[outer] > 0.5
        out[count, INNER] = strip if nearer >= 0 else (seen if grows else PIXEL)
        out[count, OUTER] = PIXEL if grows else beyond
        count += 1
        if nearer >= 0:
            out[count] = found[nearer]
            out[count, INNER] = seen if reach[nearer] > 0.5 else PIXEL
            out[count, OUTER] = strip
            count += 1
    return out[:count].copy()


@njit(cache=True, nogil=True)
def _places(crossings: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(M, 3) triangle and pixel column and row of each side that its pixel does not show.

    INNER and OUTER of the crossings, in place, become rows of the result.
    """
    out = np.empty((2 * len(crossings), 3), np.int64)
    count = 0
    for n in range(len(crossings)):
        beyond, _, _ = _beyond(crossings[n], points)
        row, column = _pixel(crossings[n], beyond > 0.0)
        for side in (INNER, OUTER):
            if crossings[n, side] != PIXEL:
                out[count, 0] = crossings[n, side]
                out[count, 1], out[count, 2] = column, row
                crossings[n, side] = count
                count += 1
    return out[:count].copy()


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
def _pixel(crossing: np.ndarray, grows: bool) -> tuple[int, int]:
    """Row and column of the pixel that changes."""
    target = crossing[BACK] if grows else crossing[FRONT]
    return (crossing[LINE], target) if crossing[AXIS] == 0 else (target, crossing[LINE])


@njit(cache=True, nogil=True, inline="always")
def _side(crossing: np.ndarray, side: int, image: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """(C,) what the inner or the outer side looks like: a view of the row that holds it."""
    if crossing[side] != PIXEL:
        return beside[crossing[side]]
    along = crossing[FRONT] if side == INNER else crossing[BACK]
    return image[crossing[LINE], along] if crossing[AXIS] == 0 else image[along, crossing[LINE]]


@njit(cache=True, nogil=True)
def _blend(
    crossings: np.ndarray, points: np.ndarray, image: np.ndarray, beside: np.ndarray, out: np.ndarray
) -> None:
    for n in range(len(crossings)):
        beyond, _, _ = _beyond(crossings[n], points)
        ty, tx = _pixel(crossings[n], beyond > 0.0)
        inner, outer = _side(crossings[n], INNER, image, beside), _side(crossings[n], OUTER, image, beside)
        for k in range(image.shape[2]):
            out[ty, tx, k] += beyond * (inner[k] - outer[k])


@njit(cache=True, nogil=True)
def _blend_backward(
    crossings: np.ndarray,
    points: np.ndarray,
    image: np.ndarray,
    beside: np.ndarray,
    arriving: np.ndarray,
    to_image: np.ndarray,
    to_points: np.ndarray,
    to_beside: np.ndarray,
) -> None:
    for n in range(len(crossings)):
        crossing = crossings[n]
        beyond, along, span = _beyond(crossing, points)
        ty, tx = _pixel(crossing, beyond > 0.0)
        inner, outer = _side(crossing, INNER, image, beside), _side(crossing, OUTER, image, beside)
        to_inner = _side(crossing, INNER, to_image, to_beside)
        to_outer = _side(crossing, OUTER, to_image, to_beside)
        to_place = 0.0
        for k in range(image.shape[2]):
            share = beyond * arriving[ty, tx, k]
            to_inner[k] += share
            to_outer[k] -= share
            to_place += arriving[ty, tx, k] * (inner[k] - outer[k])
        to_place *= crossing[BACK] - crossing[FRONT]
        axis, other = crossing[AXIS], 1 - crossing[AXIS]
        start, end = crossing[START], crossing[END]
        slope = (float(points[end, axis]) - points[start, axis]) / span
        to_points[start, axis] += (1.0 - along) * to_place
        to_points[end, axis] += along * to_place
        to_points[start, other] -= (1.0 - along) * slope * to_place
        to_points[end, other] -= along * slope * to_place
