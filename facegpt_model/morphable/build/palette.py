"""Colours of the regions and how the albedo components change them; linear RGB.

A region's colour for a code z is
    mix of clamp((mean + z @ basis) * exp(z @ gain), floor, 1) and veil by v(z)
where the veil is grey of hair or blue of eyes; an overlay (hair, folds, freckles) shows by
the share cover(z) only. v and cover are linear in z and clamped to [0, 1]. Melanin passes
through three tones, at z = -2.5, 0 and
2.5; blood, sallowness and hair colour are gains, so that they act alike on light and dark.
Tones were chosen by eye between published skin colours (individual typology angle about
60 to -55 degrees over that range).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from facegpt_model.morphable.build.wheel import FloatArray, IntArray

ALBEDO_NAMES = (
    "melanin",
    "haemoglobin",
    "sallow",
    "lip colour",
    "brow darkness",
    "brow thickness",
    "hair lightness",
    "hair redness",
    "hair grey",
    "scalp hair coverage",
    "beard shadow",
    "iris blue",
    "iris green",
    "freckles",
    "skin age",
    "lash darkness",
)
REACH = 2.5  # standard deviations at which melanin meets its end tones

Colour = tuple[float, float, float]
Share = tuple[float, dict[str, float]]  # at z = 0, and per standard deviation of named components
Tones = tuple[Colour, Colour, Colour]  # at melanin -REACH, 0 and REACH
SKIN: Tones = ((244, 208, 185), (214, 166, 136), (84, 54, 39))
HAIR: Colour = (40, 28, 21)
GREY_HAIR: Colour = (172, 170, 168)
RED_BLOOD: Colour = (0.025, -0.05, -0.04)
SALLOW: Colour = (-0.02, 0.0, -0.10)
BLUE_SHARE: Share = (0.0, {"iris blue": 0.45})


@dataclass(frozen=True)
class Paint:
    """One region's colour: tones are sRGB 0-255 at melanin -2.5, 0 and 2.5.

    gain: per albedo name the log factor per sd and channel; veil: sRGB colour mixed in by
    veil_share; cover: for overlays, the share that shows, else None; blood, sallow: how
    strongly those two components act
    """

    tones: Tones
    gain: dict[str, Colour] = field(default_factory=dict)
    veil: Colour = (0.0, 0.0, 0.0)
    veil_share: Share = (0.0, {})
    cover: Share | None = None
    blood: float = 0.0
    sallow: float = 0.0


def _plain(red: float, green: float, blue: float) -> Tones:
    """A colour that does not follow the skin."""
    return ((red, green, blue),) * 3


def skin_paint(
    tones: Tones,
    factor: float = 1.0,
    tint: Colour = (1, 1, 1),
    blood: float = 1.0,
    cover: Share | None = None,
) -> Paint:
    """Skin whose linear RGB is that of plain skin's three tones times a factor and a tint."""
    shaded = [to_srgb(to_linear(tone) * factor * np.array(tint)) * 255 for tone in tones]
    light, middle, dark = ((float(c[0]), float(c[1]), float(c[2])) for c in shaded)
    return Paint((light, middle, dark), blood=blood, sallow=1.0, cover=cover)


def _hair(colour: Colour, cover: Share, grey: float, lightness: float = 1.0) -> Paint:
    """Hair over skin: dark brown at z = 0, from black to blond, red and grey."""
    gain = {
        "hair lightness": (0.85 * lightness, 0.93 * lightness, 0.88 * lightness),
        "hair redness": (0.22, -0.10, -0.30),
    }
    return Paint(
        _plain(*colour), gain=gain, veil=GREY_HAIR, veil_share=(-0.15, {"hair grey": grey}), cover=cover
    )


def _iris(colour: Colour, veil: Colour) -> Paint:
    return Paint(_plain(*colour), gain={"iris green": (-0.05, 0.22, 0.02)}, veil=veil, veil_share=BLUE_SHARE)


