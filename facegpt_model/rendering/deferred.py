"""The differentiable renderer: visibility without gradient, everything after it with.

Per pixel the perspective-correct barycentrics are recomputed from the vertices of the
triangle that was hit, normals and albedo are interpolated, and light is a spherical-harmonic
product. Silhouettes are antialiased from the mesh's own edges (silhouette.py), which also
gives the gradient of moving outlines. Gradients do not depend on the visibility backend.

There is no clipping: a triangle with a corner nearer than cameras.NEAR_MM is not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.base import Rendering, Visibility
from facegpt_model.rendering.cameras import NEAR_MM, project_camera_points, rotation_matrix, to_camera
from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.rendering.silhouette import antialias
from facegpt_model.rendering.topology import mean_edge_length, topology_of, vertex_normals
from facegpt_model.rendering.visibility import NumbaVisibility, TorchVisibility


@dataclass(frozen=True)
class _Hits:
    """The P pixels that hit something, ordered by picture.

    pixel: (P,) flat index into B * H * W; triangle: (P,); corners: (P, 3) flat index into
    B * V; weights: (P, 3) barycentrics; counts: hits of each picture.
    """

    pixel: Tensor
    triangle: Tensor
    corners: Tensor
    weights: Tensor
    counts: list[int]


def render(
    vertices: Tensor,
    triangles: Tensor,
    colours: Tensor,
    view: View,
    background: Tensor | None = None,
    *,
    visibility: Visibility | None = None,
    smooth_edges: bool = True,
) -> Rendering:
    """Pictures of B meshes, differentiable to vertices, colours, light, pose and focal length.

    vertices: (B, V, 3) head-frame mm, float32 or float64; triangles: (T, 3) int64
    colours: (B, V, 3) or (1, V, 3) linear RGB albedo
    view: B views; its numbers are taken in the precision of the vertices
    background: linear RGB as (3,), (B, 3) or (B, 3, H, W); black when None
    visibility: NumbaVisibility on the CPU and TorchVisibility elsewhere when None
    smooth_edges: antialias silhouettes; without it outlines send no gradient

    Raises ValueError for shapes that do not fit and for numbers that are not finite.
    """
    _check(vertices, colours, view)
    topology_of(triangles, vertices.shape[1])
    batch = vertices.shape[0]
    height, width = view.image_size
    visibility = visibility or (NumbaVisibility() if vertices.device.type == "cpu" else TorchVisibility())
    screen = project_camera_points(to_camera(vertices, view), view)
    ids = visibility.visible_triangles(screen, triangles, height, width)
    hits = _hits(screen, triangles, ids)

    normals = _shading_frame(vertex_normals(vertices, triangles), view)
    attributes = torch.cat([colours.to(vertices).expand(batch, -1, -1), normals], dim=2).reshape(-1, 6)
    albedo, normal = _interpolate(hits, attributes).split(3, dim=1)
    normal = torch.nn.functional.normalize(normal, dim=1, eps=1e-12)
    shaded = albedo * _irradiance(normal, view.light.to(vertices), hits.counts)
    depth = _interpolate(hits, screen.reshape(-1, 3)[:, 2:])

    def picture(values: Tensor) -> Tensor:
        blank = values.new_zeros(batch * height * width, values.shape[1])
        return blank.index_copy(0, hits.pixel, values).view(batch, height, width, -1)

    rgba = picture(torch.cat([shaded, torch.ones_like(shaded[:, :1])], dim=1))
    depth_map = picture(depth)
    if smooth_edges:
        surface = torch.where(ids < 0, torch.inf, depth_map[..., 0].detach())
        pixel_mm = screen[..., 2].detach().mean(dim=1).clamp_min(NEAR_MM) / view.focal.detach().to(screen)
        detail_mm = mean_edge_length(vertices.detach(), triangles) + pixel_mm
        rgba = antialias(rgba, screen, surface, triangles, detail_mm)
    mask = rgba[..., 3:].permute(0, 3, 1, 2)
    image = rgba[..., :3].permute(0, 3, 1, 2)
    if background is not None:
        image = image + (1 - mask) * _background(background.to(vertices), batch, height, width)
    return Rendering(
        image=image,
        mask=mask,
        depth=depth_map.permute(0, 3, 1, 2),
        normals=picture(normal).permute(0, 3, 1, 2),
        triangle_ids=ids,
        barycentrics=picture(hits.weights),
    )


def interpolate(rendering: Rendering, triangles: Tensor, attributes: Tensor) -> Tensor:
    """(B, C, H, W) per-corner or per-vertex attributes seen through a rendering's pixels.

    attributes: (B, V, C), looked up by (T, 3) triangles, e.g. triangles_uv for texture
    coordinates. Pixels without a hit are 0.
    """
    batch, height, width = rendering.triangle_ids.shape
    seen = rendering.triangle_ids >= 0
    picture = seen.nonzero()[:, 0]
    corners = triangles[rendering.triangle_ids[seen]] + (picture * attributes.shape[1])[:, None]
    rows = (
        attributes.reshape(-1, attributes.shape[2])
        .index_select(0, corners.reshape(-1))
        .view(len(corners), 3, -1)
    )
    values = (rendering.barycentrics[seen][..., None] * rows).sum(dim=1)
    blank = values.new_zeros(batch * height * width, values.shape[1])
    filled = blank.index_copy(0, seen.reshape(-1).nonzero().squeeze(1), values)
    return filled.view(batch, height, width, -1).permute(0, 3, 1, 2)


def _check(vertices: Tensor, colours: Tensor, view: View) -> None:
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise ValueError(f"vertices must be (B, V, 3), not {tuple(vertices.shape)}")
    batch, count = vertices.shape[:2]
    if colours.shape not in {(batch, count, 3), (1, count, 3)}:
        raise ValueError(
            f"colours must be ({batch}, {count}, 3) like the vertices, not {tuple(colours.shape)}"
        )
    expected = {"rotation": (batch, 3), "translation": (batch, 3), "focal": (batch,), "light": (batch, 9, 3)}
    for name, shape in expected.items():
        value: Tensor = getattr(view, name)
        if tuple(value.shape) != shape:
            raise ValueError(f"view.{name} must be {shape} for {batch} faces, not {tuple(value.shape)}")
        if not torch.isfinite(value).all():
            raise ValueError(f"view.{name} holds a number that is not finite; a view needs finite numbers")
    if min(view.image_size) < 1:
        raise ValueError(f"a picture needs at least one pixel each way, not {view.image_size}")
    if not torch.isfinite(vertices).all():
        raise ValueError(
            "the vertices hold numbers that are not finite; a face needs finite vertices to be drawn"
        )


def _hits(screen: Tensor, triangles: Tensor, ids: Tensor) -> _Hits:
    batch, height, width = ids.shape
    flat = ids.reshape(-1)
    pixel = (flat >= 0).nonzero().squeeze(1)
    triangle = flat[pixel]
    picture = pixel // (height * width)
    inside = pixel - picture * (height * width)
    corners = triangles[triangle] + (picture * screen.shape[1])[:, None]
    points = screen.reshape(-1, 3).index_select(0, corners.reshape(-1)).view(-1, 3, 3)
    x = points[..., 0] - ((inside % width).to(screen.dtype) + 0.5)[:, None]
    y = points[..., 1] - ((inside // width).to(screen.dtype) + 0.5)[:, None]
    weights = x.roll(-1, 1) * y.roll(-2, 1) - x.roll(-2, 1) * y.roll(-1, 1)
    weights = weights / points[..., 2]
    weights = weights / weights.sum(dim=1, keepdim=True)
    return _Hits(pixel, triangle, corners, weights, torch.bincount(picture, minlength=batch).tolist())


def _interpolate(hits: _Hits, rows: Tensor) -> Tensor:
    corners = rows.index_select(0, hits.corners.reshape(-1)).view(-1, 3, rows.shape[1])
    return (hits.weights[..., None] * corners).sum(dim=1)


def _shading_frame(normals: Tensor, view: View) -> Tensor:
    turned = normals @ rotation_matrix(view.rotation.to(normals)).transpose(1, 2)
    return turned * normals.new_tensor([1.0, -1.0, -1.0])


def _irradiance(normals: Tensor, light: Tensor, counts: list[int]) -> Tensor:
    pictures = sh_basis(normals).split(counts)
    return torch.cat([basis @ light[k] for k, basis in enumerate(pictures)])


def _background(background: Tensor, batch: int, height: int, width: int) -> Tensor:
    if background.shape == (3,):
        return background.view(1, 3, 1, 1)
    if background.shape == (batch, 3):
        return background.view(batch, 3, 1, 1)
    if background.shape == (batch, 3, height, width):
        return background
    raise ValueError(f"background must be (3,), ({batch}, 3) or ({batch}, 3, {height}, {width})")
