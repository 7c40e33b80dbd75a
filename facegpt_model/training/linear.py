"""The tower's linear reading, found in closed form: ridge regression of codes on features."""

from __future__ import annotations

import torch
from torch import Tensor

from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.vlm.tower import FaceTower

STRENGTHS = (0.1, 0.3, 1.0, 3.0)


@torch.no_grad()
def learn_linear(tower: FaceTower, seen: FrozenFeatures, identity: Tensor, strength: float = 1.0) -> None:
    """Set scales and the linear reading from N faces with (N, I) codes.

    strength: of the ridge, in variances of one standardised feature
    """
    tower.learn_scales(seen)
    x = tower.vector_scale(tower.vector(seen))
    mean = identity.mean(0)
    gram = x.T @ x + strength * len(x) * torch.eye(x.shape[1])
    weight = torch.linalg.solve(gram, x.T @ (identity - mean))
    tower.linear.weight.copy_(weight.T)
    tower.linear.bias.copy_(mean)


@torch.no_grad()
def learn_doubt(tower: FaceTower, seen: FrozenFeatures, identity: Tensor) -> None:
    """Set one standard deviation per coefficient from faces that were not learned from."""
    left = (tower(seen).mean - identity).square().mean(0).sqrt()
    tower.doubt.bias.copy_(left.log())
