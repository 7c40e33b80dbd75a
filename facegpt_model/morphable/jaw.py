"""The jaw line as it is seen: on the side turned away it slides to the edge of the face.

Annotators put the 17 outline points where the face ends in the picture. Each has a path
over the skin from its frontal place towards the middle of the face; the visible place is
the one that reaches furthest outwards for a far camera.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facegpt_model.rendering.cameras import rotation_matrix

SHARPNESS_MM = 0.5  # places this much less far out count e times less, so that the line moves smoothly
FRONTAL = (math.pi, 0.0, 0.0)  # axis-angle of a face that looks into the camera


def jaw_line(paths: Tensor, rotation: Tensor) -> Tensor:
    """(B, 17, 3) visible jaw line in the head frame.

    paths: (B, 17, S, 3) mm, head frame, the frontal place first, evenly spaced;
    rotation: (B, 3) axis-angle, head frame to camera (OpenCV), as View.rotation.
    At a frontal rotation it is the first place of every path.
    """
    return along(paths, jaw_slide(paths, rotation))


def jaw_slide(paths: Tensor, rotation: Tensor) -> Tensor:
    """(B, 17) how many steps along its path each point lies; arguments as of jaw_line."""
    frontal = torch.tensor(FRONTAL, dtype=paths.dtype, device=paths.device).expand(len(paths), 3)
    slide = _steps(paths, rotation.to(paths.dtype)) - _steps(paths, frontal)
    return slide.clamp(0.0, paths.shape[2] - 1.0)


def _steps(paths: Tensor, rotation: Tensor) -> Tensor:
    """(B, 17) how many steps along each path lies the place that reaches furthest outwards."""
    start = paths[:, :, 0]
    line = torch.cat(
        [start[:, 1:2] - start[:, :1], start[:, 2:] - start[:, :-2], start[:, -1:] - start[:, -2:-1]], 1
    )
    ahead = torch.tensor([0.0, 0.0, 1.0], dtype=paths.dtype, device=paths.device).expand_as(line)
    outwards = torch.nn.functional.normalize(torch.linalg.cross(line, ahead), dim=-1)
    turn = rotation_matrix(rotation)[:, :2]
    seen = torch.einsum("bij,blsj->blsi", turn, paths)
    reach = torch.nn.functional.normalize(torch.einsum("bij,blj->bli", turn, outwards), dim=-1)
    share = torch.softmax((seen * reach[:, :, None]).sum(-1) / SHARPNESS_MM, dim=-1)
    return share @ torch.arange(paths.shape[2], dtype=paths.dtype, device=paths.device)


def along(paths: Tensor, steps: Tensor) -> Tensor:
    """(B, 17, 3) places a broken number of steps along the paths."""
    low = steps.floor().clamp(max=paths.shape[2] - 2)
    share = (steps - low)[..., None]
    rows = low.long()[..., None, None].expand(*steps.shape, 1, 3)
    first = paths.gather(2, rows)[:, :, 0]
    second = paths.gather(2, rows + 1)[:, :, 0]
    return first + share * (second - first)
