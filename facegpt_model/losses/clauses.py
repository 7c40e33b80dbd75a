"""How wrong the model is about what it has just heard."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from facegpt_model.vlm.clause_head import Heard, degree_classes, ends_meant

SILENCE_SHARE = 0.25  # weight of a token at which no wording ends; about ten of them for each end


def clause_loss(heard: Heard, meant: Tensor) -> Tensor:
    """Binary cross-entropy of which ends were worded, summed over ends, and of the degree of each, a scalar.

    meant: (N, K) slider values of the wordings that end at each token, all 0 where none does.
    """
    wanted = ends_meant(meant)
    said = wanted.any(1)
    each = F.binary_cross_entropy_with_logits(heard.ends, wanted, reduction="none").sum(1)
    weight = said + SILENCE_SHARE * ~said
    loss = (each * weight).sum() / weight.sum().clamp_min(1.0)
    if not said.any():
        return loss
    token, end = wanted.nonzero(as_tuple=True)
    sizes = meant[token, end % meant.shape[1]].abs()
    degrees = F.cross_entropy(heard.degrees[token, end], degree_classes(sizes))
    return loss + 0.5 * degrees
