"""Paints hair that lies in the skin's own texture: brows, cropped scalp, stubble, lashes.

Places are millimetres on the mean face; "around" is the azimuth about the head's vertical
axis, 0 degrees in front and 180 at the back, the same on both sides.
"""

from __future__ import annotations

import numpy as np

from facegpt_model.morphable.build.canvas import Canvas
from facegpt_model.morphable.build.noise import smoothstep, value_noise
from facegpt_model.morphable.build.wheel import FloatArray

HEAD_AXIS_Z = -85.0
# Hairline: height y of the hair's lower edge at azimuth degrees; recess, temple, sideburn, nape.
HAIRLINE = np.array(
    [
        [0, 96],
        [10, 97],
        [20, 99.5],
        [29, 101],
        [37, 98],
        [45, 88],
        [52, 75],
        [58, 62],
        [63, 50],
        [67, 36],
        [71, 22],
        [75, 13],
        [80, 12],
        [86, 20],
        [92, 26],
        [104, 26],
        [112, 14],
        [118, 0],
        [130, -24],
        [150, -40],
        [180, -46],
    ]
)
# Beard's upper edge: height y at distance |x| from the middle.
BEARD_LINE = np.array(
    [[0, -13], [8, -13], [16, -16], [22, -22], [30, -29], [42, -31], [54, -25], [64, -8], [72, 14]]
)
# Brow: distance |x| from the middle, height above the landmarks' mean, half thickness.
BROW = np.array(
    [
        [8.0, -1.6, 0.0],
        [10.0, -1.3, 1.6],
        [13, -0.8, 3.7],
        [18, 0.0, 4.7],
        [26, 1.1, 4.8],
        [34, 2.0, 4.3],
        [42, 1.9, 3.3],
        [49, 0.3, 2.2],
        [55, -2.2, 1.2],
        [60, -4.6, 0.0],
    ]
)


def _around(canvas: Canvas) -> FloatArray:
    x, z = np.abs(canvas.place[..., 0]), canvas.place[..., 2]
    return np.rad2deg(np.arctan2(x, z - HEAD_AXIS_Z))


def scalp(canvas: Canvas) -> FloatArray:
    """Short cropped hair with an uneven, soft edge; thinner at the edge."""
    edge = np.interp(_around(canvas), HAIRLINE[:, 0], HAIRLINE[:, 1])
    uneven = 5.0 * (value_noise(canvas.place, 9.0, 31) - 0.5) + 5.0 * (
        value_noise(canvas.place, 2.2, 32) - 0.5
    )
    inside = canvas.place[..., 1] - edge + uneven
    thick = 0.6 * smoothstep(-3.5, 3.5, inside) + 0.4 * smoothstep(0.0, 16.0, inside)
    grain = 0.9 + 0.1 * value_noise(canvas.place, 1.4, 33)
    skin = canvas.face() | (canvas.place[..., 1] > -60) & (canvas.place[..., 2] < -90)
    return thick * grain * skin * (1 - smoothstep(0.75, 1.0, canvas.ears))


def beard(canvas: Canvas) -> FloatArray:
    """Where stubble grows: moustache, chin, cheeks, under the jaw."""
    x, y, z = np.abs(canvas.place[..., 0]), canvas.place[..., 1], canvas.place[..., 2]
    line = np.interp(x, BEARD_LINE[:, 0], BEARD_LINE[:, 1])
    uneven = 5.0 * (value_noise(canvas.place, 7.0, 34) - 0.5)
    below = smoothstep(-3.0, 7.0, line - y + uneven)
    neck = smoothstep(-98.0, -70.0, y + uneven)
    front = smoothstep(-92.0, -76.0, z)
    bare_corner = 0.5 * np.exp(-(((x - 17) / 6) ** 2) - ((y + 50) / 5) ** 2)
    grain = 0.7 + 0.3 * value_noise(canvas.place, 1.1, 35)
    outer = canvas.face() | (canvas.place[..., 1] < -60)
    return below * neck * front * grain * (1 - bare_corner) * outer * (1 - smoothstep(0.2, 0.7, canvas.ears))


