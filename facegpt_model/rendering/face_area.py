"""Which vertices belong to the face proper: without scalp, ears, neck and inner mouth."""

from __future__ import annotations

import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.morphable.textured import TexturedModel

SOFT_MM = 8.0  # width of the transition


def face_area(model: MorphableModel, code: FaceCode, to_hairline: bool = False) -> Tensor:
    """(V,) weight in [0, 1] of each vertex of one face: inside the jaw line and before the ears.

    The border follows the face's own landmarks (iBUG-68, without expression): above the
    jaw line 0-16, in front of its two ends, and up to as far above the brows as the nose
    is long, or to_hairline. Where the model knows its scalp, hair is left out too.
    """
    with torch.no_grad():
        vertices = model.vertices(code.neutral())
        points = model.landmarks68(vertices)[0]
        x, y, z = vertices[0].unbind(dim=1)
        jaw = points[:17]
        order = jaw[:, 0].argsort()
        above_jaw = y - _interpolate(x, jaw[order, 0], jaw[order, 1])
        ear = jaw[[0, 16], 2].mean()
        forehead = points[17:27, 1].mean() + (points[27, 1] - points[33, 1]) * 0.9
        below_forehead = torch.full_like(y, torch.inf) if to_hairline else forehead - y
        inside = torch.stack([above_jaw, z - ear - SOFT_MM, below_forehead]) / SOFT_MM
        weight = inside.amin(dim=0).clamp(0, 1)
        if isinstance(model, TexturedModel) and "scalp" in model.region_names:
            weight = weight * (1 - model.region_weights[:, model.region_names.index("scalp")]).clamp(0, 1)
    return weight.float()


def _interpolate(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Piecewise linear y over increasing x, level beyond both ends."""
    right = torch.searchsorted(x.contiguous(), at.contiguous()).clamp(1, len(x) - 1)
    share = ((at - x[right - 1]) / (x[right] - x[right - 1]).clamp_min(1e-6)).clamp(0, 1)
    return y[right - 1] + share * (y[right] - y[right - 1])
