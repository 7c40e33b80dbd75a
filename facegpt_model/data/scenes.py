"""Random light, poses, expressions and plain skin for synthetic pictures.

Poses: positive yaw turns the nose to the person's left, positive pitch raises the chin.
Colours are linear RGB. Everything is drawn from the generator it is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.rendering.cameras import portrait_rotation
from facegpt_model.rendering.lighting import ambient_light, directional_light

Floats = NDArray[np.float32]
BOX_TO_SIDE = 1.55  # side of a crop over the longer side of the landmarks' box, as of the photographs
NEAREST_MM, FARTHEST_MM = 450.0, 2500.0
ROLL_SD = 8.0
TALKING = 5  # at most so many actions at once


@dataclass(frozen=True)
class Placed:
    """A head before a camera with the principal point in the middle of the picture.

    rotation: (3, 3) head to camera; translation: (3,) mm; focal: pixels
    """

    rotation: Floats
    translation: Floats
    focal: float

    def project(self, points: Floats) -> Floats:
        """(N, 3) camera-frame mm of head-frame points: x right, y down, z forward."""
        return np.asarray(points @ self.rotation.T + self.translation, np.float32)

    def pixels(self, points: Floats, size: int) -> Floats:
        """(N, 2) pixels of head-frame points."""
        there = self.project(points)
        return np.asarray(self.focal * there[:, :2] / there[:, 2:] + size / 2, np.float32)


def random_rotation(rng: np.random.Generator, max_yaw: float, max_pitch: float) -> Floats:
    """(3, 3) head to camera: two in three mostly frontal, the rest anywhere within the limits (degrees)."""
    if rng.random() < 2 / 3:
        yaw, pitch = rng.normal(0, max_yaw / 3), rng.normal(0, max_pitch / 3)
    else:
        yaw, pitch = rng.uniform(-max_yaw, max_yaw), rng.uniform(-max_pitch, max_pitch)
    facing = portrait_rotation(
        float(np.clip(yaw, -max_yaw, max_yaw)), float(np.clip(pitch, -max_pitch, max_pitch))
    )
    return np.asarray(_roll(math.radians(rng.normal(0, ROLL_SD))) @ facing.numpy(), np.float32)


def framed(rng: np.random.Generator, rotation: Floats, points: Floats, size: int) -> Placed:
    """A camera at a random distance that sees the (N, 3) landmarks as a crop of a photograph would."""
    distance = math.exp(rng.uniform(math.log(NEAREST_MM), math.log(FARTHEST_MM)))
    turned = points @ rotation.T + np.array([0, 0, distance])
    flat = turned[:, :2] / turned[:, 2:]
    low, high = flat.min(axis=0), flat.max(axis=0)
    side = BOX_TO_SIDE * float((high - low).max()) * rng.uniform(0.9, 1.12)
    middle = (low + high) / 2 + rng.normal(0, 0.03, 2) * side
    translation = np.append(-middle * distance, distance)
    return Placed(rotation, np.asarray(translation, np.float32), size / side)


def nudged(rng: np.random.Generator, placed: Placed) -> Placed:
    """Nearly the same pose: a few degrees, a few percent."""
    yaw, pitch, roll = rng.normal(0, 1, 3) * (4.0, 4.0, 2.0)
    facing = portrait_rotation(float(yaw), float(pitch)).numpy()
    small = np.diag([1.0, -1.0, -1.0]) @ facing  # the turn alone, in the head's own frame
    rotation = _roll(math.radians(roll)) @ placed.rotation @ small
    return Placed(
        np.asarray(rotation, np.float32), placed.translation, placed.focal * float(rng.uniform(0.95, 1.06))
    )


def random_light(rng: np.random.Generator) -> Floats:
    """(9, 3) spherical-harmonic light: a tinted sky, one to three lamps from the front half."""
    light = ambient_light(_tinted(rng, rng.uniform(0.2, 0.75), 0.06)).numpy()
    for _ in range(rng.integers(1, 4)):
        direction = rng.normal(size=3)
        direction[2] = abs(direction[2]) + 0.2
        light = (
            light + directional_light(direction.tolist(), _tinted(rng, rng.uniform(0.15, 1.0), 0.1)).numpy()
        )
    return np.asarray(light, np.float32)


def random_expression(
    rng: np.random.Generator, names: Sequence[str], seen: Floats | None, calm: float = 0.25
) -> Floats:
    """(E,) blend weights: calm, as somebody in a photograph (one of (N, E) `seen`), or a few actions."""
    weights = np.zeros(len(names), np.float32)
    kind = rng.random()
    if kind < calm:
        return weights
    if seen is not None and len(seen) and kind < 0.65:
        base = seen[rng.integers(len(seen))] * rng.uniform(0.5, 1.2)
        return np.asarray(np.clip(base, 0, 1), np.float32)
    for _ in range(rng.integers(1, TALKING + 1)):
        index, value = int(rng.integers(len(names))), float(rng.uniform(0, 0.9))
        weights[index] = value
        twin = _other_side(names[index])
        if twin in names and rng.random() < 0.8:
            weights[names.index(twin)] = value
    return weights


def plain_colour(rng: np.random.Generator, skin: Floats) -> Floats:
    """(3,) one colour for a whole head: mostly near a skin's (3,), else grey or any."""
    kind = rng.random()
    if kind < 0.6:
        return np.asarray((skin * rng.uniform(0.8, 1.25) * (1 + rng.normal(0, 0.06, 3))).clip(0.02, 0.95))
    if kind < 0.85:
        return np.asarray(rng.uniform(0.15, 0.85) * (1 + rng.normal(0, 0.03, 3)).clip(0.8, 1.1))
    return np.asarray(rng.uniform(0.08, 0.85, 3))


def _other_side(name: str) -> str:
    return name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")


def _tinted(rng: np.random.Generator, level: float, spread: float) -> list[float]:
    return [float(c) for c in np.maximum(level * (1 + spread * rng.normal(size=3)), 0)]


def _roll(angle: float) -> NDArray[np.float64]:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
