"""Next-token loss over answer tokens, against a part of the vocabulary."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def answer_loss(hidden: Tensor, targets: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy of the next tokens, a scalar.

    hidden: (N, H) final states at the positions before the targets; targets: (N,) indices
    into rows; rows: (R, H) output embeddings that compete (all, or a sample that holds
    every target); weights: (N,) at least 0. No weight at all costs 0.
    """
    losses = F.cross_entropy(hidden @ rows.T, targets, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp_min(1e-6)
