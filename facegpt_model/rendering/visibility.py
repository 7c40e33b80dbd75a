"""Which triangle is nearest under each pixel centre: z-buffers on numba, in plain torch, on warp.

All follow the Visibility protocol of base.py. The numba kernel works in float64 without
fast maths: an edge shared by two triangles is then evaluated to exactly opposite numbers,
so no pixel centre falls through a seam.
"""

from __future__ import annotations

import importlib
import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from facegpt_model.rendering.cameras import NEAR_MM
from facegpt_model.rendering.compiled.pictures import each_picture

MIN_AREA = 1e-5  # twice the screen area in square pixels below which a triangle is not drawn
DEPTH_SIZE = 512  # pixels of the depth picture that tells what is hidden
HIDDEN_MM = 3.0  # by how much a place may lie behind the depth picture


@njit(cache=True, nogil=True)
def _fill(points: np.ndarray, triangles: np.ndarray, ids: np.ndarray, nearest: np.ndarray) -> None:
    height, width = ids.shape
    for t in range(triangles.shape[0]):
        a, b, c = np.uintp(triangles[t, 0]), np.uintp(triangles[t, 1]), np.uintp(triangles[t, 2])
        na, nb, nc = points[a, 2], points[b, 2], points[c, 2]
        if not (na > 0.0 and nb > 0.0 and nc > 0.0):
            continue
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        cx, cy = points[c, 0], points[c, 1]
        top = max(min(ay, by, cy) - 0.5, 0.0)
        bottom = min(max(ay, by, cy) - 0.5, height - 1.0)
        left = max(min(ax, bx, cx) - 0.5, 0.0)
        right = min(max(ax, bx, cx) - 0.5, width - 1.0)
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if top > bottom or left > right or abs(area) < MIN_AREA:
            continue
        sign = 1.0 if area > 0.0 else -1.0
        na, nb, nc = na / abs(area), nb / abs(area), nc / abs(area)
        for row in range(math.ceil(top), math.floor(bottom) + 1):
            y = row + 0.5
            up_a, up_b, up_c = (ay - y) * sign, (by - y) * sign, (cy - y) * sign
            for column in range(math.ceil(left), math.floor(right) + 1):
                x = column + 0.5
                wa = (bx - x) * up_c - (cx - x) * up_b
                wb = (cx - x) * up_a - (ax - x) * up_c
                wc = (ax - x) * up_b - (bx - x) * up_a
                if min(wa, min(wb, wc)) < 0.0:  # one branch: which weight is negative is unpredictable
                    continue
                nearness = np.float32(wa * na + wb * nb + wc * nc)
                if nearness > nearest[row, column]:
                    nearest[row, column] = nearness
                    ids[row, column] = t


