"""PyTorch3D as a backend: its hard rasteriser as a visibility, and soft rasterisation as a renderer.

PyTorch3D is imported only when something of it is asked for. Its camera frame has x left, y up,
z forward, against x right, y down, z forward here; axis flips live in this file only. Pixel
positions of its screen fall like ours, with the origin at the upper left corner of the picture.
How to install it: docs/rendering.md.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.base import Rendering
from facegpt_model.rendering.cameras import NEAR_MM, project, rotation_matrix
from facegpt_model.rendering.deferred import background_picture, check_scene, render, shading_frame
from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.rendering.topology import unit, vertex_normals
from facegpt_model.rendering.visibility import MIN_AREA

FLIP = (-1.0, -1.0, 1.0)  # from our camera frame to PyTorch3D's
LEAST_SHARE = 1e-4  # a triangle's probability at which soft outlines end


class Pytorch3dMissing(ImportError):
    """PyTorch3D is not installed, or not built for the installed torch."""


def require_pytorch3d() -> ModuleType:
    """The package, with its compiled part loaded; Pytorch3dMissing says what is wrong and how to mend it."""
    try:
        package = importlib.import_module("pytorch3d")
    except ImportError as error:
        raise Pytorch3dMissing(f"pytorch3d is not installed; {_remedy()}") from error
    try:
        importlib.import_module("pytorch3d._C")
    except (ImportError, OSError) as error:  # such as an undefined symbol or an absent CUDA library
        reason = str(error).strip().splitlines()[0]
        raise Pytorch3dMissing(
            f"pytorch3d does not load beside the installed torch {torch.__version__} ({reason}); {_remedy()}"
        ) from error
    return package


def _remedy() -> str:
    flag = "FORCE_CUDA=1" if torch.version.cuda else "PYTORCH3D_FORCE_NO_CUDA=1"
    return (
        f"build it from source against torch {torch.__version__} with {flag} and "
        "pip install --no-build-isolation, see docs/rendering.md"
    )


def camera_arguments(view: View) -> dict[str, Any]:
    """Arguments of pytorch3d.renderer.PerspectiveCameras that see what a View of B pictures sees.

    R: (B, 3, 3) and T: (B, 3) for row vectors, camera = points @ R + T; focal_length: (B, 2) and
    principal_point: (B, 2) in pixels; image_size: (B, 2) height and width. Differentiable.
    """
    rotation = rotation_matrix(view.rotation)
    flip = rotation.new_tensor(FLIP)
    batch = len(view.focal)
    height, width = view.image_size
    return {
        "R": rotation.transpose(1, 2) * flip,
        "T": view.translation * flip,
        "focal_length": view.focal[:, None].expand(batch, 2),
        "principal_point": view.focal.new_tensor([[width / 2, height / 2]]).expand(batch, 2),
        "image_size": view.focal.new_tensor([[height, width]]).expand(batch, 2),
        "in_ndc": False,
    }


class HardVisibility:
    """The nearest triangle by PyTorch3D's rasteriser (blur 0, one face per pixel); Visibility."""

    def __init__(self) -> None:
        """Raises Pytorch3dMissing where the package does not load."""
        require_pytorch3d()

    def visible_triangles(self, screen: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
        """(B, H, W) int64 triangle ids, -1 for background; see base.Visibility."""
        renderer = importlib.import_module("pytorch3d.renderer.mesh")
        structures = importlib.import_module("pytorch3d.structures")
        points = screen.detach().float()
        half = min(height, width) / 2
        flat = torch.stack(
            [(width / 2 - points[..., 0]) / half, (height / 2 - points[..., 1]) / half, points[..., 2]], dim=2
        )
        corners = screen.detach()[:, triangles]
        first, second = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
        area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
        drawn = (corners[..., 2] >= NEAR_MM).all(dim=2) & (area.abs() >= MIN_AREA)
        owners = [keep.nonzero()[:, 0] for keep in drawn]
        ids = torch.full((len(screen), height, width), -1, dtype=torch.int64, device=screen.device)
        for k, owner in enumerate(owners):
            if not len(owner):
                continue
            meshes = structures.Meshes(verts=[flat[k]], faces=[triangles[owner]])
            seen = renderer.rasterize_meshes(
                meshes,
                (height, width),
                blur_radius=0.0,
                faces_per_pixel=1,
                bin_size=0,
                perspective_correct=True,
            )[0][0, :, :, 0]
            ids[k] = torch.where(seen >= 0, owner[seen.clamp_min(0)], -1)
        return ids


class HardRenderer:
    """deferred.render with PyTorch3D's visibility and hard edges, which is PyTorch3D's hard mode."""

    def __init__(self) -> None:
        """Raises Pytorch3dMissing where the package does not load."""
        self.visibility = HardVisibility()

    def __call__(
        self,
        vertices: Tensor,
        triangles: Tensor,
        colours: Tensor,
        view: View,
        background: Tensor | None = None,
    ) -> Rendering:
        """Pictures without antialiasing; outlines send no gradient. See base.Renderer."""
        return render(
            vertices, triangles, colours, view, background, visibility=self.visibility, smooth_edges=False
        )


@dataclass(frozen=True)
class SoftRenderer:
    """Soft rasterisation (Liu et al. 2019) by PyTorch3D: triangles fade out around their edges.

    sigma: width of the fading, in squared units of half the picture's shorter side
    gamma: how sharply the nearer of two triangles wins
    faces_per_pixel: triangles blended in one pixel
    As in PyTorch3D the mask dips along the edges between small triangles, and colours end about a
    pixel outside the outline without fading: put the loss of outlines on the mask.
    Works in float32. Raises Pytorch3dMissing when made where the package does not load.
    """

    sigma: float = 1e-4
    gamma: float = 1e-4
    faces_per_pixel: int = 8

    def __post_init__(self) -> None:
        require_pytorch3d()

    def __call__(
        self,
        vertices: Tensor,
        triangles: Tensor,
        colours: Tensor,
        view: View,
        background: Tensor | None = None,
    ) -> Rendering:
        """Pictures with soft masks; depth, normals and ids of the nearest triangle hit. See base.Renderer."""
        check_scene(vertices, colours, view)
        renderer = importlib.import_module("pytorch3d.renderer")
        structures = importlib.import_module("pytorch3d.structures")
        ops = importlib.import_module("pytorch3d.ops")
        batch, count = vertices.shape[0], len(triangles)
        height, width = view.image_size
        vertices = vertices.float()
        settings = renderer.RasterizationSettings(
            image_size=(height, width),
            blur_radius=math.log(1 / LEAST_SHARE - 1) * self.sigma,
            faces_per_pixel=self.faces_per_pixel,
            bin_size=0,
            perspective_correct=True,
        )
        named = {k: v.to(vertices) if isinstance(v, Tensor) else v for k, v in camera_arguments(view).items()}
        cameras = renderer.PerspectiveCameras(device=vertices.device, **named)
        meshes = structures.Meshes(verts=list(vertices), faces=[triangles] * batch)
        found = renderer.MeshRasterizer(cameras=cameras, raster_settings=settings)(meshes)

        normals = shading_frame(vertex_normals(vertices, triangles), view)
        rows = torch.cat([colours.to(vertices).expand(batch, -1, -1), normals], dim=2)
        corners = rows[:, triangles].reshape(batch * count, 3, 6)
        surface = ops.interpolate_face_attributes(found.pix_to_face, found.bary_coords, corners)
        normal = unit(surface[..., 3:])
        irradiance = torch.einsum("bhwfk,bkc->bhwfc", sh_basis(normal), view.light.to(vertices))
        depth = project(vertices.detach(), view)[..., 2]
        blend = renderer.BlendParams(self.sigma, self.gamma, (0.0, 0.0, 0.0))
        near, far = depth.amin(dim=1) - 1, depth.amax(dim=1) + 1
        lit = surface[..., :3] * irradiance
        rgba = renderer.softmax_rgb_blend(lit, found, blend, znear=near, zfar=far).permute(0, 3, 1, 2)
        image, mask = rgba[:, :3], rgba[:, 3:]
        if background is not None:
            white = renderer.softmax_rgb_blend(torch.ones_like(lit), found, blend, znear=near, zfar=far)
            behind = 1 - white[..., :1].permute(0, 3, 1, 2)  # PyTorch3D's own weight of the background
            image = image + behind * background_picture(background.to(vertices), batch, height, width)

        inside = (found.pix_to_face >= 0) & (found.dists <= 0)
        hit = inside.any(dim=3, keepdim=True)
        nearest = inside.int().argmax(dim=3, keepdim=True)

        def of_nearest(values: Tensor) -> Tensor:
            index = nearest[..., None].expand(-1, -1, -1, 1, values.shape[4])
            return values.gather(3, index)[:, :, :, 0] * hit

        ids = torch.where(hit, found.pix_to_face.gather(3, nearest) % max(count, 1), -1)[..., 0]
        return Rendering(
            image=image,
            mask=mask,
            depth=of_nearest(found.zbuf[..., None]).permute(0, 3, 1, 2),
            normals=of_nearest(normal).permute(0, 3, 1, 2),
            triangle_ids=ids,
            barycentrics=of_nearest(found.bary_coords),
        )
