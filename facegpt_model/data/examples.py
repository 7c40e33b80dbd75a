"""One training example of the chat, and what all of them share: the scene, and how a user names a face."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from facegpt_model.semantics.words import Statement
from facegpt_model.vlm.tokens import message, state_line, user_text


@dataclass(frozen=True)
class Mark:
    """Where in the answer which slider values are known: end is a character position."""

    end: int
    values: dict[str, float]


@dataclass(frozen=True)
class Example:
    """One answer to learn; the answer includes the end-of-message token.

    heard: marks in the prompt, each at the end of a wording, with the slider values it means.
    asks: name of the intent of the user's words, "" where it is not told; silent: nothing is said of a face.
    """

    kind: str
    prompt: str
    answer: str
    marks: tuple[Mark, ...] = ()
    heard: tuple[Mark, ...] = ()
    asks: str = ""
    silent: bool = False


@dataclass(frozen=True)
class Composed:
    """Something to say of a face and what it means.

    text: with HEARD where each wording ends; wordings: the slider values of each, in their order.
    """

    text: str
    statement: Statement
    wordings: tuple[dict[str, float], ...]

    @property
    def values(self) -> dict[str, float]:
        """Slider values of all wordings; of two on one axis the later counts."""
        return {axis: value for wording in self.wordings for axis, value in wording.items()}


HEARD = "\ue000"  # stands in a text being composed where a wording has just ended; never in a prompt (private use)


def without_ends(text: str) -> str:
    """A composed text as a user would type it."""
    return text.replace(HEARD, "")


def listen(prompt: str, wordings: Sequence[dict[str, float]]) -> tuple[str, tuple[Mark, ...]]:
    """The prompt as a user typed it, and where each wording ends with the slider values it means.

    wordings: one for every end, in their order. A typing error may have hit an end; then none is marked.
    """
    pieces = prompt.split(HEARD)
    if len(pieces) != len(wordings) + 1:
        return "".join(pieces), ()
    heard = "".join(pieces)
    ends = [_word_end(heard, end) for end in accumulate(len(piece) for piece in pieces[:-1])]
    return heard, tuple(Mark(end, values) for end, values in zip(ends, wordings, strict=True))


def _word_end(text: str, position: int) -> int:
    """A typing error may have moved an end into a word."""
    while text[position : position + 1].isalnum():
        position += 1
    return position


def prompt_of(user: str, faces: list[str], photos: list[str], attached: list[str], rest: str = "") -> str:
    """Everything up to the answer: state line, the user's message, what followed it."""
    state = message("system", state_line(faces, photos))
    return state + message("user", user_text(user, attached)) + rest + "<|im_start|>assistant\n"


def scene(rng: random.Random, least_faces: int = 0, least_photos: int = 0) -> tuple[list[str], list[str]]:
    """Handles of the faces and photos a conversation may have reached."""
    faces = max(least_faces, rng.choice((0, 0, 1, 1, 2, 3, 5, 8)))
    photos = max(least_photos, rng.choice((0, 0, 0, 0, 1, 2)))
    return [f"face-{n + 1}" for n in range(faces)], [f"photo-{n + 1}" for n in range(photos)]


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def called(face: str, faces: list[str], rng: random.Random) -> str:
    """What a user calls a face: by its handle, by its number, or by where it stands."""
    number = int(face.removeprefix("face-"))
    names = [face, face, face, f"face {number}", f"number {number}", f"no. {number}", f"#{number}"]
    if number <= len(_ORDINALS):
        ordinal = _ORDINALS[number - 1]
        names += [f"the {ordinal} one", f"the {ordinal} face", f"the {ordinal}", f"the {ordinal} version"]
    if face == faces[0]:
        names += ["the original", "the very first one"]
    if len(faces) > 1 and face == faces[-2]:
        names += ["the previous one", "the one before", "the one before that"]
    if face == faces[-1]:
        names += ["the last one", "the newest face", "the latest one", "the latest version"]
    return rng.choice(names)


def surfaced(text: str, rng: random.Random) -> str:
    """A request with or without a capital and punctuation."""
    if rng.random() < 0.4:
        text = text[:1].upper() + text[1:]
    if without_ends(text).endswith(("?", "!", ".")):
        return text
    return text + rng.choice(("", "", ".", "!", "" if "please" in text else " please", "."))
