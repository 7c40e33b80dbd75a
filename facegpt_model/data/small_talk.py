"""Questions around the faces and beyond, and what FaceGPT answers: greetings, limits, refusals, facts."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

from facegpt_model.data.examples import Example, prompt_of, scene, surfaced
from facegpt_model.dialogue.intents import DECLINE, TALK
from facegpt_model.vlm.tokens import END


@dataclass(frozen=True)
class Answer:
    """One answer and the ways to ask for it; held ones are kept out of training; declines: FaceGPT refuses."""

    text: str
    say: tuple[str, ...]
    held: tuple[str, ...]
    declines: bool


@lru_cache(maxsize=1)
def answers() -> tuple[Answer, ...]:
    """All answers of small_talk.toml."""
    file = resources.files("facegpt_model.data").joinpath("small_talk.toml")
    return tuple(
        Answer(entry["text"], tuple(entry["say"]), tuple(entry.get("held", ())), entry.get("declines", False))
        for entry in tomllib.loads(file.read_text("utf-8"))["answer"]
    )


def small_talk(rng: random.Random, kind: Literal["say", "held"] = "say") -> Example:
    """Greetings, questions about FaceGPT, general questions, and refusals to say who somebody is."""
    asked = [
        (text, answer) for answer in answers() for text in (answer.say if kind == "say" else answer.held)
    ]
    question, answer = rng.choice(asked)
    faces, photos = scene(rng)
    attached = [photos[-1]] if photos and rng.random() < 0.2 and "photo" in answer.text else []
    prompt = prompt_of(surfaced(question, rng), faces, photos, attached)
    asks = DECLINE if answer.declines else TALK
    return Example("small_talk", prompt, answer.text + END, asks=asks, silent=True)
