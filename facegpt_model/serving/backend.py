"""What answers a chat: one protocol for the model in this process and for servers.

A reply may speak, call tools, and make faces: each "<FACE>" in its text stands for one
FaceEstimate in `faces`, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from facegpt_model.face import FaceEstimate


class BackendError(RuntimeError):
    """The model could not answer; the text says why and what would help."""


class CheckpointError(BackendError):
    """A checkpoint is missing, incomplete or made for another basis."""


@dataclass(frozen=True)
class ToolCall:
    """One call the model wants made; `arguments` satisfy the tool's schema."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolSchema:
    """A tool as the model may call it; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ChatTurn:
    """One message of a conversation.

    images are files the user attached, each known to the model by `photo_names`
    (such as "photo-1"), in the same order. A turn of role "tool" answers `tool_call_id`.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str | None = None
    tool_call_id: str | None = None
    images: tuple[Path, ...] = ()
    photo_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """An answer; `text` holds one "<FACE>" for each of `faces`."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    faces: tuple[FaceEstimate, ...] = field(default=())


def told(text: str, on_text: Callable[[str], None] | None) -> Reply:
    """An answer that is there at once, streamed as one piece."""
    if on_text is not None:
        on_text(text)
    return Reply(text)


class Backend(Protocol):
    """Answers conversations; `name` is the model as "name@version"."""

    name: str

    def chat(
        self,
        turns: Sequence[ChatTurn],
        tools: Sequence[ToolSchema],
        faces: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer the last turn.

        faces: handles of the faces of this conversation, newest last. on_text receives
        pieces of text as they are made. Raises BackendError.
        """
        ...

    def imagine(self, text: str) -> Reply:
        """A face for a description, outside any conversation: text with one "<FACE>"."""
        ...
