"""How likely the true places of points are under what was predicted of them."""

from __future__ import annotations

from torch import Tensor


def place_surprise(places: Tensor, doubt: Tensor, true: Tensor, size: Tensor) -> Tensor:
    """(B, P) negative log likelihood of places under a round normal distribution, up to a constant.

    places, true: (B, P, 2); doubt: (B, P) standard deviation of one coordinate; size: (B, 1) that
    doubt is compared with, so that pictures of any scale have the same loss
    """
    away = (places - true).square().sum(dim=2)
    surprise: Tensor = 0.5 * away / doubt.square() + 2 * (doubt / size).log()
    return surprise
