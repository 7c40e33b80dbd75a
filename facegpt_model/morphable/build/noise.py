"""Smooth seeded noise in space, for skin and hair that do not look painted with one brush."""

from __future__ import annotations

import numpy as np

from facegpt_model.morphable.build.wheel import FloatArray

LATTICE = 64


def value_noise(place: FloatArray, period: float, seed: int) -> FloatArray:
    """(...,) noise in [0, 1] at (..., D) places; features are about `period` wide (same unit).

    Value noise: random numbers on a lattice, joined by smoothstep. Repeats after 64 periods.
    """
    dimensions = place.shape[-1]
    lattice = np.random.default_rng(seed).random((LATTICE,) * dimensions)
    scaled = place / period
    cell = np.floor(scaled).astype(np.int64)
    inside = scaled - cell
    inside = inside * inside * (3 - 2 * inside)
    total = np.zeros(place.shape[:-1])
    for corner in np.ndindex(*(2,) * dimensions):
        index = tuple((cell[..., axis] + corner[axis]) % LATTICE for axis in range(dimensions))
        share = np.ones(place.shape[:-1])
        for axis in range(dimensions):
            share = share * (inside[..., axis] if corner[axis] else 1 - inside[..., axis])
        total += share * lattice[index]
    return total


def smoothstep(low: float | FloatArray, high: float | FloatArray, value: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, smooth between; low > high gives the falling ramp."""
    ramp = np.clip((value - low) / (high - low), 0.0, 1.0)
    return ramp * ramp * (3 - 2 * ramp)
