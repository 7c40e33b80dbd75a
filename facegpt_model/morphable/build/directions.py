"""What each word of the vocabulary does to a face, in standard deviations of the components.

A direction is the displacement of one end of a slider at full weight, or of a change of
the macro shape, aligned like the samples and projected on the components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from facegpt_model.morphable.build.components import Components
from facegpt_model.morphable.build.cut import HeadCut
from facegpt_model.morphable.build.sampling import RIGID, align
from facegpt_model.morphable.build.targets import Modifier, TargetSet
from facegpt_model.morphable.build.wheel import FloatArray, IntArray
from facegpt_model.morphable.people import SEX_SLIDERS, Person, age_of, macro_weights

EYES_DEEP_MM = 4.0  # backward at weight 1
EYES_DEEP_FULL, EYES_DEEP_REACH = 16.0, 34.0  # mm from the eye's axis: moved fully, not at all
# Alignment trusts the eye region, so it would turn deep eyes into a face that comes forward.
UNALIGNED = frozenset({"eyes-deep+", "eyes-deep-"})
HEAD_GROWTH = 0.10  # of all lengths at weight 1
DEEP, SIZE = "own/eyes-deep", "own/head-size"
OWN_SPREADS = {DEEP: 0.35, SIZE: 0.22}  # standard deviations; heads of one sex differ by about 2.2 % in size
AVERAGE = Person(age=age_of(43.0))
MACRO_WORDS: dict[str, Person] = {
    "sex-male": replace(AVERAGE, sex=1.0),
    "sex-female": replace(AVERAGE, sex=0.0),
    "age-old": replace(AVERAGE, age=1.0),
    "age-young": replace(AVERAGE, age=0.35),
    "weight+": replace(AVERAGE, weight=1.0),
    "weight-": replace(AVERAGE, weight=0.0),
    "muscle+": replace(AVERAGE, muscle=1.0),
    "muscle-": replace(AVERAGE, muscle=0.0),
    "african": replace(AVERAGE, origin=(1.0, 0.0, 0.0)),
    "asian": replace(AVERAGE, origin=(0.0, 1.0, 0.0)),
    "caucasian": replace(AVERAGE, origin=(0.0, 0.0, 1.0)),
}


def eyes_deep(cut: HeadCut, shape: FloatArray) -> FloatArray:
    """(V, 3) mm: eyeballs, lids and sockets moved back together, fading out around them."""
    move = np.zeros(len(shape))
    for ball in cut.eyes:
        beside = np.linalg.norm(shape[:, :2] - ball.centre[:2], axis=1)
        fade = np.clip((EYES_DEEP_REACH - beside) / (EYES_DEEP_REACH - EYES_DEEP_FULL), 0, 1)
        front = np.clip((shape[:, 2] - (ball.centre[2] - 2.5 * ball.radius)) / ball.radius, 0, 1)
        move = np.maximum(move, _smooth(fade) * _smooth(front))
    start = len(shape) - sum(len(ball.vertices) for ball in cut.eyes)
    move[start:] = 1.0
    return np.stack([np.zeros_like(move), np.zeros_like(move), -EYES_DEEP_MM * move], axis=1)


def head_size(shape: FloatArray, stable: IntArray) -> FloatArray:
    """(V, 3) mm: everything grows about the middle of the upper head."""
    return HEAD_GROWTH * (shape - shape[stable].mean(0) * np.array([0.0, 1.0, 1.0]))


def _smooth(ramp: FloatArray) -> FloatArray:
    return ramp * ramp * (3 - 2 * ramp)


def word_displacements(
    sliders: Sequence[Modifier], macro: TargetSet, local: TargetSet, own: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Displacement (V, 3) mm at weight 1 of every one-sided word, before alignment."""
    words: dict[str, FloatArray] = {}
    for slider in sliders:
        if slider.name in RIGID:
            continue
        for sign, mark in ((-1, "-"), (1, "+")):
            names = [end.target for end in slider.ends if end.sign == sign]
            if names:
                words[slider.name + mark] = local.mix(dict.fromkeys(names, 1.0))
    for name, moved in own.items():
        stem = name.removeprefix("own/")
        words[stem + "+"], words[stem + "-"] = moved, -moved
    average = macro.mix(macro_weights(AVERAGE))
    for word, person in MACRO_WORDS.items():
        words[word] = macro.mix(macro_weights(person)) - average
        for name, value in SEX_SLIDERS.items():
            shift = value * (2 * person.sex - 1)
            words[word] += abs(shift) * words[name.removeprefix("own/") + ("+" if shift > 0 else "-")]
    return words


def aligned(displacement: FloatArray, reference: FloatArray, stable: IntArray) -> FloatArray:
    """Displacement at weight 1 without the rigid motion it causes; measured at half weight."""
    return (align(reference + displacement / 2, reference, stable) - reference) * 2


def explained(components: Components, displacement: FloatArray, z: FloatArray) -> float:
    """Share of a displacement's weighted energy that the components reproduce, 0 to 1."""
    rest = displacement - np.tensordot(z, components.basis, 1)
    weight = components.weight[:, None]
    return float(1 - (weight * rest**2).sum() / (weight * displacement**2).sum())
