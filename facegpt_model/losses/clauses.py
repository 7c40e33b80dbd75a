"""How wrong the model is about what it has just heard."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from facegpt_model.vlm.clause_head import Heard, degree_classes, end_classes

SILENCE_SHARE = 0.25  # weight of a token at which no wording ends; about ten of them for each end


def clause_loss(heard: Heard, meant: Tensor) -> Tensor:
    """Cross-entropy of which end was worded, and of its degree where one was, a scalar.

    meant: (N, K) slider values of the wording that ends at each token, all 0 where none does.
    """
    wanted = end_classes(meant)
    silent = heard.ends.shape[1] - 1
    said = wanted != silent
    each = F.cross_entropy(heard.ends, wanted, reduction="none")
    weight = said + SILENCE_SHARE * ~said
    loss = (each * weight).sum() / weight.sum().clamp_min(1.0)
    if not said.any():
        return loss
    degrees = F.cross_entropy(heard.degrees[said], degree_classes(meant[said]))
    return loss + 0.5 * degrees
