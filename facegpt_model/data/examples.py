"""One training example of the chat, and what all of them share: the scene, and how a user names a face."""

from __future__ import annotations

import random
from dataclasses import dataclass

from facegpt_model.vlm.tokens import message, state_line, user_text


@dataclass(frozen=True)
class Mark:
    """Where in the answer which slider values are known: end is a character position."""

    end: int
    values: dict[str, float]


@dataclass(frozen=True)
class Example:
    """One answer to learn; the answer includes the end-of-message token."""

    kind: str
    prompt: str
    answer: str
    marks: tuple[Mark, ...] = ()


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
    names = [face, face, face, f"face {number}", f"number {number}"]
    if number <= len(_ORDINALS):
        names += [f"the {_ORDINALS[number - 1]} one", f"the {_ORDINALS[number - 1]} face"]
    if len(faces) > 1 and face == faces[-2]:
        names += ["the previous one", "the one before"]
    if face == faces[-1]:
        names += ["the last one", "the newest face"]
    return rng.choice(names)


def surfaced(text: str, rng: random.Random) -> str:
    """A request with or without a capital and punctuation."""
    if rng.random() < 0.4:
        text = text[:1].upper() + text[1:]
    return text + rng.choice(("", "", ".", "!", " please", "."))
