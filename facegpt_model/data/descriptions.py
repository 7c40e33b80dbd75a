"""Witness statements with known meaning: sampled attributes, worded in many ways.

A statement is drawn first (who, how old, which axes how far), then its wording: order,
sentence forms, degree words, slang, typing errors. The same draw gives the canonical
sentence that the model learns to answer with. All phrasings are our own writing
(phrasings/*.toml); those under `held` are kept out of training to measure generalisation.
"""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

from facegpt_model.data.habits import EXCLUSIVE, PRONOUNS, SELF_CORRECTIONS, TAKEN_BACK, aside, end_weight
from facegpt_model.semantics.axes import Axis, axis_list
from facegpt_model.semantics.words import SEX_VALUE, Degree, End, Statement, age_value

Wording = Literal["say", "edit", "held", "less"]

SEX_WORDS = {
    "man": ("man", "man", "man", "guy", "bloke", "fellow", "gentleman", "male", "chap"),
    "woman": ("woman", "woman", "woman", "lady", "female", "girl", "gal"),
    "person": ("person", "person", "someone", "individual", "face"),
}
DEGREE_WORDS = {
    Degree.SLIGHT: ("slightly", "a bit", "a little", "somewhat", "kind of"),
    Degree.PLAIN: ("", "", "", "", "quite", "fairly", "rather", "pretty"),
    Degree.STRONG: ("very", "very", "really", "extremely", "incredibly", "so"),
}
AGE_WORDS = (
    ("young", 25),
    ("youngish", 30),
    ("teenage", 18),
    ("middle-aged", 50),
    ("elderly", 75),
    ("old", 75),
    ("very old", 85),
)
DECADES = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties")
NUMBER_WORDS = {
    20: "twenty",
    30: "thirty",
    40: "forty",
    50: "fifty",
    60: "sixty",
    70: "seventy",
    80: "eighty",
}
CANONICAL_SHARE = 0.18  # witnesses who happen to use the canonical words themselves
OPENINGS = (
    "", "", "", "", "I saw ", "It was ", "The suspect was ", "Draw ", "Show me ", "Make ", "Imagine ", "Please draw ",
    "Can you make ", "I'd like a face of ", "Picture ", "The person I saw was ", "Generate ", "We are looking for ",
    "What would he look like: ", "I remember ", "Create ",
)  # fmt: skip


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
    """axis name -> "low" / "high" -> "say" / "edit" / "held" / "less" -> wordings."""
    folder = resources.files("facegpt_model.data").joinpath("phrasings")
    table: dict[str, dict[str, dict[str, list[str]]]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        for axis, sides in tomllib.loads(file.read_text("utf-8")).items():
            for side, kinds in sides.items():
                table.setdefault(axis, {}).setdefault(side, {}).update(kinds)
    return table


@lru_cache(maxsize=1)
def removable() -> tuple[Axis, ...]:
    """Axes of one end that users also take away ("less" wordings)."""
    return tuple(axis for axis in axis_list() if "less" in phrasings()[axis.name].get("high", {}))


@lru_cache(maxsize=1)
def ends() -> tuple[tuple[Axis, int], ...]:
    """Every axis end that has words, as (axis, sign)."""
    both = ((axis, sign) for axis in axis_list() for sign in (-1, 1))
    return tuple((axis, sign) for axis, sign in both if (axis.high if sign > 0 else axis.low) is not None)


def word(
    axis: Axis, sign: int, rng: random.Random, kind: Wording, sex: str = "person"
) -> tuple[str, Attribute]:
    """A wording of one end and what it means; clauses keep their leading "$ "."""
    options = phrasings()[axis.name]["high" if sign > 0 else "low"][kind]
    if kind == "say" and rng.random() < CANONICAL_SHARE:
        attribute = Attribute(axis, sign, rng.choice(list(Degree)))
        return attribute.phrase, attribute
    text, degree = _fill(rng.choice(options), rng)
    he, him, his = PRONOUNS[sex]
    text = text.replace("{he}", he).replace("{him}", him).replace("{his}", his)
    text = re.sub(r"\b([aA])n (?=[^aeiouhAEIOUH])", r"\1 ", text)
    text = re.sub(r"\b([aA]) (?=[aeio]|ugly|upturned|under)(?!one\b|one-)", r"\1n ", text)
    return text, Attribute(axis, sign, degree)


def _fill(text: str, rng: random.Random) -> tuple[str, Degree]:
    fixed = Degree.PLAIN
    if "@" in text:
        text, size = text.rsplit("@", 1)
        fixed = min(Degree, key=lambda degree: abs(degree.value - float(size)))
    if "{d}" in text:
        degree = rng.choice((Degree.SLIGHT, Degree.PLAIN, Degree.PLAIN, Degree.STRONG))
        adverb = rng.choice(DEGREE_WORDS[degree])
        if adverb.startswith("a ") and re.search(r"\ba \{d\}", text):
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


def sample_statement(
    rng: random.Random, kind: Wording = "say", count: int | None = None
) -> tuple[str, Statement, dict[str, float]]:
    """A worded description, its canonical statement, and the slider values it means."""
    sex = rng.choices(("man", "woman", "person"), (0.42, 0.42, 0.16))[0]
    if count is None:
        count = rng.choices((0, 1, 2, 3, 4, 5, 6), (2, 34, 24, 16, 12, 7, 5))[0]
    worded = [corrected(*word(axis, sign, rng, kind, sex), rng, sex) for axis, sign in _choose(rng, count)]
    worded.sort(key=lambda pair: pair[0].startswith("$ "))  # clauses are spoken after noun phrases
    age = rng.randint(18, 88) if rng.random() < 0.45 or not worded else None
    age_text, age = _age_words(age, rng) if age is not None else ("", None)
    statement = Statement(sex, age, tuple(attribute.phrase for _, attribute in worded))
    text = _compose(sex, age_text, [text for text, _ in worded], rng)
    values = {attribute.axis.name: attribute.value for _, attribute in worded}
    return _roughen(aside(text, rng), rng), statement, values


def corrected(text: str, meant: Attribute, rng: random.Random, sex: str) -> tuple[str, Attribute]:
    """Sometimes a witness says the opposite first and takes it back; what is meant stays."""
    axis = meant.axis
    if rng.random() > SELF_CORRECTIONS or text.startswith("$ ") or axis.low is None or axis.high is None:
        return text, meant
    slip, _ = word(axis, -meant.sign, rng, "say", sex)
    if slip.startswith("$ "):
        return text, meant
    return f"{slip}{rng.choice(TAKEN_BACK)}{text}", meant


def _choose(rng: random.Random, count: int) -> list[tuple[Axis, int]]:
    chosen: list[tuple[Axis, int]] = []
    names: set[str] = set()
    pool = sorted(ends(), key=lambda end: -(rng.random() ** (1 / end_weight(end[0]))))
    for axis, sign in pool:
        if len(chosen) == count:
            break
        clash = any(axis.name in group and names & group for group in EXCLUSIVE)
        if axis.name not in names and not clash:
            chosen.append((axis, sign))
            names.add(axis.name)
    return chosen


def _age_words(age: int, rng: random.Random) -> tuple[str, int]:
    style = rng.random()
    if style < 0.3:
        return rng.choice(AGE_WORDS)
    if style < 0.55:
        decade = min(age // 10, 8) * 10 if age >= 20 else 20
        offset, part = rng.choice(((2, "early "), (5, ""), (5, "mid-"), (8, "late ")))
        return f"in {{his}} {part}{DECADES[decade // 10 - 2]}", decade + offset
    rounded = max(20, 5 * round(age / 5))
    spoken = NUMBER_WORDS.get(rounded, str(rounded))
    return rng.choice((f"about {spoken}", f"around {spoken}", f"about {rounded}", f"{rounded} or so", f"aged {rounded}",
                       f"roughly {rounded}", f"{rounded} years old", f"maybe {spoken}")), rounded  # fmt: skip


def _compose(sex: str, age: str, parts: list[str], rng: random.Random) -> str:
    noun = rng.choice(SEX_WORDS[sex])
    he, _, his = PRONOUNS[sex]
    adjective = age if age and not re.search(r"\d|about|around|in \{his|roughly|maybe", age) else ""
    trailing = "" if adjective else age.replace("{his}", his)
    head = _article(f"{adjective} {noun}".strip()) if noun != "someone" else f"someone {adjective}".strip()
    who = head + (rng.choice((", ", " ")) + trailing if trailing else "")
    clauses = [p.removeprefix("$ ") for p in parts if p.startswith("$ ")]
    phrases = [p for p in parts if not p.startswith("$ ")]
    if rng.random() < 0.15:
        return _terse(sex, adjective or trailing, phrases, clauses, rng)
    if not parts and not age:
        return rng.choice(OPENINGS) + who
    sentences = []
    if phrases and rng.random() < 0.6:
        sentences.append(
            rng.choice(OPENINGS)
            + who
            + rng.choice((" with ", " with ", " who had ", ", "))
            + _list(phrases, rng)
        )
    else:
        if rng.random() < 0.8 or age or sex != "person":
            sentences.append(rng.choice(OPENINGS) + who)
        if phrases:
            had = he.capitalize() + rng.choice((" had ", " had ", " had got ", " also had "))
            sentences.append(rng.choice((had, had, "With ", "")) + _list(phrases, rng))
    for clause in clauses:
        if sentences and rng.random() < 0.35:
            sentences[-1] += rng.choice((" and ", ", ", ", and ")) + clause
        else:
            sentences.append(clause[:1].upper() + clause[1:])
    return ". ".join(s[:1].upper() + s[1:] for s in sentences if s) + rng.choice((".", ".", "", "!"))


def _terse(sex: str, age: str, phrases: list[str], clauses: list[str], rng: random.Random) -> str:
    label = {
        "man": ("male", "man", "m"),
        "woman": ("female", "woman", "f"),
        "person": ("person", "", "sex unclear"),
    }
    bare = [re.sub(r"^(a|an) ", "", p) for p in phrases]
    items = [rng.choice(label[sex]), age, *bare, *clauses]
    return rng.choice((", ", "; ", " / ", ", ")).join(item for item in items if item)


def _list(phrases: list[str], rng: random.Random) -> str:
    if len(phrases) == 1:
        return phrases[0]
    glue = rng.choice((" and ", ", and ", " and also ", ", "))
    return ", ".join(phrases[:-1]) + glue + phrases[-1]


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeio" else "a ") + noun


def _roughen(text: str, rng: random.Random) -> str:
    if rng.random() < 0.12:
        text = (
            rng.choice(
                ("I think ", "Hmm, ", "Well, ", "So, ", "ok ", "Let me think. ", "As far as I remember, ")
            )
            + text
        )
    if rng.random() < 0.25:
        text = text.lower()
    for _ in range(rng.choices((0, 1, 2), (90, 7, 3))[0]):
        if len(text) > 12:
            spot = rng.randrange(4, len(text) - 2)
            text = text[:spot] + rng.choice(
                (text[spot + 1 :], text[spot + 1] + text[spot] + text[spot + 2 :])
            )
    return text


def slider_values(statement: Statement, attributes: dict[str, float]) -> dict[str, float]:
    """Slider values of a whole statement: attributes, then sex and age where they are free."""
    values = dict(attributes)
    if statement.sex != "person":
        values["masculinity"] = max(-1.0, min(1.0, values.get("masculinity", 0.0) + SEX_VALUE[statement.sex]))
    if statement.age is not None:
        values["age"] = max(-1.0, min(1.0, values.get("age", 0.0) + age_value(statement.age)))
    return values
