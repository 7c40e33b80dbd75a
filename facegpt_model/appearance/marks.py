"""Moles and scars, painted where they lie on this head and as large as they are there.

Distances are measured in space on the person's own neutral face, so that a mole is round on
the skin whatever the atlas does. Colours are linear RGB; heights are millimetres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.coat import Coat
from facegpt_model.appearance.parameters import Mole, Scar
from facegpt_model.appearance.places import Spot
from facegpt_model.appearance.texels import Texels

Floats = NDArray[np.float64]
LEAST = 0.02  # sizes and strengths below are nothing
MOLE_MM = (1.4, 7.0)  # widths of the smallest and the largest mole
MOLE_HEIGHT = 0.17  # of its radius
SCAR_MM = (8.0, 60.0)  # lengths at 0 and 1
SCAR_WIDTH_MM = 1.7
SCAR_HEIGHT_MM = 0.16
SCAR_PINK = np.array([0.74, 0.44, 0.38])
SAME_SHEET_MM = 30.0  # how far behind its middle a scar may run around the face


def paint_mole(coat: Coat, texels: Texels, vertices: NDArray[np.floating], mole: Mole, spot: Spot) -> None:
    """A dark, slightly domed spot with an edge that is not quite a circle."""
    if mole.size < LEAST:
        return
    radius = 0.5 * (MOLE_MM[0] + mole.size * (MOLE_MM[1] - MOLE_MM[0]))
    chosen = texels.near(vertices, spot.point, 2 * radius)
    from_middle = texels.on(vertices, chosen) - spot.point
    distance = np.linalg.norm(from_middle, axis=1)
    right = np.cross([0.0, 1.0, 0.0], spot.normal)
    around = np.arctan2(from_middle @ np.cross(spot.normal, right), from_middle @ right)
    phase = np.random.default_rng(round(1000 * (spot.point[0] ** 2 + 7 * spot.point[1] ** 2))).uniform(
        0, 6.28, 3
    )
    uneven = 1 + 0.09 * np.cos(2 * around + phase[0]) + 0.05 * np.cos(3 * around + phase[1])
    reach = distance / (radius * uneven)
    soft = max(0.16, 0.3 / radius)
    cover = _falling(1 - soft, 1 + soft, reach)
    skin = coat.colour(chosen)
    brightness = skin @ np.array([0.2126, 0.7152, 0.0722])
    pigment = (
        np.array([0.30, 0.21, 0.17]) + np.array([0.12, 0.14, 0.15]) * np.exp(-brightness / 0.12)[:, None]
    )
    mottled = 1 + 0.14 * np.cos(5.0 * from_middle[:, :1] / radius + phase[2]) * np.cos(
        4.3 * from_middle[:, 1:2] / radius
    )
    coat.mix(chosen, skin * pigment * mottled, 0.95 * cover)
    slope = np.where(reach < 1.15, -2 * MOLE_HEIGHT * np.minimum(reach, 1) ** 2 * 1.6, 0.0) * _falling(
        1.0, 1.3, reach
    )
    coat.tilt(chosen, from_middle / np.maximum(distance, 1e-6)[:, None] * slope[:, None])


def paint_scar(
    coat: Coat,
    texels: Texels,
    vertices: NDArray[np.floating],
    scar: Scar,
    spot: Spot,
    bare: NDArray[np.floating],
) -> None:
    """A pale, pinkish line of uneven width, a little raised; no brow grows on it.

    bare: (S * S, 3) the skin's colour without brows.
    """
    if scar.strength < LEAST:
        return
    half = 0.5 * (SCAR_MM[0] + scar.length * (SCAR_MM[1] - SCAR_MM[0]))
    chosen = texels.near(vertices, spot.point, half + 4)
    lean = scar.tilt * np.pi / 2
    along = np.array([np.sin(lean), np.cos(lean), 0.0])
    along -= spot.normal * (along @ spot.normal)
    along /= np.linalg.norm(along)
    beside = np.cross(along, spot.normal)
    from_middle = texels.on(vertices, chosen) - spot.point
    on_sheet = np.abs(from_middle @ spot.normal) < SAME_SHEET_MM
    s = from_middle @ along
    phase = np.random.default_rng(round(997 * abs(spot.point[0] + 3 * spot.point[1]))).uniform(0, 6.28, 5)
    wander = 0.020 * half * np.sin(2.6 * s / half + phase[0]) + 0.35 * np.sin(s / 2.9 + phase[1])
    aside = from_middle @ beside - wander
    uneven = 1 + 0.30 * np.sin(s / 2.1 + phase[2]) + 0.22 * np.sin(s / 0.9 + phase[3])
    taper = np.clip(1 - (np.abs(s) / half) ** 3, 0, 1)
    width = 0.5 * SCAR_WIDTH_MM * (0.55 + 0.45 * scar.strength) * uneven * taper + 1e-3
    reach = np.abs(aside) / width
    inside = on_sheet * (np.abs(s) < half)
    cover = _falling(0.55, 1.35, reach) * inside * np.clip(taper * 2.5, 0, 1)
    halo = np.exp(-((aside / 2.2) ** 2)) * inside * taper
    skin = bare[texels.index[chosen]]
    flush = coat.colour(chosen) * (1 - np.array([0.02, 0.14, 0.12]) * (scar.strength * halo)[:, None])
    coat.mix(chosen, flush, inside.astype(np.float64))
    grain = 1 + 0.10 * np.sin(s / 0.7 + phase[4] + 2 * aside)[:, None]
    pale = (0.62 * skin + 0.38 * SCAR_PINK) * grain
    coat.mix(chosen, skin + (pale - skin) * (0.35 + 0.65 * scar.strength), cover)
    slope = -SCAR_HEIGHT_MM * scar.strength * 2 * aside / 0.5 * np.exp(-((aside / 0.8) ** 2)) * inside * taper
    coat.tilt(chosen, beside[None] * slope[:, None])
    coat.shine(chosen, 1 + 0.35 * scar.strength * cover)


def _falling(low: float, high: float, value: Floats) -> Floats:
    """1 below low, 0 above high, smooth between."""
    ramp = np.clip((high - value) / (high - low), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))
