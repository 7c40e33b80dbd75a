"""Requests that are answered by a tool call: photos, exports, pictures, questions, steps back.

The wordings are our own writing (requests.toml); kind "held" uses those kept out of training.
"""

from __future__ import annotations

import random
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from facegpt_model.data.examples import Example, called, prompt_of, scene, surfaced
from facegpt_model.data.habits import PRONOUNS
from facegpt_model.dialogue.intents import INTENTS, PHOTO
from facegpt_model.vlm.tokens import END, call_text

Kind = Literal["say", "held"]
TURNED_BY_DEGREES, SIZED = 0.2, 0.1  # shares of picture requests
SIZES = (256, 512, 768, 1024, 2048)  # pixels


@lru_cache(maxsize=1)
def wordings() -> dict[str, Any]:
    """requests.toml: request -> kind -> wordings; "view" is a list with yaw and pitch in degrees."""
    return tomllib.loads(resources.files("facegpt_model.data").joinpath("requests.toml").read_text("utf-8"))


def photo(rng: random.Random, kind: Kind = "say") -> Example:
    """A photo is shown; the answer is the call of the reconstruct tool."""
    faces, photos = scene(rng, least_photos=1)
    name = photos[-1]
    text = _addressed(rng.choice(wordings()["photo"][kind]), rng)
    attached = [name]
    if rng.random() < 0.12:
        attached = []
        name = rng.choice(photos)
        text = rng.choice(wordings()["photo_named"][kind]).replace("{name}", name)
    call = call_text("reconstruct", {"photo": name}) + END
    return Example("photo", prompt_of(text, faces, photos, attached), call, asks=PHOTO, silent=True)


def export(rng: random.Random, kind: Kind = "say") -> Example:
    """A request for a file; the answer is the call of the export tool."""
    faces, photos = scene(rng, least_faces=1)
    form = "glb"
    text = rng.choice(wordings()["export"][kind])
    if rng.random() < 0.4:
        formats = wordings()["export_format"]
        form = rng.choice(tuple(formats))
        text = rng.choice(formats[form][kind])
    text, face = _named(text, faces, rng)
    return Example(
        "export",
        prompt_of(text, faces, photos, []),
        call_text("export", {"face": face, "format": form}) + END,
        asks=f"export {form}",
        silent=True,
    )


def render(rng: random.Random, kind: Kind = "say") -> Example:
    """A request for a picture from some side; the answer is the call of the render tool."""
    faces, photos = scene(rng, least_faces=1)
    view = rng.choice(wordings()["view"])
    yaw, pitch, text = view["yaw"], view["pitch"], rng.choice(view[kind])
    if kind == "say" and rng.random() < TURNED_BY_DEGREES:
        yaw, pitch, text = _turned(rng)
    text, face = _named(text, faces, rng)
    text, size = surfaced(text, rng), 512
    if rng.random() < SIZED:
        size = rng.choice(SIZES)
        text += rng.choice((f" {size} pixels", f" In {size} px", f" Size {size}", f" At {size}x{size}"))
    call = call_text("render", {"face": face, "yaw": yaw, "pitch": pitch, "size": size})
    asks = _view_of(yaw, pitch)
    return Example("render", prompt_of(text, faces, photos, []), call + END, asks=asks, silent=True)


def _view_of(yaw: int, pitch: int) -> str:
    """The intent of a view; a turn by so many degrees is one to that side."""
    for intent in INTENTS:
        if intent.tool == "render" and intent.arguments == {"yaw": yaw, "pitch": pitch}:
            return intent.name
    if yaw:
        return "view left" if yaw > 0 else "view right"
    return "view up" if pitch > 0 else "view down"


def _turned(rng: random.Random) -> tuple[int, int, str]:
    """Yaw, pitch and words of a turn by so many degrees."""
    way = rng.choice(("left", "right", "left", "right", "up", "down"))
    degrees = 5 * rng.randint(2, 18 if way in ("left", "right") else 9)
    signed = degrees if way in ("left", "up") else -degrees
    text = rng.choice(wordings()["turn"][way]).replace("{n}", str(degrees))
    return (signed, 0, text) if way in ("left", "right") else (0, signed, text)


def describe_face(rng: random.Random, kind: Kind = "say") -> Example:
    """A question about a face that exists; the answer is the call of the describe tool."""
    faces, photos = scene(rng, least_faces=1)
    text, face = _named(rng.choice(wordings()["describe"][kind]), faces, rng)
    return Example(
        "describe_face",
        prompt_of(surfaced(text, rng), faces, photos, []),
        call_text("describe", {"face": face}) + END,
        asks="describe",
        silent=True,
    )


def step_back(rng: random.Random, kind: Kind = "say") -> Example:
    """A request to take the last step back, or to take that back; the answer is the call of a tool."""
    faces, photos = scene(rng, least_faces=1)
    name = rng.choice(("undo", "undo", "redo"))
    text = surfaced(rng.choice(wordings()[name][kind]), rng)
    call = call_text(name, {}) + END
    return Example("step_back", prompt_of(text, faces, photos, []), call, asks=name, silent=True)


def _named(text: str, faces: list[str], rng: random.Random) -> tuple[str, str]:
    """The text with a face called by a name, and that face; the newest where none is named."""
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    return _addressed(text.replace("{face}", called(face, faces, rng)), rng), face


def _addressed(text: str, rng: random.Random) -> str:
    he, him, his = rng.choice(tuple(PRONOUNS.values()))
    text = text.replace("{he} looks", "they look") if he == "they" else text
    return text.replace("{he}", he).replace("{him}", him).replace("{his}", his)
