"""What happens during one turn, in order, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer as it is made."""

    text: str


@dataclass(frozen=True)
class Spoke:
    """A whole message of the model; its pieces came before as TextDelta."""

    text: str


@dataclass(frozen=True)
class FaceMade:
    """A face exists now; its files are written."""

    handle: str


@dataclass(frozen=True)
class ToolStarted:
    """The model called a tool."""

    call_id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolProgress:
    """A long tool tells how far it is; share is 0..1."""

    name: str
    doing: str
    share: float


@dataclass(frozen=True)
class ToolFinished:
    """A tool answered; ok is False if it refused, and text says why."""

    call_id: str
    name: str
    text: str
    ok: bool
    faces: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApprovalNeeded:
    """A destructive tool waits for a person: answer with Conversation.decide(True or False)."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Final:
    """The end of a turn: the last words, and the faces made in it."""

    text: str
    faces: tuple[str, ...]


Event = TextDelta | Spoke | FaceMade | ToolStarted | ToolProgress | ToolFinished | ApprovalNeeded | Final
