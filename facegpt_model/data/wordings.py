"""Wordings of one axis end: what people say, and which end and degree they mean.

All phrasings are our own writing (phrasings/*.toml; the format is told in features.toml).
Those under `held` and `held_edit` are kept out of training to measure generalisation.
"""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate
from typing import Literal

from facegpt_model.data.habits import agreeing
from facegpt_model.semantics.axes import Axis, axis_list
from facegpt_model.semantics.words import Degree, End

Wording = Literal["say", "edit", "held", "held_edit", "less"]

DEGREE_WORDS = {
    Degree.SLIGHT: ("slightly", "a bit", "a little", "somewhat", "kind of"),
    Degree.PLAIN: ("", "", "", "", "quite", "fairly", "rather", "pretty"),
    Degree.STRONG: ("very", "very", "really", "extremely", "incredibly", "so"),
}
_COMPARATIVE = {
    Degree.SLIGHT: ("a bit ", "slightly ", "a little ", "a touch "),
    Degree.PLAIN: ("",),
    Degree.STRONG: ("much ", "a lot ", "far "),
}
_AMOUNT = {
    Degree.SLIGHT: (" a little", " slightly", " a bit"),
    Degree.PLAIN: ("",),
    Degree.STRONG: (" a lot", " a great deal"),
}
CANONICAL_SHARE = 0.18  # witnesses who happen to use the canonical words themselves


@dataclass(frozen=True)
class Attribute:
    """One axis end at a degree, as a wording means it."""

    axis: Axis
    sign: int
    degree: Degree

    @property
    def end(self) -> End:
        """The canonical words of this end."""
        end = self.axis.high if self.sign > 0 else self.axis.low
        if end is None:
            raise ValueError(f"axis {self.axis.name!r} has no such end")
        return end

    @property
    def phrase(self) -> str:
        """Canonical phrase."""
        return self.end.words(self.degree)

    @property
    def value(self) -> float:
        """Slider value."""
        return self.sign * self.end.value(self.degree)


@lru_cache(maxsize=1)
def phrasings() -> dict[str, dict[str, dict[str, list[str]]]]:
    """axis name -> "low" / "high" -> "say" / "edit" / "held" / "held_edit" / "less" -> wordings of all files."""
    folder = resources.files("facegpt_model.data").joinpath("phrasings")
    table: dict[str, dict[str, dict[str, list[str]]]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        for axis, sides in tomllib.loads(file.read_text("utf-8")).items():
            for side, kinds in sides.items():
                for kind, texts in kinds.items():
                    table.setdefault(axis, {}).setdefault(side, {}).setdefault(kind, []).extend(texts)
    return table


@lru_cache(maxsize=1)
def removable() -> tuple[Axis, ...]:
    """Axes whose high end users also take away ("less" wordings)."""
    return tuple(axis for axis in axis_list() if "less" in phrasings()[axis.name].get("high", {}))


@lru_cache(maxsize=1)
def ends() -> tuple[tuple[Axis, int], ...]:
    """Every axis end that has words, as (axis, sign)."""
    both = ((axis, sign) for axis in axis_list() for sign in (-1, 1))
    return tuple((axis, sign) for axis, sign in both if (axis.high if sign > 0 else axis.low) is not None)


@lru_cache(maxsize=1)
def ends_with_held_edits() -> tuple[tuple[Axis, int], ...]:
    """The ends that have edits kept out of training."""
    return tuple(
        end for end in ends() if "held_edit" in phrasings()[end[0].name]["high" if end[1] > 0 else "low"]
    )


def word(
    axis: Axis, sign: int, rng: random.Random, kind: Wording, sex: str = "person"
) -> tuple[str, Attribute]:
    """A wording of one end and what it means; clauses keep their leading "$ "."""
    side = "high" if sign > 0 else "low"
    options = phrasings()[axis.name][side][kind]
    if kind == "say" and rng.random() < CANONICAL_SHARE:
        attribute = Attribute(axis, sign, rng.choice(list(Degree)))
        return attribute.phrase, attribute
    text, degree = _filled(rng.choices(options, cum_weights=_plainness(axis.name, side, kind))[0], rng)
    return _articled(agreeing(text, sex)), Attribute(axis, sign, degree)


SHORT, PLAIN_WEIGHT = 3, 3.0  # wordings of up to so many words are said so many times as often


@cache
def _plainness(axis: str, side: str, kind: str) -> tuple[float, ...]:
    """Summed weights of the wordings of an end: people say "a big nose" far more often than a simile."""
    weights = (
        PLAIN_WEIGHT if len(text.replace("{d}", "").split()) <= SHORT else 1.0
        for text in phrasings()[axis][side][kind]
    )
    return tuple(accumulate(weights))


def _articled(text: str) -> str:
    text = re.sub(r"\b([aA])n (?=[^aeiouhAEIOUH])", r"\1 ", text)
    return re.sub(
        r"\b([aA]) (?=[aeio]|ugly|upturned|under|un[a-z]+ed\b|upward)(?!one\b|one-|euro)", r"\1n ", text
    )


def _filled(text: str, rng: random.Random) -> tuple[str, Degree]:
    fixed = Degree.PLAIN
    if "@" in text:
        text, size = text.rsplit("@", 1)
        fixed = min(Degree, key=lambda degree: abs(degree.value - float(size)))
    if "{d}" in text:
        degree = rng.choice((Degree.SLIGHT, Degree.PLAIN, Degree.PLAIN, Degree.STRONG))
        adverb = rng.choice(DEGREE_WORDS[degree])
        if adverb.startswith("a ") and re.search(r"\ban? \{d\}", text):
            adverb = rng.choice(("slightly", "somewhat"))
        if fixed is not Degree.PLAIN:
            degree, adverb = fixed, ""
        return text.replace("{d}", f"{adverb} " if adverb else ""), degree
    for slot, adverbs in (("{c}", _COMPARATIVE), ("{a}", _AMOUNT)):
        if slot in text:
            degree = rng.choice((Degree.SLIGHT, Degree.PLAIN, Degree.PLAIN, Degree.STRONG))
            if fixed is not Degree.PLAIN:
                degree = fixed
            return text.replace(slot, rng.choice(adverbs[degree])), degree
    return text, fixed
