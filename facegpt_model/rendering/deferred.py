"""The differentiable renderer: visibility without gradient, everything after it with.

Visible triangles are interpolated and lit per pixel (shading.py), then outlines are
antialiased from the mesh's own edges (silhouette.py), which also gives the gradient of moving
outlines. Both steps exist in torch for any device and compiled for the CPU (compiled/), with
the same numbers. Gradients do not depend on the visibility backend.

There is no clipping: a triangle with a corner nearer than cameras.NEAR_MM is not drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.base import Rendering, Visibility
from facegpt_model.rendering.cameras import NEAR_MM, project_camera_points, rotation_matrix, to_camera
from facegpt_model.rendering.compiled import outlines, pixels
from facegpt_model.rendering.materials import Gloss, Texture
from facegpt_model.rendering.shading import Places, shade_places, shade_visible
from facegpt_model.rendering.silhouette import antialias
from facegpt_model.rendering.topology import (
    mean_edge_length,
    topology_of,
    vertex_normals,
    vertex_normals_in_torch,
)
from facegpt_model.rendering.visibility import NumbaVisibility, TorchVisibility


def render(
    vertices: Tensor,
    triangles: Tensor,
    colours: Tensor | Texture,
    view: View,
    background: Tensor | None = None,
    *,
    gloss: Gloss | None = None,
    visibility: Visibility | None = None,
    smooth_edges: bool = True,
    compiled: bool | None = None,
) -> Rendering:
    """Pictures of B meshes, differentiable to vertices, colours or texture, gloss, light, pose, focal length.

    vertices: (B, V, 3) head-frame mm, float32 or float64; triangles: (T, 3) int64
    colours: (B, V, 3) or (1, V, 3) linear RGB albedo of vertices, or a texture
    view: B views; its numbers are taken in the precision of the vertices
    background: linear RGB as (3,), (B, 3) or (B, 3, H, W); black when None
    gloss: mirrored light on top; none when None
    visibility: NumbaVisibility on the CPU and TorchVisibility elsewhere when None
    smooth_edges: antialias silhouettes; without it outlines send no gradient
    compiled: shade by the compiled loops, which need the CPU, or in torch; None takes the
        compiled ones on the CPU

    Raises ValueError for shapes that do not fit and for numbers that are not finite.
    """
    texture = colours if isinstance(colours, Texture) else None
    plain = torch.ones_like(vertices[:1]) if isinstance(colours, Texture) else colours
    check_scene(vertices, plain, view)
    topology_of(triangles, vertices.shape[1])
    batch = vertices.shape[0]
    height, width = view.image_size
    on_cpu = vertices.device.type == "cpu"
    visibility = visibility or (NumbaVisibility() if on_cpu else TorchVisibility())
    compiled = on_cpu if compiled is None else compiled
    screen = project_camera_points(to_camera(vertices, view), view)
    ids = visibility.visible_triangles(screen, triangles, height, width)

    normals = (vertex_normals if compiled else vertex_normals_in_torch)(vertices, triangles)
    plain, light = plain.to(vertices).expand(batch, -1, -1), view.light.to(vertices)
    shade = pixels.shade_visible if compiled else shade_visible
    turned = shading_frame(normals, view)
    shaded = shade(screen, turned, plain, light, triangles, ids)
    rgba = shaded.rgba
    plainly = texture is None and gloss is None
    if not plainly:
        colour, hit = rgba[..., :3], rgba[..., 3:]
        if texture is not None:
            colour = colour * texture.at(ids, shaded.weights)
        if gloss is not None:
            colour = colour + hit * gloss.reflected(shaded.normal, view, light)
        rgba = torch.cat([colour, hit], dim=3)
    if smooth_edges:
        surface = torch.where(ids < 0, torch.inf, shaded.depth[..., 0].detach())
        pixel_mm = screen[..., 2].detach().mean(dim=1).clamp_min(NEAR_MM) / view.focal.detach().to(screen)
        detail_mm = mean_edge_length(vertices, triangles) + pixel_mm
        blend = outlines.antialias if compiled else antialias

        def colour_of(places: Places) -> Tensor:
            return shade_places(screen, turned, plain, light, triangles, places)

        rgba = blend(rgba, screen, surface, ids, triangles, detail_mm, colour_of if plainly else None)
    mask = rgba[..., 3:].permute(0, 3, 1, 2)
    image = rgba[..., :3].permute(0, 3, 1, 2)
    if background is not None:
        image = image + (1 - mask) * background_picture(background.to(vertices), batch, height, width)
    return Rendering(
        image=image,
        mask=mask,
        depth=shaded.depth.permute(0, 3, 1, 2),
        normals=shaded.normal.permute(0, 3, 1, 2),
        triangle_ids=ids,
        barycentrics=shaded.weights,
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


def check_scene(vertices: Tensor, colours: Tensor, view: View) -> None:
    """Raise ValueError in one sentence for shapes that do not fit and numbers that are not finite."""
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


def shading_frame(normals: Tensor, view: View) -> Tensor:
    """(B, V, 3) head-frame normals turned into the shading frame."""
    turned = normals @ rotation_matrix(view.rotation.to(normals)).transpose(1, 2)
    return turned * normals.new_tensor([1.0, -1.0, -1.0])


def background_picture(background: Tensor, batch: int, height: int, width: int) -> Tensor:
    """A background in any form render takes, to be added to (B, 3, H, W); ValueError for others."""
    if background.shape == (3,):
        return background.view(1, 3, 1, 1)
    if background.shape == (batch, 3):
        return background.view(batch, 3, 1, 1)
    if background.shape == (batch, 3, height, width):
        return background
    raise ValueError(f"background must be (3,), ({batch}, 3) or ({batch}, 3, {height}, {width})")
