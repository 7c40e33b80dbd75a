"""How wrong the model is about what is asked for."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

UNKNOWN = -1  # of a text that was not told what it asks for


def intent_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean cross-entropy of (R, I) logits against (R,) intents, a scalar; UNKNOWN ones do not count.

    Without any known intent it costs 0 and sends no gradient.
    """
    known = wanted != UNKNOWN
    if not known.any():
        return logits.sum() * 0.0
    return F.cross_entropy(logits[known], wanted[known])
