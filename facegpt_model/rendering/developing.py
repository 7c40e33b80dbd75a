"""From linear light per sample to an 8-bit sRGB picture: hair laid over, exposed, toned, averaged."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.mesh import srgb

Array = NDArray[np.float32]
SHOULDER = 0.55  # linear brightness above which highlights are compressed
BRIGHTEST, STEPS = 4.0, 16384  # the table of tones: its end, which is white, and its entries


def developed(
    colour: Array, shown: Array, hair: Array, fade: Array, exposure: float, samples: int
) -> NDArray[np.uint8]:
    """(S, S, 4) sRGB and opacity of linear light, the mean of samples x samples each.

    colour: (P, P, 3), counting where shown (P, P) is 1; hair: (P, P, 4) premultiplied, over it, or
    (0, 0, 4) for none; fade: (P,) opacity of each row of both where there is hair
    """
    return _develop(colour, shown, hair, fade, exposure, samples, _tones())


@njit(cache=True, nogil=True, fastmath=True)
def _develop(
    colour: np.ndarray,
    shown: np.ndarray,
    hair: np.ndarray,
    fade: np.ndarray,
    exposure: float,
    samples: int,
    tones: np.ndarray,
) -> np.ndarray:
    size, haired = len(shown) // samples, len(hair) > 0
    scale = exposure * (len(tones) - 2) / BRIGHTEST
    out = np.zeros((size, size, 4), np.uint8)
    light, summed = np.zeros(3), np.zeros(3)
    for y in range(size):
        for x in range(size):
            summed[:] = 0.0
            total = 0.0
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    cover = float(shown[row, column])
                    share = 1.0
                    for k in range(3):
                        light[k] = colour[row, column, k]
                    if haired:
                        over = hair[row, column, 3]
                        share = cover * (1.0 - over)
                        cover = over + share
                        for k in range(3):
                            light[k] = (hair[row, column, k] + share * light[k]) / max(cover, 1e-6)
                        cover *= fade[row]
                    if cover <= 0.0:
                        continue
                    for k in range(3):
                        at = min(max(light[k] * scale, 0.0), len(tones) - 2.001)
                        below = int(at)
                        toned = tones[below] + (at - below) * (tones[below + 1] - tones[below])
                        summed[k] += cover * toned
                    total += cover
            if total <= 0.0:
                continue
            for k in range(3):
                out[y, x, k] = int(255.0 * min(summed[k] / total, 1.0) + 0.5)
            out[y, x, 3] = int(255.0 * min(total / (samples * samples), 1.0) + 0.5)
    return out


def tone(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    """sRGB in [0, 1] of linear brightness: unchanged to SHOULDER, then a smooth roll-off to white."""
    room = 1 - SHOULDER
    rolled = SHOULDER + room * (1 - np.exp(-(linear - SHOULDER) / room))
    return srgb(np.where(linear > SHOULDER, rolled, linear))


@lru_cache(maxsize=1)
def _tones() -> Array:
    """(STEPS,) tone of evenly spaced brightness; between two entries it is off by less than 1 / 10,000."""
    return tone(np.linspace(0, BRIGHTEST * (STEPS - 1) / (STEPS - 2), STEPS)).astype(np.float32)
