"""Square windows of a picture, turned with the face: cut out, and points carried back.

Pixels: x right, y down, the centre of the first pixel is (0.5, 0.5). Angles are radians,
positive clockwise on the screen, so a window of angle a stands upright for a head that
leans to image right by a.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """N turned squares of one picture.

    centre: (N, 2) pixels; side: (N,) pixels; angle: (N,) radians
    """

    centre: Tensor
    side: Tensor
    angle: Tensor

    def __len__(self) -> int:
        return int(self.side.shape[0])

    def some(self, index: Tensor) -> Windows:
        """Those with these numbers."""
        return Windows(self.centre[index], self.side[index], self.angle[index])

    def to_picture(self, points: Tensor) -> Tensor:
        """(N, K, 2) picture pixels of (N, K, 2) points in window units, 0..1 from the upper left."""
        return torch.einsum("nij,nkj->nki", self._axes(), points - 0.5) + self.centre[:, None]

    def from_picture(self, pixels: Tensor) -> Tensor:
        """(N, K, 2) window units of (N, K, 2) picture pixels: the inverse of to_picture."""
        moved = torch.einsum("nij,nki->nkj", self._axes(), pixels - self.centre[:, None])
        return moved / self.side[:, None, None] ** 2 + 0.5

    def _axes(self) -> Tensor:
        """(N, 2, 2) columns: the window's right and down edges in picture pixels."""
        cos, sin = torch.cos(self.angle) * self.side, torch.sin(self.angle) * self.side
        return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def cut(picture: Tensor, windows: Windows, size: int) -> Tensor:
    """(N, size, size, 3) bilinear samples of the windows; black outside the picture.

    picture: (3, H, W). Windows much larger than `size` are cut from an averaged, smaller
    picture, so that nothing is skipped. Differentiable with respect to the picture.
    """
    pieces = [_cut_one(picture, windows, i, size) for i in range(len(windows))]
    return torch.cat(pieces).permute(0, 2, 3, 1)


def _cut_one(picture: Tensor, windows: Windows, index: int, size: int) -> Tensor:
    shrink = max(1, int(float(windows.side[index].detach()) / size))
    small = (
        F.avg_pool2d(picture[None], shrink, ceil_mode=True, count_include_pad=False)
        if shrink > 1
        else picture[None]
    )
    steps = (torch.arange(size, dtype=picture.dtype, device=picture.device) + 0.5) / size
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    one = Windows(
        windows.centre[index : index + 1], windows.side[index : index + 1], windows.angle[index : index + 1]
    )
    places = one.to_picture(torch.stack([columns, rows], dim=-1).reshape(1, -1, 2).to(windows.side)) / shrink
    extent = places.new_tensor([small.shape[3], small.shape[2]])
    grid = (2 * places / extent - 1).reshape(1, size, size, 2).to(picture)
    return F.grid_sample(small, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
