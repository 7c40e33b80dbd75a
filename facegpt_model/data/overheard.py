"""Things users say about one or more features, without an answer: lessons in what wordings mean."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from facegpt_model.data.asking import ask, talk
from facegpt_model.data.compounds import compound
from facegpt_model.data.descriptions import composed_statement, roughened
from facegpt_model.data.dialogues import edit, speculate
from facegpt_model.data.examples import HEARD, Composed, Example, Mark, listen, prompt_of, scene, surfaced
from facegpt_model.data.habits import PRONOUNS, end_weight
from facegpt_model.data.requests import photo
from facegpt_model.data.small_talk import small_talk
from facegpt_model.data.statements import excerpt, retold
from facegpt_model.data.wordings import ends, phrasings, word
from facegpt_model.dialogue.intents import IMAGINE
from facegpt_model.vlm.tokens import END

_LEADS = ("", "", "", "{he} had ", "with ", "someone with ", "I remember ", "there was ", "a face with ")


def overheard(rng: random.Random) -> Example:
    """Wordings, statements and parts of them, situations, edits, requests or talk; the answer is empty."""
    example = rng.choices(tuple(SAID), tuple(SAID.values()))[0](rng)
    return replace(example, kind="overheard", answer=END, marks=())


def single(rng: random.Random) -> Example:
    """One to four wordings in a row, of ends drawn by how many wordings they have and how often they are said."""
    sex = rng.choice(tuple(PRONOUNS))
    he = PRONOUNS[sex][0]
    pieces, means = [], []
    terse = rng.random() < 0.3
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        axis, sign = rng.choices(ends(), _counts())[0]
        text, attribute = word(axis, sign, rng, "say", sex)
        lead = "" if terse or text.startswith("$ ") else rng.choice(_LEADS).format(he=he)
        if terse:
            text = re.sub("^an? ", "", text)
        pieces.append(lead + text.removeprefix("$ ") + HEARD)
        means.append({attribute.axis.name: attribute.value})
    text = surfaced(rng.choice((", ", " and ", ". ", "; ")).join(pieces), rng)
    return only_heard(text, means, rng)


def several(rng: random.Random) -> Example:
    """One to three things of one part, and sometimes of another."""
    sex = rng.choice(tuple(PRONOUNS))
    parts = [part for part in (compound(rng, sex) for _ in range(rng.choice((1, 1, 2)))) if part]
    text = rng.choice((", ", " and ", ". ", "; ")).join(part.text.removeprefix("$ ") for part in parts)
    wordings = [{a.axis.name: a.value for a in wording} for part in parts for wording in part.wordings]
    return only_heard(surfaced(text, rng), wordings, rng)


def described(rng: random.Random) -> Example:
    """A generated statement."""
    composed = composed_statement(rng)
    return only_heard(composed.text, composed.wordings, rng, IMAGINE)


def stated(rng: random.Random) -> Example:
    """A statement that somebody wrote, or some sentences of one."""
    composed: Composed = rng.choice((retold, excerpt))(rng)
    asks = IMAGINE if composed.wordings else ""
    return only_heard(roughened(composed.text, rng), composed.wordings, rng, asks)


def only_heard(
    text: str, wordings: Sequence[dict[str, float]], rng: random.Random, asks: str = ""
) -> Example:
    """What was said, without an answer; where nothing of it means a face, that is the lesson."""
    faces, photos = scene(rng)
    prompt, heard = listen(prompt_of(text, faces, photos, []), wordings)
    if not wordings:
        heard = (Mark(prompt.rindex(END), {}),)
    return Example("overheard", prompt, END, heard=heard, asks=asks)


@lru_cache(maxsize=1)
def _counts() -> list[float]:
    table = phrasings()
    return [
        len(table[axis.name]["high" if sign > 0 else "low"]["say"]) * end_weight(axis)
        for axis, sign in ends()
    ]


SAID: dict[Callable[[random.Random], Example], float] = {
    single: 0.22,
    several: 0.14,
    described: 0.12,
    stated: 0.17,
    speculate: 0.05,
    edit: 0.13,
    ask: 0.1,
    talk: 0.04,
    small_talk: 0.02,
    photo: 0.01,
}