def _brow_profile(canvas: Canvas, widen: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Along the brow (mm), across it (-1 lower to 1 upper edge) and its half thickness (mm)."""
    marks = canvas.landmarks[22:27]
    along = np.abs(canvas.place[..., 0])
    ridge = marks[:, 1].mean() + _rounded(BROW[:, 0], BROW[:, 1], along)
    half = _rounded(BROW[:, 0], BROW[:, 2], along) * widen
    across = (canvas.place[..., 1] - ridge) / np.maximum(half, 1e-3)
    return along, across, half


def _rounded(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """A line through points with its corners rounded, so that the brow has none; flat beyond the ends."""
    fine = np.linspace(x[0], x[-1], 300)
    kernel = np.hanning(41)
    smooth = np.convolve(np.pad(np.interp(fine, x, y), 20, mode="edge"), kernel / kernel.sum(), mode="valid")
    return np.interp(at, fine, smooth)


def _strokes(along: FloatArray, height: FloatArray) -> FloatArray:
    """Hair-like streaks: upright at the nose, lying outwards towards the tail.

    along: mm from the middle; height: mm above the brow's line. Streaks are lines of equal
    distance across the hairs, whose lean varies along the brow.
    """
    fine = np.linspace(0, 70, 281)
    lean = np.deg2rad(np.interp(fine, [10, 18, 32, 56], [68, 46, 27, 14]))
    travelled = np.cumsum(np.sin(lean)) * (fine[1] - fine[0])
    across_hair = np.interp(along, fine, travelled) - np.interp(along, fine, np.cos(lean)) * height
    along_hair = np.interp(along, fine, np.cos(lean)) * along + np.interp(along, fine, np.sin(lean)) * height
    return value_noise(np.stack([across_hair / 0.6, along_hair / 5.0], axis=-1) + 40.0, 1.0, 36)


def brow(canvas: Canvas) -> FloatArray:
    """The brows' body: soft at the edges, tapered to the tail."""
    along, across, half = _brow_profile(canvas, 1.0)
    soft = np.clip(1 - np.abs(across), 0, 1) ** 0.7
    ends = smoothstep(8.5, 15.0, along) * smoothstep(61.0, 52.0, along)
    streaks = 0.66 + 0.36 * smoothstep(0.2, 0.75, _strokes(along, across * half))
    front = canvas.face() & (half > 0) & (canvas.place[..., 2] > -40)
    return 0.95 * soft * ends * streaks * front


def brow_rim(canvas: Canvas) -> FloatArray:
    """A ring of hairs about the brows that makes them thicker."""
    along, across, half = _brow_profile(canvas, 1.7)
    soft = np.clip(1 - np.abs(across), 0, 1) ** 0.8
    ends = smoothstep(7.0, 13.0, along) * smoothstep(61.0, 52.0, along)
    streaks = 0.35 + 0.75 * smoothstep(0.3, 0.7, _strokes(along, across * half))
    front = canvas.face() & (half > 0) & (canvas.place[..., 2] > -40)
    return 0.9 * soft * ends * streaks * front


def lashes(canvas: Canvas) -> FloatArray:
    """A dark line along the upper lid's front edge, fainter along the outer part of the lower one.

    The front edge is the third row of the mesh from where the lid touches the eye.
    """
    upper = np.zeros((canvas.size, canvas.size))
    along = np.zeros((canvas.size, canvas.size))
    for lid in canvas.lids:
        inner, outer = lid[np.abs(lid[:, 0]).argmin()], lid[np.abs(lid[:, 0]).argmax()]
        share = (canvas.place[..., 0] - inner[0]) / (outer[0] - inner[0])
        side = canvas.place[..., 0] * inner[0] > 0
        chord = inner[1] + share * (outer[1] - inner[1])
        upper = np.where(side, smoothstep(-0.6, 0.8, canvas.place[..., 1] - chord), upper)
        along = np.where(side, share, along)
    band = smoothstep(1.2, 2.2, canvas.lid_ring) * smoothstep(5.6, 4.3, canvas.lid_ring)
    fine = smoothstep(1.6, 2.4, canvas.lid_ring) * smoothstep(4.2, 3.2, canvas.lid_ring)
    above = 0.95 * band * upper * smoothstep(0.02, 0.25, along)
    below = 0.4 * fine * (1 - upper) * smoothstep(0.25, 0.6, along)
    return np.maximum(above, below) * canvas.face()
