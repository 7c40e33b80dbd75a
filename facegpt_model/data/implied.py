"""What a text says of somebody's expression without naming it: situations and the feelings they bring.

The situations are our own writing (felt/*.tsv): feelings, whether it is kept back for testing, and the
text. Beside them stand descriptions, requests and talk, which imply nothing but what they say.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from typing import Literal

from facegpt_model.data.asking import ask, talk
from facegpt_model.data.dialogues import edit, speculate
from facegpt_model.data.examples import Example
from facegpt_model.data.overheard import described, only_heard, single, stated
from facegpt_model.data.situations import NOUN, Look, composed
from facegpt_model.data.small_talk import small_talk
from facegpt_model.dialogue.intents import IMAGINE

FEELINGS = {
    "happy": "a smile",
    "sad": "a sad frown",
    "angry": "an angry look",
    "surprised": "a surprised look",
    "afraid": "a frightened look",
    "disgusted": "a disgusted look",
    "smug": "a smirk",
}
AT_REST = "none"


@lru_cache(maxsize=2)
def felt(kind: Literal["say", "held"] = "say") -> tuple[tuple[str, Look], ...]:
    """Every situation with its look; that of a face at rest means nothing."""
    found = []
    for file in sorted(resources.files("facegpt_model.data").joinpath("felt").iterdir(), key=str):
        for line in file.read_text("utf-8").splitlines():
            feelings, its_kind, text = line.split("\t")
            if its_kind == kind:
                told = text if "{h" in text else NOUN + text
                found.append((told, _look(feelings)))
    return tuple(found)


def _look(feelings: str) -> Look:
    means = () if feelings == AT_REST else tuple(FEELINGS[name] for name in feelings.split(","))
    return Look(means, None, None, (), ())


def feeling(rng: random.Random, kind: Literal["say", "held"] = "say") -> Example:
    """A situation in which somebody feels something, or nothing in particular."""
    told = composed(*rng.choice(felt(kind)), rng, kind)
    return only_heard(told.text, told.wordings, rng, IMAGINE)


def implying(rng: random.Random) -> Example:
    """A lesson for the look head: mostly situations, and what else users say."""
    example = rng.choices(tuple(SAID), tuple(SAID.values()))[0](rng)
    return replace(example, marks=())


SAID: dict[Callable[[random.Random], Example], float] = {
    feeling: 0.62,
    speculate: 0.1,
    single: 0.04,
    described: 0.06,
    stated: 0.06,
    edit: 0.06,
    ask: 0.03,
    talk: 0.02,
    small_talk: 0.01,
}
