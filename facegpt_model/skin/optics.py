"""Skin colour from pigments: melanin in the epidermis over blood in the dermis.

Two layers after Kubelka and Munk, with K = 2 mu_a and S = 3/4 mu_s', the lower one without end:
    R = R_1 + T_1^2 R_2 / (1 - R_1 R_2)
per wavelength, then to linear sRGB under daylight D65. What little the epidermis itself scatters
back keeps very dark skin from turning orange. Gloss of the surface is not part of it.

Sources: absorption of melanosomes and of bloodless skin after Jacques 1998
(omlc.org/news/jan98/skinoptics.html), scattering of skin after Jacques 2013 (Phys. Med. Biol.
58 R37), haemoglobin after Prahl's table (omlc.org/spectra/hemoglobin), colour matching after
Wyman, Sloan and Shirley 2013 (JCGT 2(2)), D65 after CIE 15. Lengths are centimetres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

WAVELENGTHS = np.arange(400.0, 701.0, 10.0)
OXYHAEMOGLOBIN = np.array(
    [
        *(266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209.2, 26629.2, 23684.4, 20932.8),
        *(20035.2, 24202.4, 39956.8, 53236, 43016, 32613.2, 44496, 50104, 14400.8, 3200, 1506, 942),
        *(610, 442, 368, 319.6, 294, 277.6, 276, 290),
    ]
)  # molar extinction, 1 / (cm M)
DEOXYHAEMOGLOBIN = np.array(
    [
        *(223296, 303956, 407560, 528600, 413280, 103292, 23388.8, 16156.4, 14550, 16684, 20862),
        *(25773.6, 31589.6, 39036.4, 46592, 53412, 53788, 45072, 37020, 28324.4, 14677.2, 9443.6),
        *(6509.6, 5148.8, 4345.2, 3750.12, 3226.56, 2795.12, 2407.92, 2051.96, 1794.28),
    ]
)
DAYLIGHT = np.array(
    [
        *(82.75, 91.49, 93.43, 86.68, 104.87, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80),
        *(104.79, 107.69, 104.41, 104.05, 100.0, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70),
        *(80.03, 80.21, 82.28, 78.28, 69.72, 71.61),
    ]
)
TO_SRGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)  # of XYZ, IEC 61966-2-1
EPIDERMIS_CM = 0.006
OXYGEN = 0.75  # share of haemoglobin that carries oxygen
GRAMS_PER_LITRE, GRAMS_PER_MOLE = 150.0, 64500.0  # haemoglobin in blood


def skin_colour(melanosomes: Array, blood: Array) -> Array:
    """(..., 3) linear RGB albedo of skin.

    melanosomes: (...,) volume share in the epidermis, about 0.01 (very light) to 0.4 (very dark)
    blood: (...,) volume share in the dermis, about 0.002 to 0.07
    """
    return _linear_rgb(reflectance(melanosomes, blood))


def reflectance(melanosomes: Array, blood: Array) -> Array:
    """(..., L) diffuse reflectance at WAVELENGTHS; shares as in skin_colour."""
    nm = WAVELENGTHS
    bloodless = 0.244 + 85.3 * np.exp(-(nm - 154) / 66.2)
    melanin = 6.6e11 * nm**-3.33
    haemoglobin = OXYGEN * OXYHAEMOGLOBIN + (1 - OXYGEN) * DEOXYHAEMOGLOBIN
    whole_blood = np.log(10) * haemoglobin * GRAMS_PER_LITRE / GRAMS_PER_MOLE
    scattering = 46.0 * (nm / 500) ** -1.421
    share, filled = np.asarray(melanosomes)[..., None], np.asarray(blood)[..., None]
    epidermis = share * melanin + (1 - share) * bloodless
    dermis = filled * whole_blood + (1 - filled) * bloodless
    upper, lower = 2 * epidermis / (0.75 * scattering), 2 * dermis / (0.75 * scattering)
    deep = 1 + lower - np.sqrt(lower**2 + 2 * lower)
    steep = np.sqrt((1 + upper) ** 2 - 1)
    depth = steep * 0.75 * scattering * EPIDERMIS_CM
    below = (1 + upper) * np.sinh(depth) + steep * np.cosh(depth)
    back, through = np.sinh(depth) / below, steep / below
    return np.asarray(back + through**2 * deep / (1 - back * deep))


def _linear_rgb(spectrum: Array) -> Array:
    weight = colour_matching(WAVELENGTHS) * DAYLIGHT[:, None]
    weight = weight / weight[:, 1].sum()
    to_rgb = weight @ TO_SRGB.T
    return np.asarray(spectrum @ (to_rgb / to_rgb.sum(axis=0)))


def colour_matching(nm: Array) -> Array:
    """(L, 3) CIE 1931 x, y and z, as sums of skewed bells (Wyman, Sloan and Shirley 2013)."""

    def bell(height: float, centre: float, below: float, above: float) -> Array:
        width = np.where(nm < centre, below, above)
        return np.asarray(height * np.exp(-0.5 * ((nm - centre) / width) ** 2))

    x = bell(1.056, 599.8, 37.9, 31.0) + bell(0.362, 442.0, 16.0, 26.7) + bell(-0.065, 501.1, 20.4, 26.2)
    y = bell(0.821, 568.8, 46.9, 40.5) + bell(0.286, 530.9, 16.3, 31.1)
    z = bell(1.217, 437.0, 11.8, 36.0) + bell(0.681, 459.0, 26.0, 13.8)
    return np.stack([x, y, z], axis=1)
