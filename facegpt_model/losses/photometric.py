"""How far a drawn face is from its photograph, colour by colour, forgiving what a head model cannot draw."""

from __future__ import annotations

from torch import Tensor

GAMMA = 2.2
DARKEST = 1e-3  # linear; below it compression would be too steep
TOLERANCE = 0.12  # gamma-compressed difference at which a pixel counts half; hair and glasses lie above


def photometric_loss(rendered: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """Robust colour difference (Geman and McClure), mean over pictures, a scalar in [0, 1].

    rendered: (B, 3, H, W) linear RGB; photo: (B, 3, H, W) sRGB in [0, 1]; mask: (B, 1, H, W) in [0, 1].
    A picture with an empty mask costs 0 and sends no gradient.
    """
    gap = (rendered.clamp(DARKEST, 1.0).pow(1 / GAMMA) - photo).square().mean(dim=1, keepdim=True)
    cost = gap / (gap + TOLERANCE**2)
    return ((cost * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1.0)).mean()
