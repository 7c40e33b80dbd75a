"""What the visible triangles look like, in plain torch for any device: interpolation and light.

Per pixel the perspective-correct barycentrics are recomputed from the corners of the triangle
that was hit; normals and albedo are interpolated and lit by nine spherical harmonics. The
compiled loops of compiled/pixels.py do the same on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.rendering.topology import unit

NO_AREA = 1e-9  # twice the screen area in square pixels below which a triangle is a line


class Shaded(NamedTuple):
    """Per pixel, 0 where nothing was hit; differentiable.

    rgba:    (B, H, W, 4) linear RGB and coverage 0 or 1
    depth:   (B, H, W, 1) mm along the camera's z
    normal:  (B, H, W, 3) unit normal in the shading frame
    weights: (B, H, W, 3) barycentrics of the triangle that was hit
    """

    rgba: Tensor
    depth: Tensor
    normal: Tensor
    weights: Tensor


@dataclass(frozen=True)
class _Hits:
    """The P pixels that hit something, ordered by picture.

    pixel: (P,) flat index into B * H * W; corners: (P, 3) flat index into B * V;
    weights: (P, 3) barycentrics; counts: hits of each picture.
    """

    pixel: Tensor
    corners: Tensor
    weights: Tensor
    counts: list[int]


class Places(NamedTuple):
    """n places on the screen: the picture each is in, a triangle it belongs to, pixel x and y."""

    picture: Tensor
    triangle: Tensor
    x: Tensor
    y: Tensor


def shade_visible(
    screen: Tensor, normals: Tensor, colours: Tensor, light: Tensor, triangles: Tensor, ids: Tensor
) -> Shaded:
    """Interpolated and lit surfaces of the triangles that each pixel sees.

    screen: (B, V, 3) pixel x, pixel y, depth in mm; normals: (B, V, 3) in the shading frame
    colours: (B, V, 3) linear RGB albedo; light: (B, 9, 3); triangles: (T, 3)
    ids: (B, H, W) triangle hit by each pixel centre, -1 for none
    Differentiable to screen, normals, colours and light.
    """
    batch, height, width = ids.shape
    hits = _hits(screen, triangles, ids)
    rows = torch.cat([colours, normals, screen[..., 2:]], dim=2).reshape(-1, 7)
    corners = rows.index_select(0, hits.corners.reshape(-1)).view(-1, 3, 7)
    albedo, normal, depth = (hits.weights[..., None] * corners).sum(dim=1).split([3, 3, 1], dim=1)
    normal = unit(normal)
    bases = sh_basis(normal).split(hits.counts)
    shaded = albedo * torch.cat([basis @ light[k] for k, basis in enumerate(bases)])

    def picture(values: Tensor) -> Tensor:
        blank = values.new_zeros(batch * height * width, values.shape[1])
        return blank.index_copy(0, hits.pixel, values).view(batch, height, width, -1)

    rgba = torch.cat([shaded, torch.ones_like(shaded[:, :1])], dim=1)
    return Shaded(picture(rgba), picture(depth), picture(normal), picture(hits.weights))


def shade_places(
    screen: Tensor, normals: Tensor, colours: Tensor, light: Tensor, triangles: Tensor, places: Places
) -> Tensor:
    """(n, 4) linear RGB, and 1, of the points of triangles that are nearest to places on the screen.

    A place beside its triangle is moved to it by cutting off negative barycentrics. Arguments and
    gradients as in shade_visible.
    """
    corners = triangles[places.triangle] + (places.picture * screen.shape[1])[:, None]

    def of_corners(values: Tensor) -> Tensor:
        return values.reshape(-1, 3).index_select(0, corners.reshape(-1)).view(-1, 3, 3)

    points = of_corners(screen)
    x, y = points[..., 0] - places.x[:, None], points[..., 1] - places.y[:, None]
    weights = x.roll(-1, 1) * y.roll(-2, 1) - x.roll(-2, 1) * y.roll(-1, 1)
    total = weights.sum(dim=1, keepdim=True)
    flat = total.abs() < NO_AREA
    weights = torch.where(flat, 1.0, weights / torch.where(flat, 1.0, total)).clamp_min(-0.5) / points[..., 2]
    weights = (weights / weights.sum(dim=1, keepdim=True))[..., None]
    basis = sh_basis(unit((weights * of_corners(normals)).sum(dim=1)))
    lamps = light.index_select(0, places.picture)
    lit = (weights * of_corners(colours)).sum(dim=1) * (basis[:, None] @ lamps)[:, 0]
    return torch.cat([lit, torch.ones_like(lit[:, :1])], dim=1)


def _hits(screen: Tensor, triangles: Tensor, ids: Tensor) -> _Hits:
    batch, height, width = ids.shape
    flat = ids.reshape(-1)
    pixel = (flat >= 0).nonzero().squeeze(1)
    picture = pixel // (height * width)
    inside = pixel - picture * (height * width)
    corners = triangles[flat[pixel]] + (picture * screen.shape[1])[:, None]
    points = screen.reshape(-1, 3).index_select(0, corners.reshape(-1)).view(-1, 3, 3)
    x = points[..., 0] - ((inside % width).to(screen.dtype) + 0.5)[:, None]
    y = points[..., 1] - ((inside // width).to(screen.dtype) + 0.5)[:, None]
    weights = x.roll(-1, 1) * y.roll(-2, 1) - x.roll(-2, 1) * y.roll(-1, 1)
    weights = weights / points[..., 2]
    weights = weights / weights.sum(dim=1, keepdim=True)
    return _Hits(pixel, corners, weights, torch.bincount(picture, minlength=batch).tolist())
