"""Colours as people see them: CIE L*a*b* under D65 and the angle by which skin tones are told."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.skin.optics import TO_SRGB

Array = NDArray[np.floating[Any]]

WHITE = np.array([0.9505, 1.0, 1.089])  # XYZ of D65


def lab(linear: Array) -> Array:
    """(..., 3) L*, a*, b* of linear RGB in [0, 1]."""
    share = np.asarray(linear, dtype=np.float64) @ np.linalg.inv(TO_SRGB).T / WHITE
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def individual_typology_angle(linear: Array) -> Array:
    """(...,) degrees of skin's linear RGB: above 55 very light, below -30 dark (Chardon et al. 1991)."""
    lightness, _, yellow = np.moveaxis(lab(linear), -1, 0)
    return np.asarray(np.degrees(np.arctan2(lightness - 50, yellow)))
