"""Hair of the scalp as strands, from the numbers of `Hair` and the head's colours."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from facegpt_model.appearance import styles
from facegpt_model.appearance.head_space import Array, HeadSpace, head_space
from facegpt_model.appearance.parameters import Hair
from facegpt_model.appearance.strand import Strands
from facegpt_model.appearance.strands import (
    Roots,
    arc_length,
    frames,
    gather,
    grow,
    locks_of,
    scatter_roots,
    smooth_noise,
)
from facegpt_model.face import FaceCode
from facegpt_model.morphable.textured import TexturedModel

STRANDS = 16000
LEAST_COVER = 0.12  # of the scalp's paint; a barer head grows no hair
FRINGE = 2  # beside -1 and 1, the sides of the parting
FOLLOW_MM = 30.0  # how far along the hair of the scalp an expression is felt
ROOTED_MM = 30.0  # how far along a strand it is bent so that its root sits on the skin
BUN_MM = 15.0, 17.0  # radius of a bun's ring and of its roll
TIE = np.array([0.0, 62.0, -190.0])


def scalp_strands(model: TexturedModel, code: FaceCode, hair: Hair) -> Strands | None:
    """The hair of one head, None where there is none: all numbers 0, or a bald scalp."""
    cover = scalp_cover(model, code)
    if not worn(hair) or cover < LEAST_COVER:
        return None
    grown = _around_mean(model, hair, cover)
    random = np.random.default_rng(11)
    random.bit_generator.state = grown.random_state
    roots = grown.roots
    points = placed(model, code, roots, grown.points, FOLLOW_MM)
    colour = strand_colours(model, code, "scalp", roots.place, random)
    thick = 0.30 if hair.length < 0.34 else 0.26
    width = np.full(len(roots), thick, np.float32) * random.uniform(0.75, 1.25, len(roots)).astype(np.float32)
    return Strands(points, colour, width, roots.normal, grown.lock, roots.triangle, roots.weights, FOLLOW_MM)


@dataclass(frozen=True)
class _Grown:
    """Hair around the mean head: (N, P, 3) points, their roots and locks, and where chance stood then."""

    points: Array
    roots: Roots
    lock: NDArray[np.int64]
    random_state: dict[str, Any]


_KEPT = 6  # haircuts remembered per model; an edit or another view keeps the haircut
_HAIRCUTS: WeakKeyDictionary[object, dict[tuple[Hair, float], _Grown]] = WeakKeyDictionary()


def _around_mean(model: TexturedModel, hair: Hair, cover: float) -> _Grown:
    """The haircut on the mean head, which no identity, expression or colour changes."""
    known = _HAIRCUTS.setdefault(model, {})
    if (hair, cover) not in known:
        space = head_space(model)
        random = np.random.default_rng(11)
        points, roots, side = _grown(space, hair, _rooted(space, hair, cover))
        points = _waved(hair, roots, points, side, random)
        free = (side == FRINGE) | ~styles.over_the_face(points)
        points, roots, side = points[free], roots[free], side[free]
        lock = locks_of(roots.place, side, _strips(hair), random)
        if len(known) >= _KEPT:
            known.pop(next(iter(known)))
        known[hair, cover] = _Grown(points, roots, lock, dict(random.bit_generator.state))
    return known[hair, cover]


def _strips(hair: Hair) -> int:
    """How many locks files show as strips."""
    if hair.wave > 0.5:
        return 420 if styles.curled(hair) < 0.5 else 1000
    return 2200 if hair.length < 0.34 else 1300


def worn(hair: Hair) -> bool:
    """Whether these numbers ask for more than the hair painted on the skin."""
    return max(hair.length, hair.fringe, hair.tied) > 0.02


def scalp_cover(model: TexturedModel, code: FaceCode) -> float:
    """Share of the scalp that its paint covers, 0 on a bald head."""
    with torch.no_grad():
        return float(model.region_cover(code)[0, list(model.region_names).index("scalp")])


def _rooted(space: HeadSpace, hair: Hair, cover: float) -> Roots:
    count = int(STRANDS * (1.9 if hair.length < 0.34 else 1.0))
    roots = scatter_roots(space, "scalp", count, 21)
    keep = styles.kept(hair, roots.place) * min(1.0, cover / 0.75)
    if styles.length_mm(hair) > 80:  # the down of the hairline would hang over the forehead like cobweb
        front = styles.smoothstep(100, 60, styles.around(roots.place))
        keep = keep * (1 - front * styles.smoothstep(0.55, 0.3, roots.strength))
    return roots[np.random.default_rng(22).random(len(roots)) < keep]


def _grown(space: HeadSpace, hair: Hair, roots: Roots) -> tuple[Array, Roots, NDArray[np.int64]]:
    """Strands around the mean head, their roots, and the side of the parting each is on, or FRINGE."""
    random = np.random.default_rng(23)
    steps = 12 if hair.length < 0.34 else 24
    if hair.wave > 0.5:
        steps = 44 if hair.length > 0.3 else 26
    rule = styles.rules(hair, roots, random)
    flow = styles.flow(hair, roots, random)
    tail = np.array([0.0, 0.25, -1.0]) + random.normal(0, 0.22, (len(roots), 3))
    points, met = grow(
        space,
        roots,
        flow,
        rule,
        steps,
        styles.CURTAIN_LINE,
        over_ears=styles.length_mm(hair) > 90 and hair.tied < 0.3 and styles.curled(hair) < 0.5,
        tie=TIE.astype(np.float32),
        tail=tail.astype(np.float32),
    )
    if styles.in_bun(hair):
        points = _wound(points, met, random)
    loose = styles.over_the_face(points) & (styles.fringe_share(hair, roots.place) < 0.5)
    roots, points = roots[~loose], points[~loose]
    side = styles.part_side(hair, roots.place)[0].astype(np.int64)
    side[styles.fringe_share(hair, roots.place) > 0.5] = FRINGE
    if hair.length < 0.2 or hair.swept_back > 0.6:
        side[side != FRINGE] = 1
    locks = locks_of(roots.place, side, max(len(roots) // 14, 60), random)
    wisps = locks_of(roots.place, side, max(len(roots) // 110, 20), random)
    strength = random.uniform(0.45, 0.9, len(roots)).astype(np.float32)
    points = gather(points, wisps, 0.35 * strength, 0.6)
    points = gather(points, locks, strength, 0.5)
    stray = random.random(len(roots)) < 0.025
    reach = np.minimum(0.06 * styles.length_mm(hair), 5.0)
    wander = smooth_noise(roots.place, 3.0, 51, 3) * reach * stray[:, None]
    t = np.linspace(0, 1, points.shape[1])[None, :, None] ** 1.5
    return (points + wander[:, None, :] * t).astype(np.float32), roots, side


def _wound(points: Array, met: NDArray[np.int64], random: np.random.Generator) -> Array:
    """What tied strands have left after the tie, wound around it as a bun; others keep still."""
    count, steps, _ = points.shape
    left = np.arange(steps)[None] - met[:, None]
    u = np.clip(left / np.maximum(steps - 1 - met, 1)[:, None], 0, 1)
    turn = 2 * np.pi * (random.random((count, 1)) + 0.9 * u)
    twist = 2 * np.pi * (random.random((count, 1)) + 0.35 * u)
    thick = BUN_MM[1] * np.sqrt(random.uniform(0.45, 1, (count, 1)))
    reach = BUN_MM[0] + thick * np.cos(twist)
    out = np.array([0.0, 0.28, -0.96])
    first, second = np.array([1.0, 0, 0]), np.array([0, 0.96, 0.28])
    centre = TIE + 9 * out
    bun = centre + (reach * np.cos(turn))[..., None] * first + (reach * np.sin(turn))[..., None] * second
    bun = bun + (0.85 * thick * np.sin(twist))[..., None] * out
    blend = np.clip((left - 0) / 3.0, 0, 1) * (met >= 0)[:, None]
    return (points + blend[..., None] * (bun - points)).astype(np.float32)


def _waved(
    hair: Hair, roots: Roots, points: Array, side: NDArray[np.int64], random: np.random.Generator
) -> Array:
    """Waves that neighbouring strands share, or curls."""
    wave = hair.wave
    ringlet = float(styles.smoothstep(0.5, 0.72, np.array(wave)))
    size = 45 - 20 * styles.curled(hair)
    locks = locks_of(roots.place, side, max(int(len(roots) / size), 20), random)
    if ringlet > 0:  # curls are worn by locks, not by single hairs
        tight = 0.9 * ringlet * (1 - 0.55 * styles.curled(hair))
        points = gather(points, locks, np.full(len(roots), tight, np.float32), 0.22)
    along = arc_length(points)
    along = along + ringlet * (along[locks] - along)
    up, across = frames(points, np.repeat(roots.normal[:, None], points.shape[1], axis=1))
    frizz = smooth_noise(roots.place, 1.5, 61, 2)
    amplitude = np.interp(wave, [0, 0.4, 0.7, 0.85, 1], [0.4, 5.0, 7.5, 5.0, 2.6])
    length = np.interp(wave, [0, 0.4, 0.7, 0.85, 1], [120, 66, 34, 22, 10])
    own = random.random((3, len(roots)))[:, locks]
    length = length * (1 + ringlet * 0.5 * (own[0] - 0.5))
    amplitude = amplitude * (1 + 0.6 * (own[1] - 0.5) + 0.15 * frizz[:, 1])
    phase = smooth_noise(roots.place, 45.0, 62)[:, 0] * 2.2 + 0.35 * frizz[:, 0]
    phase = phase * (1 - ringlet) + ringlet * (2 * np.pi * own[2] + 0.3 * frizz[:, 0])
    turn = 2 * np.pi * along / np.asarray(length)[:, None] + phase[:, None]
    turn = turn * np.where(own[1] > 0.5, 1, -1)[:, None]
    rise = amplitude[:, None] * (1 - np.exp(-along / (28.0 - 18 * ringlet)))
    first = np.sin(turn) * rise
    second = (np.cos(turn) * ringlet + np.sin(0.63 * turn + 1.3) * 0.35 * (1 - ringlet)) * rise
    return (points + first[..., None] * across + second[..., None] * up * 0.8).astype(np.float32)


def placed(
    model: TexturedModel, code: FaceCode, roots: Roots, points: Array, follow_mm: float
) -> NDArray[np.float32]:
    """(N, P, 3) strands grown around the mean head, on this one; roots sit on its skin exactly.

    follow_mm: how far along a strand its root's own motion, as in an expression, is felt.
    """
    space = head_space(model)
    with torch.no_grad():
        neutral, vertices = (model.vertices(c)[0].float().numpy() for c in (code.neutral(), code))
    moved = space.carry(points.reshape(-1, 3), neutral).reshape(points.shape)
    off = roots.on(space, neutral) - moved[:, 0]
    acted = roots.on(space, vertices) - roots.on(space, neutral)
    return _following(np.ascontiguousarray(points, np.float32), moved, off, acted, follow_mm)


@njit(cache=True, nogil=True, fastmath=True)
def _following(
    points: np.ndarray, moved: np.ndarray, off: np.ndarray, acted: np.ndarray, follow_mm: float
) -> np.ndarray:
    """Strands moved, shifted by off near their roots and by acted as far as follow_mm along points."""
    out = np.empty(points.shape, np.float32)
    for i in range(len(points)):
        along = 0.0
        for k in range(points.shape[1]):
            if k > 0:
                squared = 0.0
                for q in range(3):
                    squared += (points[i, k, q] - points[i, k - 1, q]) ** 2
                along += math.sqrt(squared)
            near, far = math.exp(-along / ROOTED_MM), math.exp(-along / follow_mm)
            for q in range(3):
                out[i, k, q] = moved[i, k, q] + near * off[i, q] + far * acted[i, q]
    return out


def strand_colours(
    model: TexturedModel, code: FaceCode, region: str, places: Array, random: np.random.Generator
) -> Array:
    """(N, 3) linear RGB of strands: the region's pigment, and grey ones among them."""
    index = list(model.region_names).index(region)
    grey = list(model.albedo_names).index("hair grey")
    young = code.albedo.clone()
    young[:, grey] = -6.0
    old = code.albedo.clone()
    old[:, grey] = 9.0
    with torch.no_grad():
        pigment, white, mixed = (
            model.region_colours(replace(code, albedo=z))[0, index].double().numpy()
            for z in (young, old, code.albedo)
        )
    share = np.clip(
        float(((mixed - pigment) @ (white - pigment)) / max(((white - pigment) ** 2).sum(), 1e-9)), 0, 1
    )
    tone = np.exp(0.16 * random.standard_normal(len(places)) + 0.10 * smooth_noise(places, 8.0, 71)[:, 0])
    warm = 0.05 * random.standard_normal(len(places))
    pigment, white = _scattering(pigment), _scattering(white)
    own = pigment * np.stack([tone * (1 + warm), tone, tone * (1 - warm)], axis=1)
    spread = share**1.2 * (1 + 0.35 * smooth_noise(places, 30.0, 72)[:, 0])
    is_white = random.random(len(places)) < spread
    return np.where(is_white[:, None], white * tone[:, None], own).clip(0.002, 0.95).astype(np.float32)


def _scattering(paint: Array) -> Array:
    """Colour of single hairs that, lying together, look as light as the paint; lighter than it."""
    lighter = 1 - (1 - np.minimum(paint, 0.9)) ** 2.4
    grey = lighter @ np.array([0.2126, 0.7152, 0.0722])
    vivid = float(np.ptp(lighter) / max(lighter.max(), 1e-6))
    saturation = 1.2 - 0.3 * styles.smoothstep(0.7, 0.95, np.array(vivid))
    return np.clip((grey + (lighter - grey) * saturation) * [1.07, 1.0, 0.92], 0.002, 0.95)
