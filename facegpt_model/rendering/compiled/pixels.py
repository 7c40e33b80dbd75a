"""What the visible triangles look like: interpolation and spherical-harmonic light, compiled.

One pass over the pixels that hit something, forward and backward. Arithmetic is float64
inside, whatever the precision of the arrays. Gradients are added into the vertices by one
loop per picture, so no atomic operations are needed and results do not depend on threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from facegpt_model.rendering.compiled.pictures import array_of, each_picture
from facegpt_model.rendering.lighting import Y0, Y1, Y2_PRODUCT, Y2_XX, Y2_ZZ
from facegpt_model.rendering.shading import Shaded

NO_LENGTH = 1e-12


def shade_visible(
    screen: Tensor, normals: Tensor, colours: Tensor, light: Tensor, triangles: Tensor, ids: Tensor
) -> Shaded:
    """As shading.shade_visible, for CPU tensors."""
    return Shaded(*_Pixels.apply(screen, normals, colours, light, triangles, ids))


class _Maps(NamedTuple):
    """Gradients arriving at one picture's outputs; those not asked for have no pixels."""

    rgba: np.ndarray
    depth: np.ndarray
    normal: np.ndarray
    weights: np.ndarray


class _Pixels(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        screen: Tensor,
        normals: Tensor,
        colours: Tensor,
        light: Tensor,
        triangles: Tensor,
        ids: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        inputs = (screen, normals, colours, light, triangles, ids)
        ctx.save_for_backward(*inputs)
        points, turned, albedo, lamps, corners, hit = map(array_of, inputs)
        maps = [screen.new_zeros(*ids.shape, channels) for channels in (4, 1, 3, 3)]
        rgba, depth, normal, weights = (tensor.numpy() for tensor in maps)

        def draw(k: int) -> None:
            _shade(
                points[k], turned[k], albedo[k], lamps[k], corners, hit[k],
                rgba[k], depth[k], normal[k], weights[k],
            )  # fmt: skip

        each_picture(draw, len(points))
        return tuple(maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        points, turned, albedo, lamps, corners, hit = map(array_of, ctx.saved_tensors)
        nothing = np.zeros((len(points), 0, 0, 0), points.dtype)
        maps = [nothing if grad is None else array_of(grad) for grad in arriving]
        grads = [
            torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            for tensor in ctx.saved_tensors[:4]
        ]
        to_points, to_normals, to_colours, to_light = (tensor.numpy() for tensor in grads)

        def send_back(k: int) -> None:
            _shade_backward(
                points[k], turned[k], albedo[k], lamps[k], corners, hit[k],
                _Maps(*(m[k] for m in maps)),
                to_points[k], to_normals[k], to_colours[k], to_light[k],
            )  # fmt: skip

        each_picture(send_back, len(points))
        return *grads, None, None


@njit(cache=True, nogil=True, inline="always")
def _weigh(
    points: np.ndarray, triangles: np.ndarray, t: int, x: float, y: float, xs: np.ndarray, ys: np.ndarray,
    w: np.ndarray,
) -> float:  # fmt: skip
    """Corners relative to the pixel centre into xs and ys, unnormalised weights into w; their sum."""
    for k in range(3):
        i = np.uintp(triangles[t, k])
        xs[k] = points[i, 0] - x
        ys[k] = points[i, 1] - y
    w[0] = (xs[1] * ys[2] - xs[2] * ys[1]) / points[triangles[t, 0], 2]
    w[1] = (xs[2] * ys[0] - xs[0] * ys[2]) / points[triangles[t, 1], 2]
    w[2] = (xs[0] * ys[1] - xs[1] * ys[0]) / points[triangles[t, 2], 2]
    return w[0] + w[1] + w[2]


@njit(cache=True, nogil=True, inline="always")
def _harmonics(x: float, y: float, z: float, basis: np.ndarray) -> None:
    basis[0] = Y0
    basis[1] = Y1 * y
    basis[2] = Y1 * z
    basis[3] = Y1 * x
    basis[4] = Y2_PRODUCT * x * y
    basis[5] = Y2_PRODUCT * y * z
    basis[6] = Y2_ZZ * (3.0 * z * z - 1.0)
    basis[7] = Y2_PRODUCT * x * z
    basis[8] = Y2_XX * (x * x - y * y)


@njit(cache=True, nogil=True)
def _shade(
    points: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    light: np.ndarray,
    triangles: np.ndarray,
    ids: np.ndarray,
    rgba: np.ndarray,
    depth: np.ndarray,
    normal: np.ndarray,
    weights: np.ndarray,
) -> None:
    xs, ys, w, basis = np.empty(3), np.empty(3), np.empty(3), np.empty(9)
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            t = ids[row, column]
            if t < 0:
                continue
            total = _weigh(points, triangles, t, column + 0.5, row + 0.5, xs, ys, w)
            red = green = blue = nx = ny = nz = far = 0.0
            for k in range(3):
                b = w[k] / total
                i = np.uintp(triangles[t, k])
                red += b * colours[i, 0]
                green += b * colours[i, 1]
                blue += b * colours[i, 2]
                nx += b * normals[i, 0]
                ny += b * normals[i, 1]
                nz += b * normals[i, 2]
                far += b * points[i, 2]
                weights[row, column, k] = b
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            scale = 1.0 / length if length > NO_LENGTH else 0.0
            nx, ny, nz = nx * scale, ny * scale, nz * scale
            _harmonics(nx, ny, nz, basis)
            r = g = b = 0.0
            for j in range(9):
                r += basis[j] * light[j, 0]
                g += basis[j] * light[j, 1]
                b += basis[j] * light[j, 2]
            rgba[row, column, 0] = red * r
            rgba[row, column, 1] = green * g
            rgba[row, column, 2] = blue * b
            rgba[row, column, 3] = 1.0
            depth[row, column, 0] = far
            normal[row, column, 0] = nx
            normal[row, column, 1] = ny
            normal[row, column, 2] = nz


@njit(cache=True, nogil=True)
def _shade_backward(
    points: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    light: np.ndarray,
    triangles: np.ndarray,
    ids: np.ndarray,
    arriving: _Maps,
    to_points: np.ndarray,
    to_normals: np.ndarray,
    to_colours: np.ndarray,
    to_light: np.ndarray,
) -> None:
    xs, ys, w, basis, to_w = np.empty(3), np.empty(3), np.empty(3), np.empty(9), np.empty(3)
    lamp_sum = np.zeros((9, 3))
    lit, far = arriving.rgba.size > 0, arriving.depth.size > 0
    bent, placed = arriving.normal.size > 0, arriving.weights.size > 0
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            t = ids[row, column]
            if t < 0:
                continue
            total = _weigh(points, triangles, t, column + 0.5, row + 0.5, xs, ys, w)
            red = green = blue = nx = ny = nz = 0.0
            for k in range(3):
                b = w[k] / total
                i = np.uintp(triangles[t, k])
                red += b * colours[i, 0]
                green += b * colours[i, 1]
                blue += b * colours[i, 2]
                nx += b * normals[i, 0]
                ny += b * normals[i, 1]
                nz += b * normals[i, 2]
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            scale = 1.0 / length if length > NO_LENGTH else 0.0
            nx, ny, nz = nx * scale, ny * scale, nz * scale

            gx = gy = gz = to_red = to_green = to_blue = 0.0  # of the unit normal and the albedo
            if lit:
                _harmonics(nx, ny, nz, basis)
                r = g = b = 0.0
                for j in range(9):
                    r += basis[j] * light[j, 0]
                    g += basis[j] * light[j, 1]
                    b += basis[j] * light[j, 2]
                to_red = arriving.rgba[row, column, 0] * r
                to_green = arriving.rgba[row, column, 1] * g
                to_blue = arriving.rgba[row, column, 2] * b
                r = arriving.rgba[row, column, 0] * red
                g = arriving.rgba[row, column, 1] * green
                b = arriving.rgba[row, column, 2] * blue
                for j in range(9):
                    lamp_sum[j, 0] += basis[j] * r
                    lamp_sum[j, 1] += basis[j] * g
                    lamp_sum[j, 2] += basis[j] * b
                    basis[j] = light[j, 0] * r + light[j, 1] * g + light[j, 2] * b
                gx = Y1 * basis[3] + Y2_PRODUCT * (basis[4] * ny + basis[7] * nz) + 2 * Y2_XX * basis[8] * nx
                gy = Y1 * basis[1] + Y2_PRODUCT * (basis[4] * nx + basis[5] * nz) - 2 * Y2_XX * basis[8] * ny
                gz = Y1 * basis[2] + Y2_PRODUCT * (basis[5] * ny + basis[7] * nx) + 6 * Y2_ZZ * basis[6] * nz
            if bent:
                gx += arriving.normal[row, column, 0]
                gy += arriving.normal[row, column, 1]
                gz += arriving.normal[row, column, 2]
            along = gx * nx + gy * ny + gz * nz
            gx, gy, gz = (gx - along * nx) * scale, (gy - along * ny) * scale, (gz - along * nz) * scale
            to_far = float(arriving.depth[row, column, 0]) if far else 0.0

            mean = 0.0
            for k in range(3):
                b = w[k] / total
                i = np.uintp(triangles[t, k])
                to_w[k] = (
                    to_red * colours[i, 0]
                    + to_green * colours[i, 1]
                    + to_blue * colours[i, 2]
                    + gx * normals[i, 0]
                    + gy * normals[i, 1]
                    + gz * normals[i, 2]
                    + to_far * points[i, 2]
                )
                if placed:
                    to_w[k] += arriving.weights[row, column, k]
                mean += b * to_w[k]
                to_colours[i, 0] += b * to_red
                to_colours[i, 1] += b * to_green
                to_colours[i, 2] += b * to_blue
                to_normals[i, 0] += b * gx
                to_normals[i, 1] += b * gy
                to_normals[i, 2] += b * gz
                to_points[i, 2] += b * to_far
            for k in range(3):
                i = np.uintp(triangles[t, k])
                to_w[k] = (to_w[k] - mean) / (total * points[i, 2])
                to_points[i, 2] -= to_w[k] * w[k]
            for k in range(3):
                p, q = (k + 1) % 3, (k + 2) % 3
                i = np.uintp(triangles[t, k])
                to_points[i, 0] += to_w[q] * ys[p] - to_w[p] * ys[q]
                to_points[i, 1] += to_w[p] * xs[q] - to_w[q] * xs[p]
    for j in range(9):
        for k in range(3):
            to_light[j, k] = lamp_sum[j, k]
