"""How unlike two faces are to the identity net: used as a loss, never to say who somebody is."""

from __future__ import annotations

from torch import Tensor


def likeness_loss(drawn: Tensor, photo: Tensor) -> Tensor:
    """Mean squared distance of (B, 128) embeddings, a scalar; 0.36 is the net's own border between people."""
    return (drawn - photo).square().sum(dim=1).mean()
