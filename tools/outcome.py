"""What a tool gives back: one short text, and what it made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The answer of a tool.

    text:  for the chat model and for people: handle, what happened, measured effect
    faces: handles of the faces it made
    files: names of the files it wrote, inside the workspace's folder
    """

    text: str
    faces: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
