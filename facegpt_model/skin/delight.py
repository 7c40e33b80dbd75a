"""Takes the light out of an unprojected portrait; what is left is pigment.

A colour is split, in logarithms, into melanin, blood and an achromatic rest (Tsumura et al.
1999): log RGB = m P_melanin + h P_blood + g. Light changes g alone, as far as lamps are of one
colour, so shadows, sockets and folds go with it. The light's nine spherical harmonics are fitted
to say what g should be: places that are much brighter (shine) or darker (cast shadow, hair) than
lit skin, or of another colour (beards, glasses, lipstick), hardly count.

Two traces of light remain in the colour and are removed as well: how it drifts with brightness
(shine and the camera's curve), and what the lamps' own colours add across the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.skin.unproject import Unprojected

Array = NDArray[np.floating[Any]]

LEAST_FACING, FULL_FACING = 0.3, 0.7  # cosines between which a texel's weight rises to 1
OPENNESS_POWER = 0.8  # how strongly what a place sees of its surroundings dims it
STEPS = 6
OUTLIER = 3.0  # robust deviations at which a texel counts a quarter
LEAST_BRIGHTNESS_SD, LEAST_PIGMENT_SD = 0.08, 0.05
LIGHT_RIDGE = np.array([0.0, *[0.02] * 3, *[0.05] * 5])
FLOOR = 1e-3


@dataclass(frozen=True)
class PigmentMap:
    """What one portrait tells of pigment on n texels.

    pigment: (n, 2) melanin and blood relative to the person's plain skin, log-albedo
    weight: (n,) in [0, 1]; tone: (2,) those of the plain skin; unlit: (n,) log of how much
    brighter a place is than the fitted light makes it
    """

    pigment: Array
    weight: Array
    tone: Array
    unlit: Array


def pigment_map(found: Unprojected, skin: Array, openness: Array, pigments: Array) -> PigmentMap:
    """Split one portrait into pigment and light.

    skin: (n,) in [0, 1] where the model has bare skin; openness: (n,) see mean_openness;
    pigments: (2, 3) see tones.pigments
    """
    logs = np.log(np.maximum(found.colour, FLOOR))
    split = logs @ np.linalg.inv(np.vstack([pigments, np.ones(3)]))
    facing = np.clip((found.facing - LEAST_FACING) / (FULL_FACING - LEAST_FACING), 0, 1)
    trusted = skin * facing * found.seen
    harmonics = sh_basis(torch.from_numpy(found.normal)).numpy()
    brightness = logs.mean(axis=1) - OPENNESS_POWER * np.log(np.maximum(openness, 0.05))
    used = np.nonzero(trusted > 0.05)[0]
    weight = np.zeros(len(skin))
    unlit, tone = np.zeros(len(skin)), np.zeros(2)
    if len(used) < 500:
        return PigmentMap(np.zeros((len(skin), 2)), weight, tone, unlit)
    unlit[used], weight[used], slopes = _without_light(
        split[used, :2], brightness[used], harmonics[used], trusted[used]
    )
    design = _drift(brightness, harmonics)
    return PigmentMap(split[:, :2] - design @ slopes, weight, slopes[0], unlit)


def _drift(brightness: Array, harmonics: Array) -> Array:
    """(n, 4): constant, brightness, and what varies across and up with the normal."""
    return np.column_stack([np.ones(len(brightness)), brightness, harmonics[:, 3], harmonics[:, 1]])


def _without_light(
    pigment: Array, brightness: Array, harmonics: Array, trusted: Array
) -> tuple[Array, Array, Array]:
    """Brightness beyond the light, robust weights, and the slopes (4, 2) of pigment on _drift."""
    level = np.exp(brightness)
    weight, expected = trusted, np.full(len(level), np.average(level, weights=trusted))
    design = _drift(brightness, harmonics)
    unlit, slopes = brightness - np.log(expected), np.zeros((4, 2))
    for _ in range(STEPS):
        each = weight / expected**2
        normal = (harmonics * each[:, None]).T @ harmonics + each.sum() * np.diag(1e-3 + LIGHT_RIDGE)
        light = np.linalg.solve(normal, (harmonics * each[:, None]).T @ level)
        expected = np.maximum(harmonics @ light, 0.02)
        unlit = brightness - np.log(expected)
        normal = (design * weight[:, None]).T @ design + 1e-3 * weight.sum() * np.diag([0.0, 1.0, 1.0, 1.0])
        slopes = np.linalg.solve(normal, (design * weight[:, None]).T @ pigment)
        apart = np.column_stack([unlit, pigment - design @ slopes])
        spread = 1.48 * np.median(np.abs(apart), axis=0)
        spread = np.maximum(spread, [LEAST_BRIGHTNESS_SD, LEAST_PIGMENT_SD, LEAST_PIGMENT_SD])
        weight = trusted / (1 + ((apart / (OUTLIER * spread)) ** 2).sum(axis=1)) ** 2
    return unlit, weight, slopes
