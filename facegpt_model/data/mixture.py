"""The mixture the instruction stage trains on."""

from __future__ import annotations

import random
from collections.abc import Callable

from facegpt_model.data.dialogues import describe, edit, restated, speculate, state
from facegpt_model.data.examples import Example
from facegpt_model.data.requests import describe_face, export, photo, render, step_back
from facegpt_model.data.small_talk import small_talk
from facegpt_model.data.tool_answers import after_tool

MIXTURE: tuple[tuple[Callable[[random.Random], Example], float], ...] = (
    (describe, 0.31),
    (state, 0.12),
    (speculate, 0.06),
    (restated, 0.06),
    (edit, 0.20),
    (after_tool, 0.06),
    (photo, 0.03),
    (export, 0.03),
    (render, 0.04),
    (describe_face, 0.02),
    (step_back, 0.02),
    (small_talk, 0.05),
)


def sample(rng: random.Random) -> Example:
    """One training example of the mixture."""
    makers, weights = zip(*MIXTURE, strict=True)
    maker: Callable[[random.Random], Example] = rng.choices(makers, weights)[0]
    return maker(rng)


def sample_face(rng: random.Random) -> Example:
    """One example whose answer makes a face: half with a witness's words or a situation, half without."""
    return rng.choices((describe, state, speculate, restated), (0.33, 0.1, 0.07, 0.5))[0](rng)
