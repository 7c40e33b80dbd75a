"""Turns that ask for a tool, and talk that asks for none: the wordings of asking/*.toml with their calls.

About one wording in seven, chosen by a hash of its letters, is kind "held": kept out of training.
"""

from __future__ import annotations

import hashlib
import random
import re
import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from facegpt_model.data.examples import HEARD, Example, called, listen, prompt_of, scene, surfaced
from facegpt_model.data.habits import PRONOUNS
from facegpt_model.data.wordings import ends, word
from facegpt_model.dialogue.arguments import PARTS, arguments
from facegpt_model.dialogue.intents import DECLINE, INTENTS, TALK
from facegpt_model.dialogue.references import Scene
from facegpt_model.vlm.tokens import END, call_text

Kind = Literal["say", "held"]
HELD_ONE_IN = 7
FREQUENCY = {  # of intents, relative to 1 of each of the others
    "variants": 2.0, "compare": 2.0, "retrieve": 2.0, "retrieve words": 1.0, "undo": 2.0, "less": 1.5, "more": 1.5,
    "view left": 0.8, "view right": 0.8, "view up": 0.6, "view down": 0.6, "delete": 0.4, "describe": 1.5, "go_to": 1.5,
    "export glb": 1.5, "history": 0.7,
}  # fmt: skip
_OPENINGS = (
    "please ", "could you please ", "ok, ", "okay ", "right, ", "now ", "great, now ", "good. ", "nice, ", "hmm, ",
    "so, ", "well, ", "and ", "thanks. ", "perfect, ", "lovely, ", "I think ", "hey, ", "sorry, ", "next, ", "actually, ",
    "oh, ", "alright, ", "fine, ", "yes, ", "no, ", "hello, ", "listen, ", "wait, ", "just ", "then ", "good, now ",
)  # fmt: skip
_CLOSINGS = (
    " please", " please", ", please", " thanks", ", thank you", " mate", ", would you?", " now", " for me", ", ok?", " if you can",
    " quickly", ", will you", " then", " again", " if possible", ", thx", " pls",
)  # fmt: skip
_COUNTS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "a couple of": 2,
    "a handful of": 5, "half a dozen": 6, "a dozen": 12, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "8": 8, "10": 10, "12": 12, "15": 15,
    "a few": 4, "some": 4, "several": 4,
}  # fmt: skip
_PART_WORDS = {
    "eyes": ("eyes", "eyes"), "brows": ("eyebrows", "brows"), "nose": ("nose", "nose", "nose"), "mouth": ("mouth", "lips"),
    "jaw": ("jaw", "chin", "jawline"), "skin": ("skin", "skin tone"),
}  # fmt: skip


def is_held(wording: str) -> bool:
    """True for the wordings that are never trained."""
    return hashlib.sha1(wording.encode()).digest()[0] % HELD_ONE_IN == 0


@lru_cache(maxsize=1)
def wordings() -> dict[str, tuple[str, ...]]:
    """Every intent that has wordings of its own -> all of them, those that are held included."""
    table: dict[str, tuple[str, ...]] = {}
    for name in ("going_back", "making", "looking", "finding", "files"):
        for intent, entry in _read(name).items():
            table[intent] = _split(entry["wordings"])
    return table


@dataclass(frozen=True)
class Talk:
    """An answer without a tool and the ways to bring it about; declines: FaceGPT refuses."""

    text: str
    wordings: tuple[str, ...]
    declines: bool


@lru_cache(maxsize=1)
def talks() -> tuple[Talk, ...]:
    """The answers of asking/talk.toml."""
    return tuple(
        Talk(entry["text"], _split(entry["wordings"]), entry.get("declines", False))
        for entry in _read("talk")["answer"]
    )


def of_kind(texts: tuple[str, ...], kind: Kind) -> list[str]:
    """The wordings of a list that are trained, or those that are held."""
    return [text for text in texts if is_held(text) == (kind == "held")]


def ask(rng: random.Random, kind: Kind = "say", intent: str = "") -> Example:
    """A request for one tool, or for the tool of one intent; the answer is the call."""
    names = list(wordings())
    chosen = intent or rng.choices(names, [FREQUENCY.get(name, 1.0) for name in names])[0]
    wanted = next(one for one in INTENTS if one.name == chosen)
    faces, photos = scene(rng, least_faces=2 if chosen in ("breed", "compare", "array", "go_to") else 1)
    text = rng.choice(of_kind(wordings()[chosen], kind))
    heard: list[dict[str, float]] = []
    if "{words}" in text:
        text, heard = _with_words(text, rng)
    text = roughened(around(_filled(text, faces, rng), rng), rng)
    prompt, marks = listen(prompt_of(text, faces, photos, []), heard)
    shown = Scene(tuple(faces), faces[-1])
    call = call_text(wanted.tool, arguments(wanted, _typed(text), shown))
    return Example("ask", prompt, call + END, heard=marks, asks=chosen, silent=not heard)


