"""Plausible people: random weights of all targets, calibrated so that faces stay human.

With every slider at the same spread heads are caricatures. Here each slider's spread
moves its 90th-percentile vertex by MOVE_MM[part] / sqrt(sliders of the part), and whole
heads differ in size. The millimetres were tuned so that distances between landmarks vary
about as much as those of a scan-based model (docs/head_model.md), and by looking at renders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from facegpt_model.morphable.build.cut import HeadCut
from facegpt_model.morphable.build.targets import Modifier, TargetSet
from facegpt_model.morphable.build.wheel import FloatArray, IntArray
from facegpt_model.morphable.people import SEX_SLIDERS, Person, macro_weights, random_person

MOVE_MM = {
    "head": 5.0,
    "forehead": 3.0,
    "eyebrows": 2.2,
    "eyes": 2.2,
    "nose": 2.6,
    "mouth": 2.9,
    "ears": 4.0,
    "chin": 4.0,
    "cheek": 3.2,
    "neck": 6.0,
}
SPREAD_RANGE = (0.04, 0.45)  # of a slider's standard deviation
# Sliders whose measurement varied too little beside scans, or (head-age) made adults look like children.
EMPHASIS = {
    "mouth-scale-horiz-decr-incr": 1.2,
    "mouth-upperlip-height-decr-incr": 1.3,
    "mouth-lowerlip-height-decr-incr": 1.4,
    "head-scale-horiz-decr-incr": 1.2,
    "head-age-decr-incr": 0.5,
}
# These only move the head or neck as a whole.
RIGID = frozenset(
    {
        "head-trans-backward-forward",
        "head-trans-down-up",
        "head-trans-in-out",
        "neck-trans-backward-forward",
        "neck-trans-in-out",
        "neck-trans-down-up",
        "measure-neck-height-decr-incr",
    }
)
# Whole outlines of the head: mostly absent, never negative.
OUTLINES = frozenset(
    {"head-diamond", "head-invertedtriangular", "head-oval", "head-rectangular"}
    | {"head-round", "head-square", "head-triangular", "chin-triangle"}
)
SIDEWAYS = frozenset({"mouth-trans-in-out", "nose-trans-in-out"})  # half spread
OUTLINE_SPREAD = 0.10
ALIGN_ABOVE_Y = 680.0  # mm; the skull and eye region, which alignment trusts


def slider_spreads(sliders: Sequence[Modifier], local: TargetSet, skin: IntArray) -> dict[str, float]:
    """Standard deviation of each slider's value before it is clipped; 0 for those that only move the head."""
    crowd = Counter(slider.part for slider in sliders)
    place = {name: i for i, name in enumerate(local.names)}
    spreads = {}
    for slider in sliders:
        sizes = []
        for end in slider.ends:
            moved = np.linalg.norm(local.displacement[place[end.target]][skin], axis=1)
            moved = moved[moved > 0.01]
            sizes.append(float(np.percentile(moved, 90)) if len(moved) else 0.0)
        typical = float(np.mean(sizes))
        wanted = MOVE_MM[slider.part] / np.sqrt(crowd[slider.part])
        spread = float(np.clip(wanted / typical, *SPREAD_RANGE)) if typical else 0.0
        spreads[slider.name] = (
            spread * EMPHASIS.get(slider.name, 1.0) * (0.5 if slider.name in SIDEWAYS else 1.0)
        )
        if slider.name in RIGID:
            spreads[slider.name] = 0.0
        if slider.name in OUTLINES:
            spreads[slider.name] = OUTLINE_SPREAD
    return spreads


def sex_shift(slider: str, person: Person) -> float:
    """Mean value of a slider at a person's sex; 0 half-way."""
    return SEX_SLIDERS.get(slider, 0.0) * (2 * person.sex - 1)


def random_sliders(
    rng: np.random.Generator,
    person: Person,
    sliders: Sequence[Modifier],
    spreads: dict[str, float],
    asymmetry: Sequence[str],
) -> dict[str, float]:
    """Target weights of one face's local shape; the sides differ by 15 % of a slider's spread."""
    weights: dict[str, float] = {}
    for slider in sliders:
        spread = spreads[slider.name]
        if spread == 0.0:
            continue
        value = float(np.clip(rng.normal(0, spread) + sex_shift(slider.name, person), -1, 1))
        if slider.name in OUTLINES:
            value = max(0.0, value)
        jitter = rng.normal(0, 0.15 * spread)
        for end in slider.ends:
            sided = value + {"left": jitter, "right": -jitter, "both": 0.0}[end.side]
            if end.sign * sided > 0:
                weights[end.target] = weights.get(end.target, 0.0) + abs(sided)
    for name in asymmetry:
        weights[name] = abs(rng.normal(0, 0.05))
    return weights


def sample_weights(
    count: int,
    seed: int,
    names: Sequence[str],
    sliders: Sequence[Modifier],
    spreads: dict[str, float],
    asymmetry: Sequence[str],
    own: Mapping[str, float],
) -> FloatArray:
    """(count, n) weights over `names`: macro, local, asymmetry and our own targets with their spreads."""
    rng = np.random.default_rng(seed)
    place = {name: i for i, name in enumerate(names)}
    rows = np.zeros((count, len(names)))
    for row in rows:
        person = random_person(rng)
        mixed = macro_weights(person)
        mixed.update(random_sliders(rng, person, sliders, spreads, asymmetry))
        for name, spread in own.items():
            mixed[name] = float(np.clip(rng.normal(0, spread) + sex_shift(name, person), -1, 1))
        for name, weight in mixed.items():
            row[place[name]] = weight
    return rows


def stable_vertices(cut: HeadCut, reference: FloatArray) -> IntArray:
    """Skin vertices of the upper head, by which heads are aligned."""
    skin = cut.vertices_of("skin")
    return skin[reference[skin, 1] > ALIGN_ABOVE_Y]


def without_rigid_motion(displacement: FloatArray, reference: FloatArray, stable: IntArray) -> FloatArray:
    """(..., V, 3) small displacements less the turn and shift that alignment would take away; linear."""
    centre = reference[stable].mean(0)
    lever = reference - centre
    turns = np.stack([np.cross(axis, lever) for axis in np.eye(3)])
    shifts = np.broadcast_to(np.eye(3)[:, None, :], turns.shape)
    motions = np.concatenate([turns, shifts])
    inverse = np.linalg.pinv(motions[:, stable].reshape(6, -1).T)
    amounts = displacement[..., stable, :].reshape(*displacement.shape[:-2], -1) @ inverse.T
    return np.asarray(displacement - np.tensordot(amounts, motions, 1))


def align(vertices: FloatArray, reference: FloatArray, stable: IntArray) -> FloatArray:
    """`vertices` (V, 3) moved and turned (not scaled) so its stable ones lie best on the reference.

    Kabsch's algorithm (Acta Cryst. A32, 1976).
    """
    here, there = vertices[stable], reference[stable]
    centre_here, centre_there = here.mean(0), there.mean(0)
    left, _, right = np.linalg.svd((here - centre_here).T @ (there - centre_there))
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return (vertices - centre_here) @ (left @ handed @ right) + centre_there
