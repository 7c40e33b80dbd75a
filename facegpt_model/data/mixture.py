"""The mixture the instruction stage trains on."""

from __future__ import annotations

import random
from collections.abc import Callable

from facegpt_model.data.dialogues import describe, edit, restated
from facegpt_model.data.examples import Example, prompt_of, scene, surfaced
from facegpt_model.data.requests import describe_face, export, photo, render, step_back
from facegpt_model.data.small_talk import SMALL_TALK
from facegpt_model.data.tool_answers import after_tool
from facegpt_model.vlm.tokens import END


def small_talk(rng: random.Random) -> Example:
    """Greetings, questions about FaceGPT, and refusals to say who somebody is."""
    questions, answer = rng.choice(SMALL_TALK)
    faces, photos = scene(rng)
    attached = [photos[-1]] if photos and rng.random() < 0.2 and "photo" in answer else []
    return Example(
        "small_talk", prompt_of(surfaced(rng.choice(questions), rng), faces, photos, attached), answer + END
    )


MIXTURE: tuple[tuple[Callable[[random.Random], Example], float], ...] = (
    (describe, 0.50),
    (restated, 0.06),
    (edit, 0.20),
    (after_tool, 0.06),
    (photo, 0.03),
    (export, 0.03),
    (render, 0.04),
    (describe_face, 0.02),
    (step_back, 0.02),
    (small_talk, 0.04),
)


def sample(rng: random.Random) -> Example:
    """One training example of the mixture."""
    makers, weights = zip(*MIXTURE, strict=True)
    maker: Callable[[random.Random], Example] = rng.choices(makers, weights)[0]
    return maker(rng)


def sample_face(rng: random.Random) -> Example:
    """One example whose answer makes a face: half with a witness's words, half without."""
    return describe(rng) if rng.random() < 0.5 else restated(rng)