def talk(rng: random.Random, kind: Kind = "say") -> Example:
    """Something that needs no tool, and a short true answer."""
    pairs = [(text, answer) for answer in talks() for text in of_kind(answer.wordings, kind)]
    text, answer = rng.choice(pairs)
    faces, photos = scene(rng)
    attached = [photos[-1]] if photos and answer.declines and rng.random() < 0.15 else []
    prompt = prompt_of(roughened(surfaced(text, rng), rng), faces, photos, attached)
    asks = DECLINE if answer.declines else TALK
    return Example("talk", prompt, answer.text + END, asks=asks, silent=True)


def ask_briefly(rng: random.Random) -> Example:
    """The same with the beginning of the call only: its arguments follow from the words by rule."""
    example = ask(rng)
    return replace(example, answer=example.answer.partition(',"arguments"')[0])


def around(text: str, rng: random.Random) -> str:
    """A request with what people put before and after it."""
    if rng.random() < 0.3:
        text = rng.choice(_OPENINGS) + text
    if rng.random() < 0.2 and not text.endswith("?"):
        text += rng.choice(_CLOSINGS)
    return surfaced(text, rng)


def roughened(text: str, rng: random.Random) -> str:
    """The text with a typing error now and then, or without capitals."""
    if rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.2:
        text = text.rstrip(".?!")
    if rng.random() < 0.1 and len(text) > 8:
        spot = rng.randrange(2, len(text) - 2)
        if not text[spot : spot + 2].replace(HEARD, "1").isdigit() and text[spot].isalpha():
            text = text[:spot] + rng.choice((text[spot + 1 :], text[spot] + text[spot:], text[spot + 1] + text[spot] + text[spot + 2 :]))  # fmt: skip
    return text


def _filled(text: str, faces: list[str], rng: random.Random) -> str:
    for slot, least in (("{two}", 2), ("{three}", 3)):
        if slot in text:
            text = text.replace(slot, several(faces, least, rng))
    if "{face}" in text:
        text = text.replace("{face}", called(rng.choice(faces), faces, rng))
    he, him, his = rng.choice(tuple(PRONOUNS.values()))
    text = re.sub(r"does \{he\}", "do they", text) if he == "they" else text
    text = re.sub(r"\{he\} has\b", "they have", text) if he == "they" else text
    text = re.sub(r"\bis \{he\}", "are they", text) if he == "they" else text
    text = re.sub(r"\{he\} looks\b", "they look", text) if he == "they" else text
    text = text.replace("{he}", he).replace("{him}", him).replace("{his}", his)
    counts = [words for words in _COUNTS if words not in ("a few", "some", "several") or "{N}" in text]
    for slot in ("{N}", "{n}"):
        if slot in text:
            text = text.replace(slot, rng.choice(counts))
    if "{part}" in text:
        text = text.replace("{part}", rng.choice(_PART_WORDS[rng.choice(tuple(PARTS))]))
    return text


def several(faces: list[str], least: int, rng: random.Random) -> str:
    """Two or three faces as people call them: "2 and 5", "the first and the third", "face-1 with face-3"."""
    if len(faces) < least or rng.random() < 0.1:
        return rng.choice(("those two", "these two", "the last two", "both")) if least == 2 else rng.choice(("the last three", "the first three"))  # fmt: skip
    chosen = rng.sample(faces, least)
    numbers = [face.removeprefix("face-") for face in chosen]
    style = rng.random()
    if style < 0.3:
        names = list(chosen)
    elif style < 0.55:
        return _listed(numbers, rng, "")
    elif style < 0.7:
        names = [f"number {n}" if rng.random() < 0.5 else f"face {n}" for n in numbers]
    else:
        names = [called(face, faces, rng) for face in chosen]
    return _listed(names, rng, "")


def _listed(names: list[str], rng: random.Random, lead: str) -> str:
    joint = rng.choice((" and ", " and ", " and ", " & ", " with ")) if len(names) == 2 else " and "
    return lead + ", ".join(names[:-1]) + joint + names[-1]


def _with_words(text: str, rng: random.Random) -> tuple[str, list[dict[str, float]]]:
    """The words somebody is looked for by, and what they mean."""
    pieces: list[str] = []
    means: list[dict[str, float]] = []
    while len(pieces) < rng.choice((1, 1, 2)):
        axis, sign = rng.choice(ends())
        said, attribute = word(axis, sign, rng, "say", "person")
        if said.startswith("$ ") or axis.name in {name for meant in means for name in meant}:
            continue
        pieces.append(said + HEARD)
        means.append({axis.name: attribute.value})
    return text.replace("{words}", " and ".join(pieces)), means


def _typed(text: str) -> str:
    return text.replace(HEARD, "")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(
        resources.files("facegpt_model.data").joinpath("asking", f"{name}.toml").read_text("utf-8")
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(wording.strip() for line in text.strip().splitlines() for wording in line.split(" | "))
