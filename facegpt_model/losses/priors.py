"""What is likely of a code before its photograph is looked at, and what must agree between photographs."""

from __future__ import annotations

from torch import Tensor

from facegpt_model.losses.shape import ShapeMetric


def code_prior(identity: Tensor, albedo: Tensor, expression: Tensor, expected: Tensor) -> Tensor:
    """Unlikeliness of B codes under the head model, a scalar; 0 is the mean face as it is expected to look.

    identity: (B, I), albedo: (B, A) standard deviations; expression, expected: (B, E) blend weights,
    the second as blendshapes tell them, believed to EXPRESSION_SD
    """
    off = (expression - expected) / EXPRESSION_SD
    return identity.square().mean() + albedo.square().mean() + off.square().mean()


EXPRESSION_SD = 0.15


def consistency_loss(first: Tensor, second: Tensor, metric: ShapeMetric, spread: Tensor) -> Tensor:
    """How much two pictures of one person differ in identity, in shares of people's spread, a scalar.

    first, second: (B, I) identities read from two pictures of each of B people; spread: () mm²
    """
    return metric(first, second).mean() / spread
