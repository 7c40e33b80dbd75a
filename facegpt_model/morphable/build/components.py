"""Face-weighted principal components of sampled heads, exactly left-right symmetric.

Every sample counts together with its mirror image. The covariance then falls into a
symmetric and an antisymmetric block, whose components are found separately and merged
by variance. Vertices near the inner face count more, or words such as "philtrum" would
be lost: they are small in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facegpt_model.morphable.build.wheel import FloatArray, IntArray

FACE_WEIGHT, FACE_REACH = 10.0, 18.0  # weight at the 51 inner landmarks; mm of its falloff
BUST_WEIGHT, BUST_BELOW, BUST_REACH = 0.03, -150.0, 20.0  # y below the origin and softness, mm


@dataclass(frozen=True)
class Components:
    """mean: (V, 3) mm; basis: (K, V, 3) mm per standard deviation; weight: (V,) of the fit;
    deviation: (K,) sd in weighted mm; variance_share: (K,) of the weighted variance.
    """

    mean: FloatArray
    basis: FloatArray
    weight: FloatArray
    deviation: FloatArray
    variance_share: FloatArray

    def project(self, displacement: FloatArray) -> FloatArray:
        """(K,) standard deviations whose shape is the weighted least-squares fit of (V, 3) mm."""
        weighted = self.basis * self.weight[:, None]
        return np.einsum("kvx,vx->k", weighted, displacement) / self.deviation**2


def vertex_weights(mean: FloatArray, inner: FloatArray) -> FloatArray:
    """(V,) fit weights: high near the inner landmarks (51, 3), low on the shoulders."""
    nearest = np.sqrt(((mean[:, None, :] - inner[None]) ** 2).sum(-1)).min(1)
    face = 1.0 + (FACE_WEIGHT - 1.0) * np.exp(-((nearest / FACE_REACH) ** 2))
    above = 1.0 / (1.0 + np.exp(-(mean[:, 1] - BUST_BELOW) / BUST_REACH))
    return face * (BUST_WEIGHT + (1.0 - BUST_WEIGHT) * above)


def mirrored(vertices: FloatArray, mirror: IntArray) -> FloatArray:
    """The mirror image of (..., V, 3) heads or displacements, vertex by vertex."""
    return vertices[..., mirror, :] * np.array([-1.0, 1.0, 1.0])


def principal_components(samples: FloatArray, mirror: IntArray, weight: FloatArray, count: int) -> Components:
    """Components of (N, V, 3) samples and their mirror images.

    Each component's sign makes its largest coordinate positive, so a rebuild agrees.
    """
    root = np.sqrt(weight)[:, None]
    image = mirrored(samples, mirror)
    mean = ((samples + image) / 2).mean(0)
    found = []
    for half in ((samples + image) / 2 - mean, (samples - image) / 2):
        flat = (half * root).reshape(len(samples), -1)
        values, vectors = np.linalg.eigh(flat @ flat.T)
        values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
        kept = values > values[0] * 1e-9
        axes = (flat.T @ vectors[:, kept]) / np.sqrt(values[kept])
        found.append((values[kept] / (len(samples) - 1), axes))
    variance = np.concatenate([values for values, _ in found])
    axes = np.concatenate([axes for _, axes in found], axis=1)
    order = np.argsort(-variance, kind="stable")[:count]
    axes = axes[:, order]
    largest = np.abs(axes).argmax(0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    deviation = np.sqrt(variance[order])
    basis = (axes * deviation).T.reshape(len(order), -1, 3) / root
    return Components(mean, basis, weight, deviation, variance[order] / variance.sum())
