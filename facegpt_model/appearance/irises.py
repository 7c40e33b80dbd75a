"""Irises with fibres, a lighter ring about the pupil and a dark, soft rim; both eyes share one disc.

Colours run from near-black over brown, hazel and grey to blue with the albedo component
"iris blue", and to green with "iris green".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from facegpt_model.morphable.textured import TexturedModel

Floats = NDArray[np.float64]
REGIONS = ("iris", "iris_inner", "limbus", "pupil")
COMPONENTS = ("iris blue", "iris green")
BLUE_PER_SD, GREEN_PER_SD, DARK_PER_SD, GREY_PER_SD = 0.42, 0.42, 0.5, 0.3
# sRGB of the outer iris and of the ring about the pupil, for shares of blue from 0 to 1.
SHARES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
OUTER = np.array([[84, 50, 29], [106, 80, 46], [108, 108, 90], [112, 128, 138], [82, 110, 138]])
INNER = np.array([[100, 62, 36], [138, 100, 54], [130, 114, 84], [132, 134, 126], [126, 144, 158]])
GREEN = np.array([[84, 94, 66], [118, 108, 68]])  # outer, inner
DARK = np.array([[32, 19, 13], [42, 26, 18]])
_DISCS: WeakKeyDictionary[object, dict[int, tuple[NDArray[np.int64], Floats, Floats]]] = WeakKeyDictionary()


def paint_irises(model: TexturedModel, image: NDArray[np.float32], blue: float, green: float) -> None:
    """Paint over the irises of a texture (S, S, 3), in place; components in standard deviations."""
    index, reach, around = _disc(model, image.shape[0])
    outer, inner = iris_tones(blue, green)
    ring = _rising(0.62, 0.22, reach + 0.05 * np.sin(5 * around + 1.0) + 0.04 * np.sin(11 * around))
    colour = outer + (inner - outer) * ring[:, None]
    rim = 1 - 0.72 * _rising(0.74, 1.0, reach)
    colour = colour * (_fibres(reach, around) * rim)[:, None]
    cover = _rising(1.03, 0.95, reach) * _rising(-0.06, 0.04, reach)
    flat = image.reshape(-1, 3)
    flat[index] += ((colour - flat[index]) * cover[:, None]).astype(np.float32)


def iris_tones(blue: float, green: float) -> tuple[Floats, Floats]:
    """Linear RGB of the outer iris and of the ring about the pupil."""
    share = float(np.clip(BLUE_PER_SD * blue, 0, 1))
    tones = np.array([[np.interp(share, SHARES, row[:, k]) for k in range(3)] for row in (OUTER, INNER)])
    verdant = float(np.clip(GREEN_PER_SD * green, 0, 1)) * (1 - 0.45 * share)
    tones += (GREEN - tones) * verdant
    grey = float(np.clip(-GREY_PER_SD * green, 0, 0.85))
    tones += (tones.mean(axis=1, keepdims=True) - tones) * grey
    tones += (DARK - tones) * float(np.clip(-DARK_PER_SD * blue, 0, 1))
    linear = np.where(tones <= 10.3, tones / 3294.6, ((tones / 255 + 0.055) / 1.055) ** 2.4)
    return linear[0], linear[1]


def _fibres(reach: Floats, around: Floats) -> Floats:
    """Brightness of the fibres that run from the pupil to the rim, about 1."""
    random = np.random.default_rng(23)
    total = np.zeros_like(reach)
    for waves in (9, 14, 21, 29, 38, 47, 59, 71):
        bend, phase = random.uniform(-1.2, 1.2), random.uniform(0, 6.28)
        total += np.sin(waves * around + bend * reach * 4 + phase) * random.uniform(0.5, 1.0)
    crypts = np.sin(6 * around + 2.0) * np.sin(9 * reach + 3 * np.sin(2 * around))
    return np.asarray(np.clip(1.04 + 0.13 * total + 0.07 * crypts, 0.5, 1.7))


def _disc(model: TexturedModel, size: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Texels of the iris, how far each lies between pupil (0) and rim (1), and its angle."""
    known = _DISCS.setdefault(model, {})
    if size not in known:
        masks = model.masks(size)[[model.region_names.index(name) for name in REGIONS]].double().numpy()
        pupil, coloured = masks[3], masks.sum(axis=0)
        rows, columns = np.nonzero(pupil > 0.5)
        middle = rows.mean(), columns.mean()
        pupil_edge, rim = np.sqrt((pupil > 0.5).sum() / np.pi), np.sqrt((coloured > 0.5).sum() / np.pi)
        rows, columns = np.nonzero(coloured > 0.02)
        away = np.hypot(rows - middle[0], columns - middle[1])
        around = np.arctan2(rows - middle[0], columns - middle[1])
        known[size] = rows * size + columns, (away - pupil_edge) / (rim - pupil_edge), around
    return known[size]


def _rising(low: float, high: float, value: Floats) -> Floats:
    """0 at low, 1 at high, smooth between; low > high falls."""
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))
