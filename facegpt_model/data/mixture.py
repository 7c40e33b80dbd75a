"""The mixture the instruction stage trains on."""

from __future__ import annotations

import random
from collections.abc import Callable

from facegpt_model.data.asking import ask, ask_briefly, talk
from facegpt_model.data.dialogues import describe, edit, restated, speculate, state
from facegpt_model.data.examples import Example
from facegpt_model.data.requests import describe_face, export, photo, render, step_back
from facegpt_model.data.small_talk import small_talk
from facegpt_model.data.tool_answers import after_tool

MIXTURE: tuple[tuple[Callable[[random.Random], Example], float], ...] = (
    (describe, 0.28),
    (state, 0.11),
    (speculate, 0.06),
    (restated, 0.05),
    (edit, 0.17),
    (after_tool, 0.06),
    (photo, 0.02),
    (export, 0.01),
    (render, 0.02),
    (describe_face, 0.01),
    (step_back, 0.01),
    (ask_briefly, 0.1),
    (talk, 0.07),
    (small_talk, 0.03),
)


def sample(rng: random.Random) -> Example:
    """One training example of the mixture."""
    makers, weights = zip(*MIXTURE, strict=True)
    maker: Callable[[random.Random], Example] = rng.choices(makers, weights)[0]
    return maker(rng)


def sample_face(rng: random.Random) -> Example:
    """One example whose answer makes a face: half with a witness's words or a situation, half without."""
    return rng.choices((describe, state, speculate, restated), (0.33, 0.1, 0.07, 0.5))[0](rng)


def turn(rng: random.Random) -> Example:
    """Something a user says whose intent is known: a request, talk, a description or an edit."""
    makers = (ask, talk, small_talk, edit, describe, state, speculate, photo)
    return rng.choices(makers, (0.46, 0.15, 0.06, 0.13, 0.09, 0.05, 0.03, 0.03))[0](rng)
