"""The z-buffer as a kernel of NVIDIA Warp, for its CPU and CUDA devices. Importing this needs warp-lang.

One thread a triangle; depth and triangle id are packed into one number and the greatest wins.
Products are not fused with sums: an edge shared by two triangles must come out exactly
opposite for both, or pixel centres fall through seams.
"""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

wp.config.quiet = True
wp.set_module_options({"enable_backward": False, "fuse_fp": False})

ID_BITS = 32
NEARNESS_STEPS = 2.0**31


@wp.kernel
def _fill(
    points: wp.array(dtype=wp.vec3d, ndim=2),  # type: ignore[valid-type]
    triangles: wp.array(dtype=wp.vec3i),  # type: ignore[valid-type]
    height: int,
    width: int,
    least_area: wp.float64,
    nearest: wp.float64,
    best: wp.array(dtype=wp.int64),  # type: ignore[valid-type]
) -> None:
    picture, t = wp.tid()
    corners = triangles[t]
    a, b, c = points[picture, corners[0]], points[picture, corners[1]], points[picture, corners[2]]
    half, zero = wp.float64(0.5), wp.float64(0.0)
    if wp.min(a[2], wp.min(b[2], c[2])) < nearest:
        return
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if wp.abs(area) < least_area:
        return
    sign = wp.sign(area)
    top = wp.max(wp.min(a[1], wp.min(b[1], c[1])) - half, zero)
    bottom = wp.min(wp.max(a[1], wp.max(b[1], c[1])) - half, wp.float64(height) - wp.float64(1.0))
    left = wp.max(wp.min(a[0], wp.min(b[0], c[0])) - half, zero)
    right = wp.min(wp.max(a[0], wp.max(b[0], c[0])) - half, wp.float64(width) - wp.float64(1.0))
    if top > bottom or left > right:
        return
    steps = wp.float64(NEARNESS_STEPS) * nearest / wp.abs(area)
    for row in range(int(wp.ceil(top)), int(wp.floor(bottom)) + 1):
        y = wp.float64(row) + half
        for column in range(int(wp.ceil(left)), int(wp.floor(right)) + 1):
            x = wp.float64(column) + half
            wa = ((b[0] - x) * (c[1] - y) - (c[0] - x) * (b[1] - y)) * sign
            wb = ((c[0] - x) * (a[1] - y) - (a[0] - x) * (c[1] - y)) * sign
            wc = ((a[0] - x) * (b[1] - y) - (b[0] - x) * (a[1] - y)) * sign
            if wa >= zero and wb >= zero and wc >= zero:
                nearness = (wa / a[2] + wb / b[2] + wc / c[2]) * steps
                key = (wp.int64(nearness) << wp.int64(ID_BITS)) | wp.int64(t)
                wp.atomic_max(best, (picture * height + row) * width + column, key)


def fill(
    screen: Tensor, triangles: Tensor, height: int, width: int, least_area: float, nearest: float
) -> Tensor:
    """(B, H, W) int64 triangle ids, -1 for none, on the device of screen (B, V, 3); see base.Visibility."""
    wp.init()
    points = screen.detach().double().contiguous()
    corners = triangles.to(screen.device, torch.int32).contiguous()
    best = torch.full((len(points) * height * width,), -1, dtype=torch.int64, device=screen.device)
    if best.numel() and len(corners):
        wp.launch(
            _fill,
            dim=(len(points), len(corners)),
            inputs=[
                wp.from_torch(points, dtype=wp.vec3d),
                wp.from_torch(corners, dtype=wp.vec3i),
                height,
                width,
                least_area,
                nearest,
                wp.from_torch(best),
            ],
            device=str(screen.device),
        )
    return torch.where(best >= 0, best & ((1 << ID_BITS) - 1), best).view(len(points), height, width)
