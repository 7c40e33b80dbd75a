"""Paints marks on the skin: folds of age and freckles. Places are mm on the mean face."""

from __future__ import annotations

import itertools

import numpy as np

from facegpt_model.morphable.build.canvas import Canvas
from facegpt_model.morphable.build.noise import smoothstep, value_noise
from facegpt_model.morphable.build.wheel import FloatArray

FRECKLES = 330
FRECKLE_SEED = 51


def distance(place: FloatArray, points: FloatArray) -> FloatArray:
    """(...,) mm from each place (..., D) to the nearest of a few points (n, D)."""
    nearest = np.full(place.shape[:-1], np.inf)
    for point in points:
        nearest = np.minimum(nearest, ((place - point) ** 2).sum(-1))
    return np.sqrt(nearest)


def polyline(corners: FloatArray, step: float) -> FloatArray:
    """(n, D) points every `step` mm along a line through corners (m, D)."""
    pieces = []
    for start, end in itertools.pairwise(corners):
        count = max(2, int(np.linalg.norm(end - start) / step))
        pieces.append(start + np.linspace(0, 1, count, endpoint=False)[:, None] * (end - start))
    return np.concatenate([*pieces, corners[-1:]])


def _folds(landmarks: FloatArray) -> list[tuple[FloatArray, float, float]]:
    """Lines (points (n, 2) x and y, half width mm, strength) of the left half of the face."""
    points = landmarks[:, :2]
    folds: list[tuple[FloatArray, float, float]] = []
    for height, reach in ((60.0, 30.0), (69.0, 36.0), (79.0, 30.0)):
        x = np.linspace(0, reach, 12)
        folds.append((np.stack([x, height + 1.5 * np.cos(x / 9.0) - x**2 / 700], axis=1), 0.7, 0.55))
    for degrees, length in ((28.0, 11.0), (2.0, 13.0), (-24.0, 11.0)):
        way = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
        folds.append((points[45] + np.array([[4.0], [length]]) * way, 0.6, 0.5))
    wing, corner = points[35] + np.array([3.5, 2.0]), points[54] + np.array([7.5, -1.0])
    bend = np.array([wing[0] + 6.0, (wing[1] + corner[1]) / 2 + 3.0])
    folds.append((np.stack([wing, bend, corner]), 1.3, 0.8))
    below = points[54] + np.array([3.0, -3.0])
    folds.append((np.stack([below, below + np.array([2.5, -13.0])]), 1.1, 0.5))
    folds.append((np.array([[3.6, 40.0], [4.2, 52.0]]), 0.7, 0.5))
    bag = points[[42, 47, 46, 45]] + np.array([[-1.0, -5.0], [0.0, -7.5], [1.0, -7.0], [2.0, -4.0]])
    folds.append((bag, 1.0, 0.5))
    return folds


def wrinkles(canvas: Canvas) -> FloatArray:
    """Folds of age; shows only with the albedo component "skin age"."""
    front = canvas.face() & (canvas.place[..., 2] > -45)
    side = np.where(canvas.place[..., :1] < 0, -1.0, 1.0) * np.array([1.0, 0.0]) + np.array([0.0, 1.0])
    wobble = 0.8 * (value_noise(canvas.place, 6.0, 41)[..., None] - 0.5)
    place = canvas.place[..., :2] * side + wobble
    shade: FloatArray = np.zeros((canvas.size, canvas.size))
    for line, half_width, strength in _folds(canvas.landmarks):
        near = distance(place, polyline(line, 0.8))
        shade = np.maximum(shade, strength * np.exp(-((near / half_width) ** 2)))
    grain = 0.18 * smoothstep(0.55, 0.9, value_noise(canvas.place, 2.2, 42))
    return np.maximum(shade, grain) * front


def freckles(canvas: Canvas) -> FloatArray:
    """Small dots over nose and cheeks; shows only with the albedo component "freckles"."""
    rng = np.random.default_rng(FRECKLE_SEED)
    x, y, z = np.abs(canvas.place[..., 0]), canvas.place[..., 1], canvas.place[..., 2]
    area = canvas.face() & (x < 58) & (y > -30) & (y < 25) & (z > -25)
    candidates = canvas.place[area]
    centres = candidates[rng.choice(len(candidates), FRECKLES, replace=False)]
    dots: FloatArray = np.zeros(len(candidates))
    for centre, size in zip(centres, rng.uniform(0.45, 1.0, FRECKLES), strict=True):
        dots = np.maximum(dots, np.exp(-((candidates - centre) ** 2).sum(-1) / size**2))
    mask = np.zeros((canvas.size, canvas.size))
    mask[area] = dots * np.exp(-(((x[area] - 22) / 24) ** 2) - ((y[area] - 4) / 17) ** 2)
    return mask
