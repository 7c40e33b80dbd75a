"""From the wheel to everything about shape: mean, components, expressions, words, landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facegpt_model.morphable.build.components import Components, principal_components, vertex_weights
from facegpt_model.morphable.build.cut import HeadCut, cut_head
from facegpt_model.morphable.build.directions import (
    AVERAGE,
    DEEP,
    OWN_SPREADS,
    SIZE,
    UNALIGNED,
    aligned,
    explained,
    eyes_deep,
    head_size,
    word_displacements,
)
from facegpt_model.morphable.build.eyes import look_displacement
from facegpt_model.morphable.build.landmarks import HeadLandmarks, head_landmarks, jaw_paths
from facegpt_model.morphable.build.sampling import (
    align,
    sample_weights,
    slider_spreads,
    stable_vertices,
    without_rigid_motion,
)
from facegpt_model.morphable.build.targets import TargetSet, modifiers, read_targets
from facegpt_model.morphable.build.wheel import AnnyWheel, BodyMesh, FloatArray
from facegpt_model.morphable.embedding import Embedding
from facegpt_model.morphable.people import Person, macro_names, macro_weights

CUT_AS = Person()  # the adult on whom the cut is made and heads are aligned


@dataclass(frozen=True)
class HeadShape:
    """All shape data of the model, origin in the head frame.

    components: with the mean in the head frame; expression: (E, V, 3) mm; words: (N, K) sd;
    fidelity: (N,) share of each word's shape the components reproduce;
    spread: (N,) standard deviation of each word's weight among random people, 0 for macro words;
    macro_names, macro: (M, K) sd of each macro target; macro_start: (K,) sd to which those of a
    person's targets are added; jaw: (17, S) paths of the jaw line; cut: topology
    """

    cut: HeadCut
    components: Components
    expression_names: tuple[str, ...]
    expression: FloatArray
    word_names: tuple[str, ...]
    words: FloatArray
    fidelity: FloatArray
    spread: FloatArray
    macro_names: tuple[str, ...]
    macro: FloatArray
    macro_start: FloatArray
    landmarks: HeadLandmarks
    jaw: Embedding


def build_shape(wheel: AnnyWheel, samples: int, seed: int, count: int) -> HeadShape:
    """Sample `samples` people with `seed` and keep `count` components."""
    body = wheel.body()
    size = len(body.vertices)
    adult = adult_body(wheel, body)
    cut = cut_head(body, adult)
    sliders = modifiers(wheel)
    asymmetry = [f"asym/{name}" for name in wheel.asymmetry_names()]
    macro = read_targets(wheel, cut, macro_names(), size)
    local = read_targets(
        wheel, cut, [end.target for slider in sliders for end in slider.ends] + asymmetry, size
    )
    reference = cut.carry(adult)
    stable = stable_vertices(cut, reference)
    own = {DEEP: eyes_deep(cut, reference), SIZE: head_size(reference, stable)}
    both = TargetSet(
        (*macro.names, *local.names, *own),
        np.concatenate([macro.displacement, local.displacement, np.stack(list(own.values()))]),
    )
    spreads = slider_spreads(sliders, local, cut.vertices_of("skin"))
    weights = sample_weights(samples, seed, both.names, sliders, spreads, asymmetry, OWN_SPREADS)
    heads = cut.carry(body.vertices) + (weights @ both.displacement.reshape(len(both.names), -1)).reshape(
        samples, -1, 3
    )
    heads = np.stack([align(head, reference, stable) for head in heads])
    points = head_landmarks(cut)
    mean = heads.mean(0)
    origin = points.mediapipe478.on(mean, cut.triangles)[:468].mean(0) * np.array([0.0, 1.0, 1.0])
    heads -= origin
    fit_weight = vertex_weights(mean - origin, mean[points.design68[17:]] - origin)
    fit_weight = (fit_weight + fit_weight[cut.mirror]) / 2
    components = principal_components(heads, cut.mirror, fit_weight, count)
    displacements = {
        name: moved if name in UNALIGNED else aligned(moved, reference, stable)
        for name, moved in word_displacements(sliders, macro, local, own).items()
    }
    words = np.stack([components.project(moved) for moved in displacements.values()])
    fidelity = [explained(components, m, z) for m, z in zip(displacements.values(), words, strict=True)]
    names = wheel.expression_names()
    spread_of = {stem.removeprefix("own/"): spread for stem, spread in {**spreads, **OWN_SPREADS}.items()}
    still = without_rigid_motion(macro.displacement, reference, stable)
    macro_codes = np.stack([components.project(moved) for moved in still])
    average = macro.mix(macro_weights(AVERAGE))
    start = align(cut.carry(body.vertices) + average, reference, stable) - origin - components.mean
    average_row = np.array([macro_weights(AVERAGE)[name] for name in macro.names])
    return HeadShape(
        cut=cut,
        components=components,
        expression_names=names,
        expression=expressions(wheel, cut, body, names),
        word_names=tuple(displacements),
        words=words,
        fidelity=np.array(fidelity),
        spread=np.array([spread_of.get(word[:-1], 0.0) for word in displacements]),
        macro_names=macro.names,
        macro=macro_codes,
        macro_start=components.project(start) - average_row @ macro_codes,
        landmarks=points,
        jaw=jaw_paths(points.ibug68, cut, components.mean),
    )


def adult_body(wheel: AnnyWheel, body: BodyMesh) -> FloatArray:
    """(N, 3) mm of the adult on whom the cut is made."""
    moved = body.vertices.copy()
    for name, weight in macro_weights(CUT_AS).items():
        if weight > 0:
            moved = moved + weight * wheel.target(name, len(moved))
    return moved


def cut_of(wheel: AnnyWheel) -> HeadCut:
    """The topology of the shipped head."""
    body = wheel.body()
    return cut_head(body, adult_body(wheel, body))


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
