"""Witness statements with known meaning: sampled attributes, worded in many ways.

A statement is drawn first (who, how old, which axes how far), then its wording: order,
sentence forms, degree words, slang, typing errors. The same draw gives the canonical
sentence that the model learns to answer with.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection

from facegpt_model.data.compounds import Compound, compound
from facegpt_model.data.examples import HEARD, Composed, without_ends
from facegpt_model.data.habits import EXCLUSIVE, SELF_CORRECTIONS, TAKEN_BACK, agreeing, aside, end_weight
from facegpt_model.data.who import SEX_WORDS, Age, article, sample_age, sample_noun
from facegpt_model.data.wordings import Attribute, Wording, ends, word
from facegpt_model.semantics.axes import Axis
from facegpt_model.semantics.words import SEX_VALUE, Statement, age_value

OPENINGS = (
    "", "", "", "", "I saw ", "It was ", "The suspect was ", "Draw ", "Show me ", "Make ", "Imagine ", "Please draw ",
    "Can you make ", "I'd like a face of ", "Picture ", "The person I saw was ", "Generate ", "We are looking for ",
    "What would he look like: ", "I remember ", "Create ", "There was ", "Could you do ", "Give me ", "It's ", "He says it was ",
    "I'm thinking of ", "I need ", "The thief was ", "I was robbed by ", "The one I saw: ", "Try ", "Build me ", "How about ",
    "My neighbour saw ", "Let's have ", "I want ", "Can I get ", "Sketch ",
)  # fmt: skip


def sample_statement(
    rng: random.Random, kind: Wording = "say", count: int | None = None
) -> tuple[str, Statement, dict[str, float]]:
    """A worded description, its canonical statement, and the slider values it means."""
    composed = composed_statement(rng, kind, count)
    return without_ends(composed.text), composed.statement, composed.values


def composed_statement(rng: random.Random, kind: Wording = "say", count: int | None = None) -> Composed:
    """The same with the ends of the wordings still in the text."""
    sex = rng.choices(("man", "woman", "person"), (0.42, 0.42, 0.16))[0]
    if count is None:
        count = rng.choices((0, 1, 2, 3, 4, 5, 6), (2, 34, 24, 16, 12, 7, 5))[0]
    parts = _worded(rng, kind, count, sex)
    parts.sort(key=lambda part: part.text.startswith("$ "))  # clauses are spoken after noun phrases
    held = kind == "held" and rng.random() < 0.5
    noun, years = sample_noun(rng, sex, held)
    age = sample_age(rng, held) if years is None and (rng.random() < 0.45 or not parts) else None
    meant = {one.axis.name: one.phrase for part in parts for one in part.attributes}
    statement = Statement(sex, age.years if age else years, tuple(meant.values()))
    text = _compose(sex, noun, age, [part.text for part in parts], rng)
    wordings = tuple(
        {attribute.axis.name: attribute.value for attribute in wording}
        for part in parts
        for wording in part.wordings
    )
    return Composed(roughened(aside(text, rng), rng), statement, wordings)


COMPOUNDS = 0.35  # share of statements of two ends or more that say some of them of one part at once


def _worded(rng: random.Random, kind: Wording, count: int, sex: str) -> list[Compound]:
    """What is said, in no order, of `count` ends."""
    parts: list[Compound] = []
    if kind == "say" and count > 1 and rng.random() < COMPOUNDS:
        several = compound(rng, sex, count=min(count, rng.choice((2, 2, 3))))
        parts = [several] if several else []
    taken = {attribute.axis.name for part in parts for attribute in part.attributes}
    for axis, sign in _choose(rng, count - len(taken), sex, taken):
        parts.append(corrected(*word(axis, sign, rng, kind, sex), rng, sex))
    return parts


def corrected(text: str, meant: Attribute, rng: random.Random, sex: str) -> Compound:
    """Sometimes a witness says the opposite first and takes it back; both are heard, the last is meant."""
    axis = meant.axis
    plain = Compound(text + HEARD, ((meant,),))
    if rng.random() > SELF_CORRECTIONS or text.startswith("$ ") or axis.low is None or axis.high is None:
        return plain
    slip, said = word(axis, -meant.sign, rng, "say", sex)
    if slip.startswith("$ "):
        return plain
    return Compound(f"{slip}{HEARD}{rng.choice(TAKEN_BACK)}{text}{HEARD}", ((said,), (meant,)))


def _choose(rng: random.Random, count: int, sex: str, taken: Collection[str] = ()) -> list[tuple[Axis, int]]:
    chosen: list[tuple[Axis, int]] = []
    names: set[str] = set(taken)
    pool = sorted(ends(), key=lambda end: -(rng.random() ** (1 / end_weight(end[0], sex))))
    for axis, sign in pool:
        if len(chosen) == count:
            break
        clash = any(axis.name in group and names & group for group in EXCLUSIVE)
        if axis.name not in names and not clash:
            chosen.append((axis, sign))
            names.add(axis.name)
    return chosen


_TOLD = (
    "{he} had ", "{he} had ", "{he} had ", "{he} had got ", "{he} also had ", "{he} has ", "{he} has ", "{he}'s got ", "With ", "",
    "I noticed ", "I remember ", "Features: ", "What I can tell you: ", "What struck me: ", "{he} was someone with ",
)  # fmt: skip
_JOINED = (" with ", " with ", " with ", " who had ", " who has ", ", ", " and ", ": ", " having ")


def _compose(sex: str, noun: str, age: Age | None, parts: list[str], rng: random.Random) -> str:
    place, told = (age.place, agreeing(age.text, sex)) if age else ("none", "")
    who = _named(noun, told if place == "before" else "")
    if place == "after":
        who += rng.choice((", ", " ")) + told
    clauses = [told] if place == "clause" else []
    clauses += [p.removeprefix("$ ") for p in parts if p.startswith("$ ")]
    phrases = [p for p in parts if not p.startswith("$ ")]
    if rng.random() < 0.15 and (age or noun in SEX_WORDS[sex]):
        return _terse(sex, told, phrases, [c for c in clauses if c != told], rng)
    sentences = []
    if phrases and rng.random() < 0.6:
        sentences.append(rng.choice(OPENINGS) + who + rng.choice(_JOINED) + _list(phrases, rng))
    else:
        if (
            rng.random() < 0.8
            or sex != "person"
            or place in ("before", "after")
            or noun not in SEX_WORDS[sex]
        ):
            sentences.append(rng.choice(OPENINGS) + who)
        if phrases:
            sentences.append(agreeing(rng.choice(_TOLD), sex) + _list(phrases, rng))
    for clause in clauses:
        if sentences and rng.random() < 0.35:
            sentences[-1] += rng.choice((" and ", ", ", ", and ")) + clause
        else:
            sentences.append(clause)
    whole = ". ".join(s[:1].upper() + s[1:] for s in sentences if s)
    return whole + rng.choice((".", ".", "", "!"))


def _named(noun: str, adjective: str) -> str:
    if noun == "someone" and not adjective:
        return noun
    return article(f"{adjective} {'person' if noun == 'someone' else noun}".strip())


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


def roughened(text: str, rng: random.Random) -> str:
    """As people type: hesitating, in lower case, with a typing error, now and then."""
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
