"""Things users say about one or more features, without an answer: lessons in what wordings mean."""

from __future__ import annotations

import random
from functools import lru_cache

from facegpt_model.data.dialogues import describe, edit, speculate
from facegpt_model.data.examples import HEARD, Example, listen, prompt_of, surfaced
from facegpt_model.data.habits import PRONOUNS
from facegpt_model.data.wordings import ends, phrasings, word
from facegpt_model.vlm.tokens import END

_LEADS = ("", "", "", "{he} had ", "with ", "someone with ", "I remember ", "there was ", "a face with ")


def overheard(rng: random.Random) -> Example:
    """A single wording, a whole statement, a situation or an edit; the answer is empty."""
    example = rng.choices((single, describe, speculate, edit), (0.5, 0.28, 0.08, 0.14))[0](rng)
    if example.kind == "overheard":
        return example
    return Example("overheard", example.prompt, END, heard=example.heard)


def single(rng: random.Random) -> Example:
    """One or two wordings of ends drawn by how many wordings they have, so that each is heard as often."""
    sex = rng.choice(tuple(PRONOUNS))
    he = PRONOUNS[sex][0]
    pieces, means = [], []
    for _ in range(rng.choice((1, 1, 2))):
        axis, sign = rng.choices(ends(), _counts())[0]
        text, attribute = word(axis, sign, rng, "say", sex)
        lead = "" if text.startswith("$ ") else rng.choice(_LEADS).format(he=he)
        pieces.append(lead + text.removeprefix("$ ") + HEARD)
        means.append({attribute.axis.name: attribute.value})
    text = surfaced(rng.choice((", ", " and ", ". ", "; ")).join(pieces), rng)
    prompt, heard = listen(prompt_of(text, [], [], []), means)
    return Example("overheard", prompt, END, heard=heard)


@lru_cache(maxsize=1)
def _counts() -> list[int]:
    table = phrasings()
    return [len(table[axis.name]["high" if sign > 0 else "low"]["say"]) for axis, sign in ends()]
