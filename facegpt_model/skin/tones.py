"""The regions' colours on skin whose tone comes from optics instead of a painter's eye.

The portraits are mostly of older, light-skinned men, so what they say about tone is not used:
melanin and haemoglobin, the two axes of tone, span the ranges that Jacques 1998 gives for
people. Averages over the face (red cheeks, dark sockets) are left to the learned detail.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.palette import (
    REACH,
    Colour,
    Paint,
    Palette,
    Tones,
    paints,
    palette,
    skin_paint,
    to_srgb,
)
from facegpt_model.skin.optics import skin_colour

Array = NDArray[np.floating[Any]]

MELANOSOMES, MELANIN_STEP = 0.043, 0.8  # volume share at z = 0; its logarithm per sd: 0.6 % to 32 %
BLOOD, BLOOD_STEP = 0.022, 0.45  # likewise for blood in the dermis: 0.7 % to 7 %
FLUSH = 1.6  # how much more than elsewhere blood varies in cheeks, nose and ears

# Log of lips over cheeks in linear RGB at light, medium and dark tones: medians of the portraits'
# lips as they are lit, less a tenth, since lips look down from the lamps.
LIPS_OVER_SKIN = ((-0.38, -0.80, -0.64), (-0.36, -0.74, -0.54), (-0.02, -0.12, 0.28))


def tone(melanin: float, haemoglobin: float = 0.0) -> Array:
    """(3,) linear RGB of plain skin at standard deviations of the two components."""
    melanosomes = MELANOSOMES * np.exp(MELANIN_STEP * np.array(melanin))
    return skin_colour(melanosomes, BLOOD * np.exp(BLOOD_STEP * np.array(haemoglobin)))


def three_tones() -> Tones:
    """sRGB 0-255 of plain skin at melanin -REACH, 0 and REACH."""
    light, middle, dark = (to_srgb(tone(z)) * 255 for z in (-REACH, 0.0, REACH))
    return _colour(light), _colour(middle), _colour(dark)


def lip_tones() -> Tones:
    """sRGB 0-255 of lips at melanin -REACH, 0 and REACH."""
    found = []
    for z, over in zip((-REACH, 0.0, REACH), LIPS_OVER_SKIN, strict=True):
        found.append(_colour(to_srgb(tone(z) * np.exp(np.array(over))) * 255))
    return found[0], found[1], found[2]


def blood_gain() -> Colour:
    """Log factor of linear RGB per standard deviation of haemoglobin, of medium skin."""
    return _colour((np.log(tone(0.0, 1.0)) - np.log(tone(0.0, -1.0))) / 2)


def pigments() -> Array:
    """(2, 3) change of log RGB by more melanin and by more blood, each of mean -1, of light skin."""
    melanin = np.log(tone(0.0)) - np.log(tone(-1.0))
    blood = np.log(tone(-0.5, 0.5)) - np.log(tone(-0.5, -0.5))
    return np.stack([melanin / -melanin.mean(), blood / -blood.mean()])


def skin_paints() -> dict[str, Paint]:
    """Paints of all regions: skin's own follow the three tones, everything else is as painted."""
    table, tones = paints(), three_tones()
    table |= {
        "skin": skin_paint(tones),
        "mottle": skin_paint(tones),
        "flush": skin_paint(tones, blood=FLUSH),
        "socket": skin_paint(tones, blood=0.8),
        "lips": replace(table["lips"], tones=lip_tones()),
        "wrinkles": skin_paint(tones, 0.62, (1.0, 0.88, 0.82), cover=table["wrinkles"].cover),
        "freckles": skin_paint(tones, 0.55, (1.0, 0.78, 0.60), cover=table["freckles"].cover),
    }
    return table


def skin_palette(regions: tuple[str, ...]) -> Palette:
    """Tables of the regions' colours for the head model."""
    return palette(regions, skin_paints(), blood_gain())


def _colour(values: Array) -> Colour:
    return float(values[0]), float(values[1]), float(values[2])
