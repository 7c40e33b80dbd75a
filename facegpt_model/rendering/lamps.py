"""The lamps of a still: a key lamp with shadow, a fill and a rim lamp, and light from sky and ground.

They stand with the camera. Frame as in skin_shading.py: x to the right of the picture, y up, z towards
the viewer. Colours are linear RGB; 1 from a key lamp lights a white wall that faces it fully. `STUDIO` is the
light of every portrait unless another is asked for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from torch import Tensor

from facegpt_model.rendering.lighting import Y0, Y1

Three = tuple[float, float, float]


class Lamps(NamedTuple):
    """Unit directions towards the lamps, and colours; the kernels take it as a plain tuple of tuples."""

    key: Three
    key_colour: Three
    fill: Three
    fill_colour: Three
    rim: Three
    rim_colour: Three
    sky: Three
    ground: Three


STUDIO = Lamps(
    key=(-0.508, 0.508, 0.696),  # a large soft lamp, upper left
    key_colour=(1.05, 0.98, 0.90),
    fill=(0.779, 0.052, 0.625),
    fill_colour=(0.20, 0.22, 0.25),
    rim=(0.627, 0.434, -0.647),  # from behind, so that the dark side keeps its outline
    rim_colour=(0.42, 0.43, 0.46),
    sky=(0.36, 0.375, 0.41),
    ground=(0.24, 0.20, 0.175),
)
WARM, COOL = (1.05, 0.98, 0.90), (0.90, 0.98, 1.08)
LEAST_AROUND = 0.06  # of light from everywhere beside the photo's one lamp


def _lamps(key: Three, strength: float, around: float, fill: Three, filled: float, rimmed: float) -> Lamps:
    """A key lamp of that strength, a fill lamp, light from everywhere, and the studio's rim lamp opposite."""
    side = -1.0 if key[0] > 0 else 1.0
    return Lamps(
        _unit(key),
        _times(WARM, strength),
        _unit(fill),
        _times(COOL, filled),
        (side * STUDIO.rim[0], *STUDIO.rim[1:]),
        _times(COOL, rimmed),
        _times(COOL, around),
        _times(WARM, 0.6 * around),
    )


def _unit(way: Three) -> Three:
    length = math.hypot(*way)
    return (way[0] / length, way[1] / length, way[2] / length)


def _times(colour: Three, share: float) -> Three:
    return (share * colour[0], share * colour[1], share * colour[2])


LIGHTS: dict[str, Lamps] = {
    "studio": STUDIO,
    "front": _lamps((0, 0.18, 1), 1.0, 0.3, (0, -0.5, 0.9), 0.1, 0.2),
    "left": _lamps((-1, 0.25, 0.45), 1.5, 0.13, (0.8, 0, 0.6), 0.05, 0.25),
    "right": _lamps((1, 0.25, 0.45), 1.5, 0.13, (-0.8, 0, 0.6), 0.05, 0.25),
    "above": _lamps((0, 1, 0.5), 1.65, 0.22, (0, 0.1, 1), 0.06, 0.2),
    "below": _lamps((0, -0.85, 0.6), 1.35, 0.13, (0, 0.4, 0.9), 0.05, 0.2),
    "soft": _lamps((-0.3, 0.6, 0.75), 0.3, 0.75, (0.6, 0.1, 0.8), 0.15, 0.1),
}


def lamps_of(light: Tensor) -> Lamps:
    """One lamp and light from everywhere that come near to nine coefficients (9, 3) of lighting.py.

    The lamp is where the linear part is brightest, of the colour it has there; the constant part beyond that
    lamp's own is sky and ground. As bright over the front of a head as the studio.
    """
    numbers = light.double().numpy()
    linear = numbers[[3, 1, 2]]  # rows x, y, z
    way = linear.mean(1)
    length = float(np.linalg.norm(way))
    if length < 1e-6:
        way, length = np.array([0.0, 0.0, 1.0]), 1.0
    way = way / length
    way[2] = max(way[2], 0.05)  # a lamp behind the head lights nothing that is seen
    way /= np.linalg.norm(way)
    lamp = np.maximum(way @ linear, 0) / (2 * math.pi / 3 * Y1)
    constant = numbers[0] * Y0
    around = np.maximum(constant - lamp / 4, LEAST_AROUND * np.maximum(constant, 1e-3))
    lean = np.clip(numbers[1] * Y1 - way[1] * lamp / 2, -0.5 * around, 0.5 * around)
    brightness = _brightness(STUDIO) / max(float((lamp * (0.5 + 0.5 * way[2]) / 2 + around).mean()), 1e-6)

    def three(values: np.ndarray) -> Three:
        return (float(values[0]), float(values[1]), float(values[2]))

    return Lamps(
        three(way),
        three(brightness * lamp),
        (0.0, 0.0, 1.0),
        (0.0, 0.0, 0.0),
        STUDIO.rim,
        (0.0, 0.0, 0.0),
        three(brightness * (around + lean)),
        three(brightness * (around - lean)),
    )


def _brightness(lamps: Lamps) -> float:
    """Mean light on normals all over the side of a ball that faces the viewer."""
    total = (np.mean(lamps.sky) + np.mean(lamps.ground)) / 2
    for way, colour in ((lamps.key, lamps.key_colour), (lamps.fill, lamps.fill_colour)):
        total += np.mean(colour) * (0.5 + 0.5 * way[2]) / 2
    return float(total)
