"""The things a turn can ask for: to talk, to make a face, or one of the tools in one of its uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True)
class Intent:
    """One thing that can be asked.

    tool:      what is called for it, "" when it is answered by speaking
    arguments: those of the tool's arguments that the intent itself decides
    """

    name: str
    tool: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)


TALK, DECLINE, IMAGINE = "talk", "decline", "imagine"  # answered by speaking
EDIT, PHOTO = "edit", "photo"


def _view(name: str, yaw: int, pitch: int) -> Intent:
    return Intent(f"view {name}", "render", {"yaw": yaw, "pitch": pitch})


INTENTS: tuple[Intent, ...] = (
    Intent(TALK),
    Intent(DECLINE),
    Intent(IMAGINE),
    Intent(EDIT, "edit"),
    Intent(PHOTO, "reconstruct"),
    _view("front", 0, 0),
    _view("larger", 0, 0),
    _view("left", 35, 0),
    _view("right", -35, 0),
    _view("left profile", 80, 0),
    _view("right profile", -80, 0),
    _view("up", 0, 20),
    _view("down", 0, -20),
    Intent("describe", "describe"),
    Intent("compare", "compare"),
    Intent("array", "array"),
    Intent("history", "history"),
    Intent("retrieve", "retrieve"),
    Intent("retrieve words", "retrieve"),
    Intent("export glb", "export", {"format": "glb"}),
    Intent("export obj", "export", {"format": "obj"}),
    Intent("export ply", "export", {"format": "ply"}),
    Intent("export png", "export", {"format": "png"}),
    Intent("undo", "undo"),
    Intent("redo", "redo"),
    Intent("go_to", "go_to"),
    Intent("more", "adjust", {"how": "more"}),
    Intent("less", "adjust", {"how": "less"}),
    Intent("variants", "variants"),
    Intent("breed", "breed"),
    Intent("delete", "delete"),
    Intent("views sheet", "views", {"kind": "sheet"}),
    Intent("views turntable", "views", {"kind": "turntable"}),
    Intent("report html", "report", {"format": "html"}),
    Intent("report pdf", "report", {"format": "pdf"}),
)


@lru_cache(maxsize=1)
def intent_rows() -> dict[str, int]:
    """Name of each intent -> its row in the read-out."""
    return {intent.name: row for row, intent in enumerate(INTENTS)}
