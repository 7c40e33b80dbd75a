"""Several things said of one part at once: "long, curly hair", "his nose was flat and rather broad".

Adjectives and the nouns they go with are taken out of the phrasings, so that whatever two of them
mean together is known. Before the noun they are one wording that means several ends.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from facegpt_model.data.examples import HEARD
from facegpt_model.data.habits import EXCLUSIVE, PRONOUNS
from facegpt_model.data.wordings import DEGREE_WORDS, Attribute, ends, phrasings
from facegpt_model.semantics.axes import Axis
from facegpt_model.semantics.words import Degree

_ADJECTIVE = re.compile(
    r"(?P<article>an? )?(?P<d>\{d\})?(?P<adjective>[a-z-]+) (?P<noun>[a-z]+)(?:@(?P<size>[\d.]+))?"
)
LEAST_ADJECTIVES = 6  # of a noun, on two axes or more, or it is no noun of this kind
_NOT_ADJECTIVES = frozenset(
    ("no", "a", "an", "the", "two", "some", "little", "proper", "real", "like", "not")
)


@dataclass(frozen=True)
class Adjective:
    """A word for one end; graded: it may stand after "very"; size: fixed slider size, or None."""

    text: str
    axis: Axis
    sign: int
    graded: bool
    size: float | None


@lru_cache(maxsize=1)
def adjectives() -> dict[tuple[str, bool], tuple[Adjective, ...]]:
    """(noun, whether it takes an article) -> the adjectives that are said of it."""
    table: dict[tuple[str, bool], list[Adjective]] = {}
    for axis, sign in ends():
        for text in phrasings()[axis.name]["high" if sign > 0 else "low"]["say"]:
            match = _ADJECTIVE.fullmatch(text)
            if match is None or match["adjective"] in _NOT_ADJECTIVES:
                continue
            size = float(match["size"]) if match["size"] else None
            word = Adjective(match["adjective"], axis, sign, bool(match["d"]), size)
            table.setdefault((match["noun"], bool(match["article"])), []).append(word)
    return {
        noun: tuple(words)
        for noun, words in table.items()
        if len(words) >= LEAST_ADJECTIVES and len({word.axis.name for word in words}) > 1
    }


@dataclass(frozen=True)
class Compound:
    """text: with HEARD where each wording ends, clauses beginning with "$ "; wordings: their ends."""

    text: str
    wordings: tuple[tuple[Attribute, ...], ...]

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All ends, in the order they are worded."""
        return tuple(attribute for wording in self.wordings for attribute in wording)


_PREDICATES = (
    "$ {his} {noun} {was} {said}", "$ {his} {noun} {was} {said}", "$ the {noun} {was} {said}", "{noun}: {said}", "{noun} {said}",
    "$ {he} had {a}{noun} that {was} {said}", "a {noun}, {said}", "$ {his} {noun} looked {said}", "{said}, the {noun}",
)  # fmt: skip


def compound(
    rng: random.Random, sex: str, taken: Collection[str] = (), count: int | None = None
) -> Compound | None:
    """One to three ends of one part, none on an axis that is taken; None where the part drawn has none left."""
    (noun, article), words = rng.choices(list(adjectives().items()), [len(w) for w in adjectives().values()])[
        0
    ]
    chosen = _choose(rng, words, taken, count or rng.choice((1, 2, 2, 2, 3)))
    if not chosen:
        return None
    said = [_graded(word, rng) for word in chosen]
    if len(said) > 1 and rng.random() < 0.6:
        row = rng.choice((" ", " ", ", ", " and ")).join(text for text, _ in said)
        return Compound(
            f"{_article(row) if article else ''}{row} {noun}{HEARD}", (tuple(a for _, a in said),)
        )
    form = rng.choice(_PREDICATES)
    if form.startswith("a ") and not article:
        form = form.removeprefix("a ")
    parts = [text + HEARD for text, _ in said]
    row = (
        ", ".join(parts[:-1]) + rng.choice((" and ", ", ", " and ", ", but ")) + parts[-1]
        if parts[1:]
        else parts[0]
    )
    he, _, his = PRONOUNS[sex]
    was = rng.choice(("was", "is")) if article or noun in ("hair", "skin") else rng.choice(("were", "are"))
    text = form.format(he=he, his=his, noun=noun, was=was, said=row, a="a " if article else "")
    return Compound(text, tuple((attribute,) for _, attribute in said))


def _choose(
    rng: random.Random, words: tuple[Adjective, ...], taken: Collection[str], count: int
) -> list[Adjective]:
    chosen: list[Adjective] = []
    names = set(taken)
    for word in rng.sample(words, len(words)):
        clash = any(word.axis.name in group and group & names for group in EXCLUSIVE)
        if word.axis.name not in names and not clash and word.text not in {one.text for one in chosen}:
            chosen.append(word)
            names.add(word.axis.name)
        if len(chosen) == count:
            break
    return chosen


def _graded(word: Adjective, rng: random.Random) -> tuple[str, Attribute]:
    if not word.graded:
        size = Degree.PLAIN.value if word.size is None else word.size
        return word.text, Attribute(word.axis, word.sign, min(Degree, key=lambda d: abs(d.value - size)))
    degree = rng.choice((Degree.SLIGHT, Degree.PLAIN, Degree.PLAIN, Degree.PLAIN, Degree.STRONG))
    adverb = rng.choice(DEGREE_WORDS[degree])
    return f"{adverb} {word.text}".strip(), Attribute(word.axis, word.sign, degree)


def _article(row: str) -> str:
    """ "a " or "an ", or nothing where the row begins with one ("a bit crooked")."""
    if row.startswith("a "):
        return ""
    return "an " if row[0] in "aeiou" and not row.startswith(("eu", "one", "uni")) else "a "
