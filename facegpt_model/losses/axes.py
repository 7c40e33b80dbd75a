"""How wrong a read-out of named axes is: which were mentioned, and how far they moved."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facegpt_model.vlm.face_head import AxisReadout


def mention_loss(read: AxisReadout, target: Tensor) -> Tensor:
    """Binary cross-entropy of "was mentioned", summed over axes, mean over faces.

    target: (B, K) slider values, 0 where nothing was said.
    """
    said = (target != 0).to(read.mention.dtype)
    return F.binary_cross_entropy_with_logits(read.mention, said, reduction="none").sum(1).mean()


def value_loss(read: AxisReadout, target: Tensor) -> Tensor:
    """Mean absolute error of the slider values over mentioned axes; none mentioned costs 0."""
    said = target != 0
    error = torch.where(said, (read.values - target).abs(), torch.zeros_like(target))
    return error.sum() / said.sum().clamp_min(1)
