"""Folds of age as relief: forehead lines, crow's feet, bags, folds about the mouth, fine creases.

Heights are drawn once, on a frontal picture of the mean face (mm, x to the person's left, y up),
in three layers that appear one after the other; a face's own height is their weighted sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.appearance.coat import Coat
from facegpt_model.appearance.texels import Texels

Floats = NDArray[np.float64]
STEP_MM = 0.25
LEFT, RIGHT, BOTTOM, TOP = -78.0, 78.0, -125.0, 112.0
# Each layer's weight at components of "skin age" in standard deviations.
ONSET = {
    "early": ((-1.5, 0.0, 1.0, 2.0, 3.0), (0.0, 0.16, 0.62, 1.0, 1.15)),
    "middle": ((-0.2, 0.7, 1.5, 2.2, 3.0), (0.0, 0.30, 0.75, 1.0, 1.2)),
    "late": ((0.6, 1.4, 2.2, 3.0), (0.0, 0.40, 1.0, 1.25)),
}
SHADE = np.array([0.30, 0.38, 0.40])  # how much darker and redder the floor of a deep fold is
SPOT_TINT = np.array([0.66, 0.55, 0.46])  # colour of age spots, times the skin's
FACING = 0.12  # folds are drawn where the mean face's normal points at least so far forward


@dataclass(frozen=True)
class Fold:
    """A groove along points (n, 2): half width and depth in mm; lip: height of its shoulders by depth."""

    points: Floats
    width: float
    depth: float
    lip: float = 0.45


def age_weights(skin_age: float) -> dict[str, float]:
    """How far each layer shows for a value of the albedo component "skin age"."""
    return {name: float(np.interp(skin_age, *onset)) for name, onset in ONSET.items()}


def paint_folds(coat: Coat, texels: Texels, points68: Floats, skin_age: float) -> None:
    """Relief and the shade in its depths, for the mean face's landmarks (68, 3); nothing on the young."""
    weights = {name: weight for name, weight in age_weights(skin_age).items() if weight > 0}
    if not weights:
        return
    layers = _layers(tuple(map(tuple, np.round(points68[:, :2], 2).tolist())))
    height = np.zeros_like(layers["spots"])
    for name, weight in weights.items():
        height += np.float32(weight) * layers[name]
    spotted = float(np.clip(skin_age - 0.8, 0, 1.6) / 1.6)
    _fold(
        height, layers["spots"], spotted, texels.design, texels.facing, texels.index, coat.image, coat.slope
    )


