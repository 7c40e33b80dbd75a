"""From the wheel to everything about shape: mean, components, expressions, words, landmarks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegpt_model.morphable.build.components import Components, principal_components, vertex_weights
from facegpt_model.morphable.build.cut import HeadCut, cut_head
from facegpt_model.morphable.build.directions import (
    AVERAGE,
    UNALIGNED,
    aligned,
    explained,
    eyes_deep,
    word_displacements,
)
from facegpt_model.morphable.build.eyes import look_displacement
from facegpt_model.morphable.build.sampling import align, sample_weights, slider_spreads, stable_vertices
from facegpt_model.morphable.build.targets import (
    TargetSet,
    macro_names,
    macro_weights,
    modifiers,
    read_targets,
)
from facegpt_model.morphable.build.wheel import AnnyWheel, BodyMesh, FloatArray, IntArray

LANDMARKS = Path(__file__).with_name("landmarks.json")
DEEP = "own/eyes-deep"


@dataclass(frozen=True)
class HeadShape:
    """All shape data of the model, origin in the head frame.

    components: with the mean in the head frame; expression: (E, V, 3) mm; words: (N, K) sd;
    fidelity: (N,) share of each word's shape the components reproduce;
    ibug68, design68, mediapipe468: vertex ids; the design points are those around which masks
    are drawn and components weighted; cut: topology
    """

    cut: HeadCut
    components: Components
    expression_names: tuple[str, ...]
    expression: FloatArray
    word_names: tuple[str, ...]
    words: FloatArray
    fidelity: FloatArray
    ibug68: IntArray
    design68: IntArray
    mediapipe468: IntArray


def build_shape(wheel: AnnyWheel, samples: int, seed: int, count: int) -> HeadShape:
    """Sample `samples` people with `seed` and keep `count` components."""
    body = wheel.body()
    size = len(body.vertices)
    average = macro_weights(AVERAGE)
    adult = body.vertices + sum(
        weight * wheel.target(name, size) for name, weight in average.items() if weight > 0
    )
    cut = cut_head(body, adult)
    sliders = modifiers(wheel)
    asymmetry = [f"asym/{name}" for name in wheel.asymmetry_names()]
    macro = read_targets(wheel, cut, macro_names(), size)
    local = read_targets(
        wheel, cut, [end.target for slider in sliders for end in slider.ends] + asymmetry, size
    )
    reference = cut.carry(adult)
    deep = eyes_deep(cut, reference)
    both = TargetSet(
        (*macro.names, *local.names, DEEP),
        np.concatenate([macro.displacement, local.displacement, deep[None]]),
    )
    spreads = slider_spreads(sliders, local, cut.vertices_of("skin"))
    weights = sample_weights(samples, seed, both.names, sliders, spreads, asymmetry, DEEP)
    stable = stable_vertices(cut, reference)
    heads = cut.carry(body.vertices) + (weights @ both.displacement.reshape(len(both.names), -1)).reshape(
        samples, -1, 3
    )
    heads = np.stack([align(head, reference, stable) for head in heads])
    ibug68, design68, mediapipe468 = landmark_vertices(cut)
    mean = heads.mean(0)
    origin = mean[mediapipe468].mean(0) * np.array([0.0, 1.0, 1.0])
    heads -= origin
    fit_weight = vertex_weights(mean - origin, mean[design68[17:]] - origin)
    fit_weight = (fit_weight + fit_weight[cut.mirror]) / 2
    components = principal_components(heads, cut.mirror, fit_weight, count)
    displacements = {
        name: moved if name in UNALIGNED else aligned(moved, reference, stable)
        for name, moved in word_displacements(sliders, macro, local, deep).items()
    }
    words = np.stack([components.project(moved) for moved in displacements.values()])
    fidelity = [explained(components, m, z) for m, z in zip(displacements.values(), words, strict=True)]
    names = wheel.expression_names()
    return HeadShape(
        cut=cut,
        components=components,
        expression_names=names,
        expression=expressions(wheel, cut, body, names),
        word_names=tuple(displacements),
        words=words,
        fidelity=np.array(fidelity),
        ibug68=ibug68,
        design68=design68,
        mediapipe468=mediapipe468,
    )


def expressions(wheel: AnnyWheel, cut: HeadCut, body: BodyMesh, names: tuple[str, ...]) -> FloatArray:
    """(E, V, 3) mm of full ARKit actions; the eyes turn by our own angles in the look actions."""
    moved = np.stack([cut.carry(wheel.expression(name, len(body.vertices))) for name in names])
    ball_size = len(cut.eyes[0].vertices)
    starts = {"Left": cut.vertex_count - 2 * ball_size, "Right": cut.vertex_count - ball_size}
    for row, name in enumerate(names):
        if not name.startswith("eyeLook"):
            continue
        side = "Left" if name.endswith("Left") else "Right"
        way = name.removeprefix("eyeLook").removesuffix(side)
        ball = cut.eyes[0 if side == "Left" else 1]
        moved[row, starts[side] : starts[side] + ball_size] = look_displacement(ball, side, way)
    return moved


def landmark_vertices(cut: HeadCut) -> tuple[IntArray, IntArray, IntArray]:
    """Head vertex ids of the iBUG-68, design and MediaPipe-468 points, stored by body vertex."""
    place = {int(body): head for head, body in enumerate(cut.body_id) if body >= 0}
    stored = json.loads(LANDMARKS.read_text(encoding="utf-8"))
    ibug68, design68, mediapipe468 = (
        np.array([place[body] for body in stored[name]]) for name in ("ibug68", "design68", "mediapipe468")
    )
    return ibug68, design68, mediapipe468