def paints() -> dict[str, Paint]:
    """The paint of every region."""
    lip_gain: dict[str, Colour] = {"lip colour": (0.02, -0.16, -0.12)}
    lips = ((212, 146, 134), (184, 116, 104), (94, 55, 48))
    return {
        "skin": skin_paint(SKIN),
        "mottle": skin_paint(SKIN, 0.91, (1.0, 0.97, 0.95)),
        "flush": skin_paint(SKIN, 0.97, (1.02, 0.76, 0.72), blood=2.2),
        "socket": skin_paint(SKIN, 0.76, (1.0, 0.90, 0.93), blood=0.8),
        "lips": Paint(lips, gain=lip_gain, blood=0.9, sallow=0.4),
        "mouth_line": Paint(((112, 56, 50), (96, 48, 43), (44, 23, 20)), gain=lip_gain, blood=0.4),
        "wet_rim": Paint(((206, 146, 134), (190, 130, 118), (134, 86, 76)), blood=1.0),
        "sclera": Paint(((226, 221, 216), (223, 217, 210), (212, 202, 190)), blood=0.12),
        "sclera_shade": Paint(((176, 160, 152), (168, 150, 141), (140, 122, 112)), blood=0.2),
        "limbus": _iris((36, 27, 23), (52, 64, 76)),
        "iris": _iris((84, 51, 31), (92, 126, 154)),
        "iris_inner": _iris((118, 76, 44), (138, 152, 156)),
        "pupil": Paint(_plain(9, 8, 8)),
        "teeth": Paint(_plain(226, 214, 192)),
        "tongue": Paint(_plain(178, 96, 92)),
        "cavity": Paint(_plain(74, 26, 25)),
        "wrinkles": skin_paint(SKIN, 0.62, (1.0, 0.88, 0.82), cover=(0.0, {"skin age": 0.34})),
        "freckles": skin_paint(SKIN, 0.55, (1.0, 0.78, 0.60), cover=(0.0, {"freckles": 0.36})),
        "beard": _hair((58, 50, 46), (0.03, {"beard shadow": 0.25}), 0.3, 0.5),
        "brow_rim": _hair(HAIR, (0.0, {"brow thickness": 0.36}), 0.2, 0.8),
        "brow": _hair(HAIR, (0.80, {"brow darkness": 0.18}), 0.25, 0.8),
        "scalp": _hair(HAIR, (0.95, {"scalp hair coverage": 0.32}), 0.42),
        "lashes": Paint(((48, 32, 26), (40, 27, 22), (24, 17, 14)), cover=(0.66, {"lash darkness": 0.18})),
    }


def to_linear(srgb: Colour | FloatArray) -> FloatArray:
    """Linear RGB in [0, 1] of sRGB 0-255 (IEC 61966-2-1)."""
    value = np.asarray(srgb, dtype=np.float64) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: FloatArray) -> FloatArray:
    """sRGB in [0, 1] of linear RGB in [0, 1]."""
    value = np.clip(linear, 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


def through_three_tones(tones: Tones) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(mean, slope, gain), each (3,), so that (mean + z slope) exp(z gain) meets the tones at -2.5, 0, 2.5.

    With E = exp(2.5 gain): light E^2 - 2 mean E + dark = 0; the larger root is meant.
    """
    light, mean, dark = (to_linear(tone) for tone in tones)
    stretch = (mean + np.sqrt(np.maximum(mean**2 - light * dark, 0.0))) / light
    return mean, (mean - light * stretch) / REACH, np.log(stretch) / REACH


@dataclass(frozen=True)
class Palette:
    """All paints as arrays; R regions, A albedo components.

    mean, veil: (R, 3); basis, gain: (A, R, 3); veil_mean, cover_mean: (R,);
    veil_basis, cover_basis: (A, R); overlay: (R,) 1 for regions that lie over the others
    """

    mean: FloatArray
    basis: FloatArray
    gain: FloatArray
    veil: FloatArray
    veil_mean: FloatArray
    veil_basis: FloatArray
    cover_mean: FloatArray
    cover_basis: FloatArray
    overlay: IntArray


def palette(
    regions: tuple[str, ...],
    table: dict[str, Paint] | None = None,
    red_blood: Colour = RED_BLOOD,
) -> Palette:
    """The paints of `regions` in that order, from a table of them or paints().

    red_blood: log factor of skin's linear RGB per standard deviation of haemoglobin
    """
    table = paints() if table is None else table
    count = len(regions)
    place = {name: row for row, name in enumerate(ALBEDO_NAMES)}
    result = Palette(
        mean=np.zeros((count, 3)),
        basis=np.zeros((len(ALBEDO_NAMES), count, 3)),
        gain=np.zeros((len(ALBEDO_NAMES), count, 3)),
        veil=np.zeros((count, 3)),
        veil_mean=np.zeros(count),
        veil_basis=np.zeros((len(ALBEDO_NAMES), count)),
        cover_mean=np.ones(count),
        cover_basis=np.zeros((len(ALBEDO_NAMES), count)),
        overlay=np.array([int(table[name].cover is not None) for name in regions]),
    )
    for row, name in enumerate(regions):
        paint = table[name]
        melanin = place["melanin"]
        result.mean[row], result.basis[melanin, row], result.gain[melanin, row] = through_three_tones(
            paint.tones
        )
        result.gain[place["haemoglobin"], row] = paint.blood * np.array(red_blood)
        result.gain[place["sallow"], row] = paint.sallow * np.array(SALLOW)
        for component, gain in paint.gain.items():
            result.gain[place[component], row] = gain
        result.veil[row] = to_linear(paint.veil)
        result.veil_mean[row] = paint.veil_share[0]
        for component, share in paint.veil_share[1].items():
            result.veil_basis[place[component], row] = share
        if paint.cover is not None:
            result.cover_mean[row] = paint.cover[0]
            for component, share in paint.cover[1].items():
                result.cover_basis[place[component], row] = share
    return result
