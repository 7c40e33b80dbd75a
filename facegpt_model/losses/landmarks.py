"""How far a face's projected landmarks are from those detected, whatever the size of the picture."""

from __future__ import annotations

from torch import Tensor

SOFTNESS = 0.01  # of the eye distance: below it the cost is quadratic, above it linear


def landmark_loss(projected: Tensor, detected: Tensor, eye_distance: Tensor) -> Tensor:
    """Mean distance in eye distances (Charbonnier: linear for outliers), a scalar.

    projected, detected: (B, K, 2) pixels; eye_distance: (B,) pixels between the outer eye corners
    """
    gap = ((projected - detected) / eye_distance[:, None, None]).square().sum(dim=2)
    return ((gap + SOFTNESS**2).sqrt() - SOFTNESS).mean()