@njit(cache=True, nogil=True, fastmath=True)
def _fold(
    height: np.ndarray,
    spots: np.ndarray,
    spotted: float,
    design: np.ndarray,
    facing: np.ndarray,
    index: np.ndarray,
    image: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Tilt and shade each texel of skin that looks forward by pictures of heights and spots, bilinear."""
    rows, columns = height.shape
    for f in range(len(index)):
        if facing[f] <= FACING or design[f, 2] <= -75.0:
            continue
        fade = min((facing[f] - FACING) / 0.2, 1.0)
        column = min(max((design[f, 0] - LEFT) / STEP_MM, 0.0), columns - 1.001)
        row = min(max((design[f, 1] - BOTTOM) / STEP_MM, 0.0), rows - 1.001)
        x, y = int(column), int(row)
        high = across = up = spot = 0.0
        for n in range(4):
            i, j = x + (n & 1), y + (n >> 1)
            s, t = column - x, row - y
            share = (s if n & 1 else 1.0 - s) * (t if n >> 1 else 1.0 - t)
            left, right, below, above = (
                max(i - 1, 0),
                min(i + 1, columns - 1),
                max(j - 1, 0),
                min(j + 1, rows - 1),
            )
            high += share * height[j, i]
            across += share * (height[j, right] - height[j, left]) / ((right - left) * STEP_MM)
            up += share * (height[above, i] - height[below, i]) / ((above - below) * STEP_MM)
            spot += share * spots[j, i]
        at = index[f]
        slope[at, 0] += across * fade
        slope[at, 1] += up * fade
        depth = min(max(-high / 0.7, 0.0), 1.0) * fade
        tinted = 0.75 * spotted * spot * fade
        for k in range(3):
            shaded = min(max(image[at, k] * (1.0 - SHADE[k] * depth), 0.0), 1.0)
            image[at, k] = shaded + (shaded * SPOT_TINT[k] - shaded) * tinted


@lru_cache(maxsize=2)
def _layers(marks: tuple[tuple[float, float], ...]) -> dict[str, NDArray[np.float32]]:
    """Heights of each layer, mm, row 0 at BOTTOM, and "spots", in [0, 1]."""
    points = np.array(marks)
    random = np.random.default_rng(5)
    shape = round((TOP - BOTTOM) / STEP_MM) + 1, round((RIGHT - LEFT) / STEP_MM) + 1
    layers = {name: np.zeros(shape) for name in ONSET}
    for name, folds in {"early": _early(points), "middle": _middle(points), "late": _late(points)}.items():
        for fold in folds:
            for side in (1.0, -1.0):
                _carve(layers[name], _natural(fold, side, random))
    for height, share in ((layers["early"], 0.6), (layers["late"], 1.0)):
        for side in (1.0, -1.0):
            _swell(
                height,
                _from(points[46], -3.5, -7.0),
                side,
                (9.5, 4.2),
                0.75 * share,
            )
            _swell(height, _from(points[54], 13.0, -13.0), side, (9.0, 12.0), 0.55 * share)  # jowls
    y, x = np.mgrid[BOTTOM : TOP + 1e-6 : STEP_MM, LEFT : RIGHT + 1e-6 : STEP_MM]
    layers["late"] += 0.05 * _creases(x, y, random)
    layers["spots"] = _spots(x, y, random)
    return {name: np.ascontiguousarray(layer, np.float32) for name, layer in layers.items()}


def _from(point: Floats, right: float, up: float) -> Floats:
    """A point so many mm farther out and up."""
    return point + np.array([right, up])


def _early(points: Floats) -> list[Fold]:
    """Laugh lines, hollows below the eyes, first lines between the brows."""
    wing, corner, eye = points[35], points[54], points[42:48]
    laugh = np.array(
        [_from(wing, 4.0, 5.0), _from(wing, 9.5, -3.0), _from(corner, 8.5, 12.0), _from(corner, 8.5, 1.0)]
    )
    hollow = np.array(
        [
            _from(eye[0], 0.5, -3.5),
            _from(eye[5], -2.0, -7.5),
            _from(eye[5], 5.0, -11.0),
            _from(eye[4], 5.0, -12.0),
        ]
    )
    frown = np.array([[4.2, points[27, 1] + 6.5], [5.2, points[27, 1] + 12.0], [6.0, points[27, 1] + 18.0]])
    return [Fold(laugh, 2.1, 0.85, 0.55), Fold(hollow, 1.9, 0.40, 0.25), Fold(frown, 0.9, 0.22)]


def _middle(points: Floats) -> list[Fold]:
    """Lines of the forehead, crow's feet, lines at the corners of the mouth, the bridge of the nose."""
    folds: list[Fold] = []
    brow = points[17:27, 1].mean()
    for rise, reach, depth in ((13, 34, 0.24), (20.5, 40, 0.30), (28.5, 37, 0.28), (36.5, 27, 0.20)):
        out = np.linspace(0, reach, 9)
        arch = 2.4 * np.sin(np.minimum(out / 21.0, 1.9) * np.pi / 2) - (out / 30.0) ** 3
        folds.append(Fold(np.stack([out - 1.0, brow + rise + arch - 1.5], axis=1), 1.15, depth))
    outer = points[45]
    for degrees, length, bend in ((38, 12, 0.3), (14, 15, 0.15), (-9, 15, -0.15), (-30, 13, -0.4)):
        t = np.linspace(0, 1, 6)
        way = np.deg2rad(degrees + 22 * bend * t)
        far = 5.0 + (length - 2.0) * t
        folds.append(Fold(outer + far[:, None] * np.stack([np.cos(way), np.sin(way)], 1), 0.75, 0.21))
    corner = points[54]
    folds.append(Fold(corner + np.array([[1.5, -1.0], [3.6, -6.0], [3.8, -13.0]]), 1.3, 0.45))
    nose = points[27]
    folds.append(Fold(np.array([[-1.0, nose[1] + 3.0], [5.5, nose[1] + 3.8]]), 0.8, 0.16))
    frown = np.array([[7.5, nose[1] + 9.0], [9.2, nose[1] + 15.0]])
    folds.append(Fold(frown, 0.9, 0.20))
    lower = points[[42, 47, 46, 45]]
    folds.append(Fold(lower + np.array([[4.0, -4.5], [0.0, -5.2], [1.0, -5.0], [1.0, -4.0]]), 0.7, 0.16))
    return folds


def _late(points: Floats) -> list[Fold]:
    """Lines about the lips, in the cheeks, at the temples and around the neck."""
    folds: list[Fold] = []
    for x, height in ((2.5, 5.5), (6.5, 5.5), (10.5, 5.0), (14.5, 4.0), (18.0, 3.0)):
        lip = np.interp(x, points[51:55, 0], points[51:55, 1]) + 1.2
        folds.append(Fold(np.array([[x, lip], [x * 1.08, lip + height]]), 0.55, 0.15))
        low = np.interp(x, points[[57, 56, 55, 54], 0], points[[57, 56, 55, 54], 1]) - 1.5
        folds.append(Fold(np.array([[x, low], [x * 1.05, low - 0.7 * height]]), 0.6, 0.10))
    corner, outer, wing = points[54], points[45], points[35]
    for out, depth in ((14.0, 0.30), (20.0, 0.24), (26.0, 0.18)):
        line = corner + np.array([[out - 3.5, 20.0], [out, 10.0], [out, -1.0], [out - 4.0, -13.0]])
        folds.append(Fold(line, 1.1, depth))
    for down in (9.0, 14.5):
        folds.append(
            Fold(outer + np.array([[7.0, -down], [2.0, -down - 5.5], [-5.0, -down - 8.5]]), 0.7, 0.15)
        )
    folds.append(Fold(wing + np.array([[17.0, 9.0], [25.0, 3.0], [30.0, -8.0]]), 0.8, 0.14))
    chin = points[8]
    for drop, depth in ((-19.0, 0.5), (-33.0, 0.4)):
        neck = np.linspace(-2, 38, 8)
        folds.append(Fold(np.stack([neck, chin[1] + drop + neck**2 / 140], axis=1), 1.5, depth))
    return folds


def _natural(fold: Fold, side: float, random: np.random.Generator) -> Fold:
    """The fold on one side of the face: dense points that wander a little, unlike the other side's."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fold.points, axis=0), axis=1))])
    t = np.arange(0, lengths[-1], 0.4)
    line = np.stack([np.interp(t, lengths, fold.points[:, k]) for k in (0, 1)], axis=1)
    kernel = np.hanning(min(25, 2 * (len(line) // 2) - 1))
    for k in (0, 1):
        padded = np.pad(line[:, k], len(kernel) // 2, mode="reflect", reflect_type="odd")
        line[:, k] = np.convolve(padded, kernel / kernel.sum(), mode="valid")[: len(line)]
    phase = random.uniform(0, 6.28, 4)
    sway = 0.32 * np.sin(t / 3.1 + phase[0]) + 0.22 * np.sin(t / 1.4 + phase[1]) + random.normal(0, 0.4)
    line += np.stack([0.4 * sway, sway], axis=1) * min(1.0, lengths[-1] / 25)
    line[:, 0] *= side
    return Fold(line, fold.width, fold.depth * random.uniform(0.8, 1.15), fold.lip)


def _carve(height: Floats, fold: Fold) -> None:
    """Sink a fold into a picture of heights, in place: a groove between soft shoulders."""
    room = 4.5 * fold.width
    low, high = fold.points.min(0) - room, fold.points.max(0) + room
    columns = np.arange(
        max(0, int((low[0] - LEFT) / STEP_MM)), min(height.shape[1], int((high[0] - LEFT) / STEP_MM) + 2)
    )
    rows = np.arange(
        max(0, int((low[1] - BOTTOM) / STEP_MM)), min(height.shape[0], int((high[1] - BOTTOM) / STEP_MM) + 2)
    )
    x, y = LEFT + STEP_MM * columns, BOTTOM + STEP_MM * rows
    count = len(fold.points)
    share = np.linspace(0, 1, count)
    uneven = 0.78 + 0.22 * np.sin(9.0 * share * count / 40 + fold.points[0, 0])
    strength = np.clip(np.minimum(share, 1 - share) * 4.5, 0, 1) ** 0.8 * uneven
    squared = np.full((len(rows), len(columns)), np.inf)
    here = np.zeros_like(squared)
    for (px, py), strong in zip(fold.points, strength, strict=True):
        away = ((y - py) ** 2)[:, None] + ((x - px) ** 2)[None]
        nearer = away < squared
        squared = np.where(nearer, away, squared)
        here = np.where(nearer, strong, here)
    reach = np.sqrt(squared) / fold.width
    groove = -np.exp(-(reach**2)) + fold.lip * np.exp(-(((reach - 1.9) / 1.1) ** 2))
    height[np.ix_(rows, columns)] += fold.depth * here * groove


def _swell(height: Floats, centre: Floats, side: float, radii: tuple[float, float], rise: float) -> None:
    """Raise a soft cushion, in place."""
    y, x = np.mgrid[BOTTOM : TOP + 1e-6 : STEP_MM, LEFT : RIGHT + 1e-6 : STEP_MM]
    height += rise * np.exp(-(((x - side * centre[0]) / radii[0]) ** 2) - ((y - centre[1]) / radii[1]) ** 2)


def _creases(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """Fine crossing lines all over, as of thin skin: ridges of noise at two scales, in [-1, 0]."""
    total = np.zeros_like(x)
    for period, share in ((2.6, 0.6), (1.3, 0.4)):
        lattice = random.random((128, 128))
        column, row = np.mod(x / period, 127), np.mod(0.8 * y / period, 127)
        i, j = column.astype(int), row.astype(int)
        s, t = (v * v * (3 - 2 * v) for v in (column - i, row - j))
        value = (lattice[j, i] * (1 - s) + lattice[j, i + 1] * s) * (1 - t)
        value += (lattice[j + 1, i] * (1 - s) + lattice[j + 1, i + 1] * s) * t
        total -= share * np.clip(1 - np.abs(value - 0.5) / 0.16, 0, 1)
    return total


def _spots(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """A dozen brown spots of age on temples, cheeks and forehead."""
    spots = np.zeros_like(x)
    for _ in range(16):
        side = random.choice([-1.0, 1.0])
        cx, cy = (
            side * random.uniform(26, 60),
            random.choice([random.uniform(-12, 8), random.uniform(55, 85)]),
        )
        radius, phase = random.uniform(0.9, 2.9), random.uniform(0, 6.28)
        around = np.arctan2(y - cy, x - cx)
        reach = np.hypot(x - cx, y - cy) / (radius * (1 + 0.18 * np.cos(3 * around + phase)))
        spots = np.maximum(spots, random.uniform(0.45, 1.0) * np.clip(1.6 - 1.2 * reach, 0, 1))
    return spots
