"""Plausible people: random weights of all targets, calibrated so that faces stay human.

With every slider at the same spread heads are caricatures. Here each slider's spread
moves its 90th-percentile vertex by MOVE_MM[part] / sqrt(sliders of the part). The
millimetres were tuned by looking at renders, not taken from anthropometric tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from facegpt_model.morphable.build.cut import HeadCut
from facegpt_model.morphable.build.targets import Modifier, Person, TargetSet, macro_weights
from facegpt_model.morphable.build.wheel import FloatArray, IntArray

MOVE_MM = {
    "head": 5.0,
    "forehead": 3.0,
    "eyebrows": 2.2,
    "eyes": 2.2,
    "nose": 2.8,
    "mouth": 2.6,
    "ears": 4.0,
    "chin": 4.0,
    "cheek": 3.2,
    "neck": 6.0,
}
SPREAD_RANGE = (0.04, 0.45)  # of a slider's standard deviation
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
EYES_DEEP_SPREAD = 0.35
ALIGN_ABOVE_Y = 680.0  # mm; the skull and eye region, which alignment trusts
CHILD_SHARE = 0.0  # the default is adults only


def slider_spreads(sliders: Sequence[Modifier], local: TargetSet, skin: IntArray) -> dict[str, float]:
    """Standard deviation of each slider's value."""
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
        spreads[slider.name] = float(np.clip(wanted / typical, *SPREAD_RANGE)) if typical else 0.0
    return spreads


def random_person(rng: np.random.Generator) -> Person:
    """An adult: clearly one sex mostly, any mix of origins, average build."""
    sex = rng.choice([rng.beta(1.2, 8), rng.beta(8, 1.2)])
    origin = rng.dirichlet([0.35, 0.35, 0.35])
    return Person(
        sex=float(sex),
        age=float(rng.uniform(0.45, 1.0)),
        muscle=float(np.clip(rng.normal(0.5, 0.12), 0, 1)),
        weight=float(np.clip(rng.normal(0.5, 0.17), 0, 1)),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
    )


def random_sliders(
    rng: np.random.Generator,
    sliders: Sequence[Modifier],
    spreads: dict[str, float],
    asymmetry: Sequence[str],
) -> dict[str, float]:
    """Target weights of one face's local shape; the sides differ by 15 % of a slider's spread."""
    weights: dict[str, float] = {}
    for slider in sliders:
        if slider.name in RIGID:
            continue
        spread = spreads[slider.name]
        if slider.name in OUTLINES:
            value = max(0.0, rng.normal(0, 0.10))
        else:
            value = float(np.clip(rng.normal(0, spread * (0.5 if slider.name in SIDEWAYS else 1)), -1, 1))
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
    deep: str,
) -> FloatArray:
    """(count, n) weights over `names` (macro, local, asymmetry and the own target `deep`)."""
    rng = np.random.default_rng(seed)
    place = {name: i for i, name in enumerate(names)}
    rows = np.zeros((count, len(names)))
    for row in rows:
        mixed = macro_weights(random_person(rng))
        mixed.update(random_sliders(rng, sliders, spreads, asymmetry))
        mixed[deep] = float(np.clip(rng.normal(0, EYES_DEEP_SPREAD), -1, 1))
        for name, weight in mixed.items():
            row[place[name]] = weight
    return rows


def stable_vertices(cut: HeadCut, reference: FloatArray) -> IntArray:
    """Skin vertices of the upper head, by which heads are aligned."""
    skin = cut.vertices_of("skin")
    return skin[reference[skin, 1] > ALIGN_ABOVE_Y]


def align(vertices: FloatArray, reference: FloatArray, stable: IntArray) -> FloatArray:
    """`vertices` (V, 3) moved and turned (not scaled) so its stable ones lie best on the reference.

    Kabsch's algorithm (Acta Cryst. A32, 1976).
    """
    here, there = vertices[stable], reference[stable]
    centre_here, centre_there = here.mean(0), there.mean(0)
    left, _, right = np.linalg.svd((here - centre_here).T @ (there - centre_there))
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return (vertices - centre_here) @ (left @ handed @ right) + centre_there
