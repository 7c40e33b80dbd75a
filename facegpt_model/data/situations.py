"""Speculation: what happened to somebody, or what somebody is, and the look that goes with it.

"She just won the lottery" becomes "A woman with a broad smile and a very surprised look.":
the same canonical phrases as for what a witness saw, so that nothing new has to be drawn.
The situations are our own writing (situations.toml).
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

from facegpt_model.data.examples import HEARD, Composed, without_ends
from facegpt_model.data.habits import EXCLUSIVE, PRONOUNS, agreeing, end_weight
from facegpt_model.data.who import SEX_WORDS, article
from facegpt_model.data.wordings import ends, word
from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import Statement

NOUN = "= "  # begins situations that are what somebody is: "a vampire"
AGE_SHARE, ATTRIBUTE_SHARE = 0.25, 0.3  # of statements that also tell an age, or what the face is like


@dataclass(frozen=True)
class Look:
    """The look of a group of situations.

    means: canonical phrases; sex: "man", "woman" or None where the wording leaves it open;
    age: years or None.
    """

    means: tuple[str, ...]
    sex: str | None
    age: int | None
    say: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def values(self) -> dict[str, float]:
        """Slider values of the look, without sex and age."""
        return dict(phrase_table()[phrase] for phrase in self.means)


@lru_cache(maxsize=1)
def looks() -> tuple[Look, ...]:
    """All groups of situations.toml."""
    file = resources.files("facegpt_model.data").joinpath("situations.toml")
    return tuple(
        Look(
            tuple(group["means"]),
            group.get("sex"),
            group.get("age"),
            tuple(group["say"]),
            tuple(group.get("held", ())),
        )
        for group in tomllib.loads(file.read_text("utf-8"))["situation"]
    )


@lru_cache(maxsize=2)
def situations(kind: Literal["say", "held"] = "say") -> tuple[tuple[str, Look], ...]:
    """Every situation with its look; each is as likely as any other."""
    return tuple((text, look) for look in looks() for text in (look.say if kind == "say" else look.held))


_CLAUSE_OPENINGS = (
    "", "", "", "", "Imagine ", "Picture this: ", "Show me {him}: ", "What does {he} look like? ", "Suppose ",
    "Draw {him} when ", "How does {he} look? ", "Let's say ", "Draw {his} face: ", "{his} face, please: ",
    "Make a face for this: ", "Speculate: ", "I wonder how {he} looks: ", "The story: ",
)  # fmt: skip
_WHO_OPENINGS = (
    "", "", "Show me ", "Imagine ", "Draw ", "Make ", "Picture ", "I need ", "Create ", "Can you draw ",
    "What would he look like: ", "Please make the face of ", "Generate ", "How about ", "The face of ",
)  # fmt: skip


def speculation(
    rng: random.Random, kind: Literal["say", "held"] = "say"
) -> tuple[str, Statement, dict[str, float]]:
    """A worded situation, its canonical statement, and the slider values it means."""
    told = composed_speculation(rng, kind)
    return without_ends(told.text), told.statement, told.values


def composed_speculation(rng: random.Random, kind: Literal["say", "held"] = "say") -> Composed:
    """The same with the ends of the wordings still in the text; a situation is one wording of all it means."""
    return composed(*rng.choice(situations(kind)), rng, kind)


def composed(
    situation: str, look: Look, rng: random.Random, kind: Literal["say", "held"] = "say"
) -> Composed:
    """One situation as somebody may tell it, sometimes with something about the person before it."""
    sex = look.sex or rng.choices(("man", "woman", "person"), (0.45, 0.45, 0.1))[0]
    if situation.startswith(NOUN):
        sex = look.sex or "person"
        text = rng.choice(_WHO_OPENINGS) + situation.removeprefix(NOUN) + HEARD
        return Composed(_ended(text, rng), Statement(sex, look.age, look.means), (look.values,))
    situation = agreeing(situation, sex) + HEARD
    if rng.random() < 0.4:
        text = agreeing(rng.choice(_CLAUSE_OPENINGS), sex) + situation
        statement = Statement(sex if _tells(text, sex) else "person", look.age, look.means)
        return Composed(_ended(text, rng), statement, (look.values,))
    attribute, phrases, values = _attribute(rng, kind, sex, look.values)
    age = look.age
    who = rng.choice(SEX_WORDS[sex])
    if age is None and rng.random() < AGE_SHARE:
        age = 5 * rng.randint(4, 16)
        who = f"{age}-year-old {who}" if who != "someone" else who + f" of {age}"
    head = article(who) if not who.startswith("someone") else who
    about = f"{head} with {attribute}" if attribute else head
    he = PRONOUNS[sex][0]
    if situation.startswith(f"{he} ") and sex != "person" and not attribute:
        text = f"{about} who {situation.removeprefix(f'{he} ')}"
    else:
        text = f"{about}{rng.choice(('. ', ': ', ', and '))}{situation}"
    text = rng.choice(_WHO_OPENINGS) + text
    wordings = (values, look.values) if values else (look.values,)
    return Composed(_ended(text, rng), Statement(sex, age, (*phrases, *look.means)), wordings)


def _attribute(
    rng: random.Random, kind: Literal["say", "held"], sex: str, taken: Collection[str]
) -> tuple[str, tuple[str, ...], dict[str, float]]:
    """Sometimes one thing about the face itself, on an axis the look leaves alone."""
    if rng.random() > ATTRIBUTE_SHARE:
        return "", (), {}
    free = [
        (axis, sign)
        for axis, sign in ends()
        if axis.part != "expression"
        and axis.name not in taken
        and not any(axis.name in group and group & set(taken) for group in EXCLUSIVE)
    ]
    axis, sign = rng.choices(free, [end_weight(axis, sex) for axis, _ in free])[0]
    text, meant = word(axis, sign, rng, kind, sex)
    if text.startswith("$ "):
        text = meant.phrase
    return text + HEARD, (meant.phrase,), {axis.name: meant.value}


def _tells(text: str, sex: str) -> bool:
    """Whether the pronouns of a text tell the sex."""
    words = set(without_ends(text).lower().replace("'", " ").replace(",", " ").split())
    return bool(words & set(PRONOUNS[sex]))


def _ended(text: str, rng: random.Random) -> str:
    text = text[:1].upper() + text[1:]
    if rng.random() < 0.2:
        text = text.lower()
    return text + rng.choice((".", ".", "", "", "!"))


def as_if(rng: random.Random, sex: str, kind: Literal["say", "held"] = "say") -> tuple[str, dict[str, float]]:
    """A request to make an existing face look as a situation would have it, and the changes it means.

    Its end is still in the text, as in `composed_speculation`.
    """
    clauses = [(text, look) for text, look in situations(kind) if _only_expression(look) and NOUN not in text]
    situation, look = rng.choice(clauses)
    opening = rng.choice(
        ("make {him} look as if ", "{he} should look as if ", "give {him} the face of someone, when ", "have {him} look like ",
         "change the expression: ", "same face, but ", "show {him} the moment ", "what if ", "make the face fit this: ")
    )  # fmt: skip
    return agreeing(opening + situation, sex) + HEARD, look.values


def _only_expression(look: Look) -> bool:
    axes = {axis.name: axis for axis, _ in ends()}
    return look.age is None and all(axes[name].part == "expression" for name in look.values)