def rasterise(
    points: np.ndarray, triangles: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ids (H, W) int64, -1 for none, and nearness (H, W) float32, 0 for none, of one picture.

    points: (V, 3) pixel x, pixel y and a nearness that is linear on the screen and positive
    for what may be drawn: 1 / depth under perspective, far - depth in a parallel projection.
    """
    ids = np.full((height, width), -1, np.int64)
    nearest = np.zeros((height, width), np.float32)
    _fill(
        np.ascontiguousarray(points, dtype=np.float64),
        np.ascontiguousarray(triangles, dtype=np.int64),
        ids,
        nearest,
    )
    return ids, nearest


def hidden_places(
    screen: np.ndarray, triangles: np.ndarray, pixel: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """(n,) whether something else of a head lies before each place.

    screen: (V, 3) its vertices, pixel: (n, 3) the places, both in pixels and mm of depth; size: of the photo
    """
    scale = DEPTH_SIZE / max(size)
    height, width = int(size[1] * scale), int(size[0] * scale)
    points = np.column_stack([screen[:, :2] * scale, 1 / np.maximum(screen[:, 2], 1.0)])
    _, nearness = rasterise(points, triangles, height, width)
    column = np.clip((pixel[:, 0] * scale).astype(int), 0, width - 1)
    row = np.clip((pixel[:, 1] * scale).astype(int), 0, height - 1)
    front = 1 / np.maximum(nearness[row, column].astype(np.float64), 1e-9)
    return np.asarray(pixel[:, 2] > front + HIDDEN_MM)


class NumbaVisibility:
    """Z-buffer compiled for the CPU; several pictures may be filled by several threads."""

    def __init__(self, threads: int | None = None) -> None:
        """threads: at most this many pictures at once; None follows torch's thread count."""
        self.threads = threads

    def visible_triangles(self, screen: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
        """(B, H, W) int64 triangle ids, -1 for background; see base.Visibility."""
        points = screen.detach().to("cpu", torch.float64).numpy().copy()
        depth = points[..., 2]
        points[..., 2] = np.where(depth >= NEAR_MM, 1.0 / np.maximum(depth, NEAR_MM), 0.0)
        corners = triangles.detach().cpu().contiguous().numpy()
        ids = np.full((len(points), height, width), -1, np.int64)

        def fill(k: int) -> None:
            _fill(points[k], corners, ids[k], np.zeros((height, width), np.float32))

        each_picture(fill, len(points), self.threads)
        return torch.from_numpy(ids).to(screen.device)


class TorchVisibility:
    """Z-buffer in plain torch, for any device: boxes are expanded to pixels, the nearest wins.

    Depth bits and triangle id are packed into one int64 and reduced by amax, so no custom
    kernel is needed. Memory grows with the summed area of the triangles' bounding boxes.
    """

    def visible_triangles(self, screen: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
        """(B, H, W) int64 triangle ids, -1 for background; see base.Visibility."""
        screen = screen.detach()
        batch, count, device = screen.shape[0], triangles.shape[0], screen.device
        corners = screen[:, triangles].reshape(-1, 3, 3)
        xy, depth = corners[..., :2], corners[..., 2]
        first = torch.ceil(xy.amin(dim=1) - 0.5).clamp_min(0)
        last = torch.minimum(torch.floor(xy.amax(dim=1) - 0.5), first.new_tensor([width - 1, height - 1]))
        extent = (last - first + 1).clamp_min(0)
        doubled_area = _cross(xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0])
        drawn = (doubled_area.abs() >= MIN_AREA) & (depth >= NEAR_MM).all(dim=1)
        boxes = torch.where(drawn, extent.prod(dim=1), torch.zeros_like(doubled_area)).long()
        kept = boxes.nonzero().squeeze(1)
        owner = torch.repeat_interleave(kept, boxes[kept])
        offset = torch.arange(len(owner), device=device)
        offset = offset - torch.repeat_interleave(boxes[kept].cumsum(0) - boxes[kept], boxes[kept])
        wide = extent[owner, 0].long()
        column = first[owner, 0].long() + offset % wide
        row = first[owner, 1].long() + offset // wide
        centre = torch.stack([column, row], dim=1).to(screen.dtype) + 0.5
        to_corner = xy[owner] - centre[:, None]
        weights = _cross(to_corner.roll(-1, dims=1), to_corner.roll(-2, dims=1))
        weights = weights * doubled_area[owner].sign()[:, None]
        inside = (weights >= 0).all(dim=1)
        nearness = (weights / depth[owner]).sum(dim=1) / weights.sum(dim=1)
        key = (nearness.float().view(torch.int32).long() << 32) | (owner % count)
        pixel = ((owner // count) * height + row) * width + column
        best = torch.full((batch * height * width,), -1, dtype=torch.int64, device=device)
        best.scatter_reduce_(0, pixel[inside], key[inside], "amax", include_self=True)
        return torch.where(best >= 0, best & 0xFFFFFFFF, best).view(batch, height, width)


class WarpVisibility:
    """Z-buffer on NVIDIA Warp, for CUDA devices and the CPU; needs the optional extra `warp`."""

    def __init__(self) -> None:
        """Raises ImportError, saying what to install, where warp-lang is missing."""
        try:
            self._fill = importlib.import_module("facegpt_model.rendering.warp_kernel").fill
        except ImportError as error:
            raise ImportError(
                f"the warp renderer needs warp-lang ({error}); install it with: pip install 'facegpt[warp]'"
            ) from error

    def visible_triangles(self, screen: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
        """(B, H, W) int64 triangle ids, -1 for background; see base.Visibility."""
        found: Tensor = self._fill(screen, triangles, height, width, MIN_AREA, NEAR_MM)
        return found


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
