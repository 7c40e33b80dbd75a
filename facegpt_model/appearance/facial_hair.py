"""Beard, goatee and moustache as strands that follow jaw and lips.

Places are on the mean head (mouth corners about |x| = 22, y = -34; upper lip's edge
y = -26; chin y = -73), millimetres.
"""

from __future__ import annotations

import numpy as np

from facegpt_model.appearance.hair import placed, strand_colours
from facegpt_model.appearance.head_space import Array, Ints, head_space
from facegpt_model.appearance.parameters import FacialHair
from facegpt_model.appearance.strand import Strands
from facegpt_model.appearance.strands import (
    CLEARANCE,
    CLING,
    CUT,
    GRAVITY_PULL,
    LENGTH,
    LIFT,
    RISE,
    RULES,
    Roots,
    along_skin,
    arc_length,
    frames,
    gather,
    grow,
    locks_of,
    scatter_roots,
    smooth_noise,
)
from facegpt_model.appearance.styles import smoothstep
from facegpt_model.face import FaceCode
from facegpt_model.morphable.textured import TexturedModel

STRANDS = 11000  # of a full beard with moustache
FOLLOW_MM = 1e6  # a beard goes wherever its root goes
NO_CURTAIN = np.array([[-500.0, 0], [-501, 0]])


def moustache_zone(place: Array) -> Array:
    """(N,) 1 between nose and upper lip and a little past the corners of the mouth."""
    x, y = np.abs(place[:, 0]), place[:, 1]
    lower = np.interp(x, [0, 8, 16, 24, 30], [-26, -26.5, -30, -38, -44])
    reach = smoothstep(33, 26, x + 0.5 * (y + 34))
    return smoothstep(-3, 1.5, y - lower) * reach * smoothstep(1.0, 3.5, x + 2.2)


def goatee_zone(place: Array) -> Array:
    """(N,) 1 on the chin and up beside the mouth."""
    x, y = np.abs(place[:, 0]), place[:, 1]
    half = np.interp(y, [-96, -80, -66, -50, -36], [20, 27, 29, 28, 30])
    inner = np.interp(y, [-52, -46, -38, -30], [-10, 6, 23, 23])
    return smoothstep(4, -3, x - half) * smoothstep(-2, 3, x - inner) * smoothstep(-30, -36, y)


def beard_zone(place: Array) -> Array:
    """(N,) 1 on cheeks, jaw and chin, 0 where the moustache grows."""
    return 1 - moustache_zone(place)


def density(worn: FacialHair, place: Array) -> Array:
    """(N,) in [0, 1], how densely hair grows there."""
    amounts = (
        (worn.moustache, moustache_zone),
        (worn.goatee, goatee_zone),
        (worn.beard, beard_zone),
    )
    layers = [min(1.0, 1.25 * amount) * zone(place) for amount, zone in amounts if amount > 0.02]
    return np.max(layers, axis=0) if layers else np.zeros(len(place))


def facial_strands(model: TexturedModel, code: FaceCode, worn: FacialHair) -> dict[str, Strands]:
    """Strands by name, "moustache" and "beard"; none of them where all numbers are 0."""
    if max(worn.moustache, worn.goatee, worn.beard) <= 0.02:
        return {}
    space = head_space(model)
    roots = scatter_roots(space, "beard", STRANDS, 31)
    random = np.random.default_rng(32)
    roots = roots[random.random(len(roots)) < density(worn, roots.place)]
    upper = moustache_zone(roots.place) > 0.5
    groups = {"moustache": roots[upper], "beard": roots[~upper]}
    return {
        name: _strands(model, code, worn, group, name == "moustache")
        for name, group in groups.items()
        if len(group) > 20
    }


def _strands(
    model: TexturedModel, code: FaceCode, worn: FacialHair, roots: Roots, moustache: bool
) -> Strands:
    space, random = head_space(model), np.random.default_rng(33 + moustache)
    place, count = roots.place, len(roots)
    side = np.where(place[:, 0] >= 0, 1.0, -1.0)
    x = np.abs(place[:, 0])
    rules = np.zeros((count, RULES), np.float32)
    vary = random.uniform(0.7, 1.1, count)
    if moustache:
        length = 7.0 + 26.0 * worn.length * (0.5 + 0.5 * smoothstep(4, 20, x))
        direction = np.stack([side * (0.35 + 0.05 * x), np.full(count, -1.0), np.full(count, 0.25)], axis=1)
        rules[:, LIFT] = 0.22
        rules[:, CLEARANCE] = 0.8 + 2.4 * random.random(count)
    else:
        chin = smoothstep(58, 12, x) * smoothstep(-30, -60, place[:, 1])
        length = 6.0 + (12 + 96 * chin) * worn.length**1.2 + 7.0 * chin * min(1.0, 6 * worn.length)
        direction = np.stack(
            [side * 0.10 * (1 - chin), np.full(count, -1.0), 0.18 + 0.5 * chin * (place[:, 1] < -55)], axis=1
        )
        rules[:, LIFT] = 0.24 + 0.14 * chin
        rules[:, CLEARANCE] = 0.6 + (1.6 + 4.0 * min(1.0, 3 * worn.length)) * random.random(count)
    edge = 0.45 + 0.55 * smoothstep(0.15, 0.8, roots.strength)
    rules[:, LENGTH] = length * vary * edge
    rules[:, GRAVITY_PULL] = 0.026
    rules[:, CLING] = 0.012
    rules[:, RISE] = 7.0
    rules[:, CUT] = -400
    drift = 0.20 * smooth_noise(place, 6.0, 34, 3) + random.normal(0, 0.20, (count, 3))
    points, _ = grow(space, roots, along_skin(direction + drift, roots.normal), rules, 12, NO_CURTAIN)
    group = (side > 0).astype(np.int64)
    locks = locks_of(place, group, max(count // 10, 8), random)
    points = gather(points, locks, random.uniform(0.1, 0.75, count).astype(np.float32), 0.55)
    points = _crimped(points, roots, locks, random)
    colour = strand_colours(model, code, "scalp", place, random)
    width = np.full(count, 0.24, np.float32) * random.uniform(0.7, 1.25, count).astype(np.float32)
    points = placed(model, code, roots, points, FOLLOW_MM)
    strips = locks_of(place, group, max(count // (4 if moustache else 8), 8), random)
    return Strands(
        points,
        colour,
        width,
        roots.normal,
        strips,
        roots.triangle,
        roots.weights,
        FOLLOW_MM,
        taper=0.3,
        tip_shade=1.1,
        root_shade=0.8,
    )


def _crimped(points: Array, roots: Roots, locks: Ints, random: np.random.Generator) -> Array:
    """Beard hair is never straight: a small wave of its own for each lock."""
    along = arc_length(points)
    up, across = frames(points, np.repeat(roots.normal[:, None], points.shape[1], axis=1))
    own = random.random((3, len(roots)))
    shared = 0.7 * own[:, locks] + 0.3 * own
    turn = 2 * np.pi * (along / (13 + 12 * shared[0])[:, None] + shared[1][:, None] * 3)
    rise = (0.7 + 1.6 * shared[2])[:, None] * (1 - np.exp(-along / 9.0))
    wave = np.sin(turn)[..., None] * across + 0.8 * np.cos(0.8 * turn)[..., None] * up
    return (points + rise[..., None] * wave).astype(np.float32)
