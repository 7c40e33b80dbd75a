"""What a surface is made of beyond vertex colours: textures, a gloss, named parts; differentiable.

Works on the maps of a rendering, (B, H, W, channels), so it is the same for every backend.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.lighting import sh_basis


@dataclass(frozen=True)
class Texture:
    """Albedo painted over an atlas, looked up bilinearly, held at its border.

    image: (B or 1, 3, S, S) linear RGB, row 0 at v = 1; differentiable
    uv: (U, 2) in [0, 1], u right and v up; triangles: (T, 3) int64 indices into uv
    """

    image: Tensor
    uv: Tensor
    triangles: Tensor

    def at(self, ids: Tensor, weights: Tensor) -> Tensor:
        """(B, H, W, 3) colour of the (B, H, W) triangles at (B, H, W, 3) barycentrics; any where -1."""
        corners = self.uv.to(weights)[self.triangles][ids.clamp_min(0)]
        place = (weights[..., None] * corners).sum(dim=3)
        grid = torch.stack([place[..., 0] * 2 - 1, 1 - place[..., 1] * 2], dim=3)
        image = self.image.to(weights).expand(len(ids), -1, -1, -1)
        found = torch.nn.functional.grid_sample(image, grid, align_corners=False, padding_mode="border")
        return found.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Gloss:
    """Light mirrored by the surface, on top of its albedo.

    reflectance: (B,) share mirrored head-on, in [0, 1]; about 0.03 for skin and water
    roughness:   (B,) in [0, 1]; 0 mirrors the light as sharply as nine coefficients can,
        1 from all around
    """

    reflectance: Tensor
    roughness: Tensor

    def reflected(self, normal: Tensor, view: View, light: Tensor) -> Tensor:
        """(B, H, W, 3) linear RGB that (B, H, W, 3) unit normals of the shading frame mirror.

        light: (B, 9, 3) as in View. Degree l of the light's radiance is blurred by
        exp(-(roughness * l)²), the lobe of a rough mirror (Ramamoorthi & Hanrahan 2002); the
        mirrored share rises towards grazing angles by Schlick's formula.
        """
        viewer = _towards_camera(view, normal)
        facing = (normal * viewer).sum(dim=3, keepdim=True)
        bounced = 2 * facing * normal - viewer
        rough = self.roughness.to(normal)[:, None]
        degree = normal.new_tensor([0, 1, 1, 1, 2, 2, 2, 2, 2])
        cosine_lobe = normal.new_tensor([1.0, 2 / 3, 2 / 3, 2 / 3, *[1 / 4] * 5])  # in shares of pi
        radiance = light * (torch.exp(-((rough * degree) ** 2)) / cosine_lobe)[..., None]
        mirrored = torch.einsum("bhwk,bkc->bhwc", sh_basis(bounced), radiance).clamp_min(0)
        head_on = self.reflectance.to(normal).view(-1, 1, 1, 1)
        most = torch.maximum(1 - rough[:, :, None, None], head_on)
        grazing = (1 - facing.clamp(0, 1)) ** 5
        return (head_on + (most - head_on) * grazing) * mirrored


def part_mask(triangle_ids: Tensor, part: Tensor) -> Tensor:
    """(B, H, W) int64 part seen by each pixel, -1 for none; part: (T,) of each triangle."""
    return torch.where(triangle_ids < 0, -1, part[triangle_ids.clamp_min(0)])


def _towards_camera(view: View, normal: Tensor) -> Tensor:
    """(B, H, W, 3) unit vectors from what each pixel centre sees to the camera, in the shading frame."""
    height, width = view.image_size
    y = torch.arange(height, device=normal.device).to(normal)[:, None] + (0.5 - height / 2)
    x = torch.arange(width, device=normal.device).to(normal)[None, :] + (0.5 - width / 2)
    focal = view.focal.to(normal).view(-1, 1, 1)
    rays = torch.stack([(-x / focal).expand(-1, height, -1), (y / focal).expand(-1, -1, width)], dim=3)
    rays = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=3)
    return torch.nn.functional.normalize(rays, dim=3)
