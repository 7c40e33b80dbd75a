"""What every renderer takes and gives.

Images are (B, channels, H, W), linear RGB, row 0 at the top, pixel centres at +0.5.
The shading frame of normals is camera-aligned: x right, y up, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from facegpt_model.face import View


@dataclass(frozen=True)
class Rendering:
    """B pictures of a mesh, with what was seen in each pixel.

    image:        (B, 3, H, W) linear RGB, composited over the background
    mask:         (B, 1, H, W) coverage in [0, 1]; fractional only along silhouettes
    depth:        (B, 1, H, W) millimetres along the camera's z; 0 where nothing was hit
    normals:      (B, 3, H, W) unit normals in the shading frame; 0 where nothing was hit
    triangle_ids: (B, H, W) int64 index of the triangle hit by the pixel centre, -1 for none
    barycentrics: (B, H, W, 3) perspective-correct weights of that triangle's corners
    """

    image: Tensor
    mask: Tensor
    depth: Tensor
    normals: Tensor
    triangle_ids: Tensor
    barycentrics: Tensor


class Visibility(Protocol):
    """Finds the nearest triangle under every pixel centre; no gradient passes through."""

    def visible_triangles(self, screen: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
        """(B, H, W) int64 triangle ids, -1 for background.

        screen: (B, V, 3) pixel x, pixel y and depth in mm. Triangles with a corner nearer
        than cameras.NEAR_MM, or without area on the screen, are left out.
        """
        ...


class Renderer(Protocol):
    """Draws B meshes: deferred.render, or PyTorch3D's hard and soft modes in torch3d.py."""

    def __call__(
        self,
        vertices: Tensor,
        triangles: Tensor,
        colours: Tensor,
        view: View,
        background: Tensor | None = None,
    ) -> Rendering:
        """Arguments as in deferred.render; ValueError for input that does not fit."""
        ...
