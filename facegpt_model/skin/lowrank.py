"""Mean and components of pigment maps that are noisy, incomplete and partly of hair.

Everything is symmetric: a person's map is averaged with its mirror image, which also takes out
what light from one side has left. n texels, N people, two pigments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

ROBUST_ROUNDS, ROBUST_DEVIATIONS = 6, 1.5
COMPONENT_ROUNDS = 12
WEIGHT_FLOOR = 0.02  # summed weight of a person below which a texel counts as not seen
NOISE = 0.15  # log-albedo: what one texel of one portrait is uncertain by
LOUDEST = 1.5  # times the median size of a person's deviation; larger ones are scaled down to it


@dataclass(frozen=True)
class SkinModel:
    """mean: (n, 2); components: (K, n, 2) per standard deviation; scores: (N, K) of the people;
    share: (K,) of the explained variance; explained: share of all variance; coverage: (n,) mean weight"""

    mean: Array
    components: Array
    scores: Array
    share: Array
    explained: float
    coverage: Array


def symmetric(
    pigment: Array, weight: Array, mirror: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps (N, n, 2) and weights (N, n) averaged with their mirror images."""
    total = weight + weight[:, mirror]
    mixed = pigment * weight[..., None] + pigment[:, mirror] * weight[:, mirror, None]
    return (mixed / np.maximum(total, 1e-6)[..., None]).astype(np.float32), (total / 2).astype(np.float32)


def robust_mean(values: Array, weight: Array) -> Array:
    """(n, 2) means in which values far from the others hardly count."""
    total = weight.sum(axis=0)[:, None] + 1e-6
    mean = (values * weight[..., None]).sum(axis=0) / total
    for _ in range(ROBUST_ROUNDS):
        apart = values - mean
        spread = np.sqrt((weight[..., None] * apart**2).sum(axis=0) / total) + 1e-3
        each = weight[..., None] / (1 + (apart / (ROBUST_DEVIATIONS * spread)) ** 2)
        mean = (values * each).sum(axis=0) / (each.sum(axis=0) + 1e-6)
    return np.asarray(mean)


def without_pattern(values: Array, weight: Array, pattern: Array) -> Array:
    """Maps (..., n, 2) less their constant and their share of a pattern (n,), such as a beard's."""
    design = np.column_stack([np.ones(len(pattern)), pattern])
    normal = np.einsum("...n,ni,nj->...ij", weight, design, design) + 1e-3 * np.eye(2)
    moments = np.einsum("...n,ni,...nc->...ic", weight, design, values)
    return np.asarray(values - design @ np.linalg.solve(normal, moments))


def learn(pigment: Array, weight: Array, beard: Array, count: int, seed: int) -> SkinModel:
    """Mean and `count` components of symmetric maps (N, n, 2) with weights (N, n).

    beard: (n,) where beards grow; whatever is uniform over that area is taken for one
    """
    mean = robust_mean(pigment, weight)
    coverage = weight.mean(axis=0)
    mean = without_pattern(mean, coverage, beard)
    rest = without_pattern(pigment - mean, weight, beard)
    seen = weight.sum(axis=1, keepdims=True) + 1e-6
    size = np.sqrt((weight[..., None] * rest**2).sum(axis=(1, 2)) / seen[:, 0])
    loud = np.minimum(1.0, LOUDEST * np.median(size) / np.maximum(size, 1e-6))
    rest, weight = rest * loud[:, None, None], weight * (weight > WEIGHT_FLOOR)
    components, scores = _factors(rest, weight, count, seed)
    power = (coverage[:, None] * components**2).sum(axis=(1, 2))
    total = float((weight[..., None] * rest**2).sum()) / len(rest)
    return SkinModel(mean, components, scores, power / power.sum(), float(power.sum()) / total, coverage)


def _factors(rest: Array, weight: Array, count: int, seed: int) -> tuple[Array, Array]:
    """Weighted low-rank factors by alternating ridge regressions, then turned to principal axes."""
    people, texels = weight.shape
    flat = rest.reshape(people, -1)
    heavy = np.repeat(weight, 2, axis=1) / NOISE**2 / texels * 40.0  # neighbours are not independent
    scores = np.random.default_rng(seed).standard_normal((people, count))
    for _ in range(COMPONENT_ROUNDS):
        normal = np.einsum("np,ni,nj->pij", heavy, scores, scores) + 1e-3 * np.eye(count)
        components = np.linalg.solve(normal, np.einsum("np,np,ni->pi", heavy, flat, scores)[..., None])[
            ..., 0
        ].T
        normal = np.einsum("np,ip,jp->nij", heavy, components, components, optimize=True) + np.eye(count)
        scores = np.linalg.solve(normal, ((heavy * flat) @ components.T)[..., None])[..., 0]
        scores -= scores.mean(axis=0)
        scores /= scores.std(axis=0) + 1e-9
    return _principal(components, scores, weight)


def _principal(components: Array, scores: Array, weight: Array) -> tuple[Array, Array]:
    """The same product of scores and components with orthogonal components and scores of deviation 1."""
    root = np.repeat(np.sqrt(weight.mean(axis=0)), 2)
    spread = np.linalg.cholesky(np.cov(scores.T) + 1e-9 * np.eye(len(components)))
    _, sizes, axes = np.linalg.svd((spread.T @ components) * root, full_matrices=False)
    turned = (axes * sizes[:, None]) / np.maximum(root, 1e-3)
    heavier = np.where(turned.sum(axis=1) < 0, -1.0, 1.0)[:, None]  # more pigment is positive
    turned = turned * heavier
    return turned.reshape(len(turned), -1, 2), scores @ components @ np.linalg.pinv(turned)
