"""The conversation of `make demo`: the real model, agent loop and tools on a fixed script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from agent.events import Event, FaceMade, ToolFinished
from agent.loop import Conversation
from tools.errors import ToolError
from tools.journal import Journal
from tools.workspace import Workspace
from tools.writing import ensure_folder
from ui import services
from ui.console import ChatScreen

MARK = "demo"  # journal event that says a folder may be replaced by the next demo
MADE = (
    "face-*.json",
    "face-*.png",
    "face-*.glb",
    "photo-*.jpg",
    "overlay.png",
    "transcript.json",
    "chat.sqlite",
    "journal.jsonl",
    "journal.head",
)


@dataclass(frozen=True)
class Turn:
    """One line of the script, and what the model has to do with it."""

    text: str
    does: Literal["imagine", "edit", "reconstruct", "export"]
    photo: bool = False


SCRIPT = (
    Turn(
        "The witness says: it was a man of about fifty with a broad nose, thin lips, "
        "a strong square jaw and bushy, dark eyebrows.",
        "imagine",
    ),
    Turn("make his nose broader and let him smile a little", "edit"),
    Turn("", "reconstruct", photo=True),
    Turn("export it", "export"),
)


def run_demo(out: Path, checkpoint: Path | None = None) -> None:
    """Play the script into `out`; ToolError if a turn does not do what the demo shows."""
    began = time.monotonic()
    _clear(out)
    workspace = Workspace(out)
    workspace.journal.append(MARK, {"turns": len(SCRIPT)})
    screen = ChatScreen(workspace.folder)
    screen.say("loading the model ...")
    portrait = resources.files("facegpt_model").joinpath("data/examples/portrait.jpg")
    with (
        resources.as_file(portrait) as photo,
        Conversation(workspace, services.open_backend(checkpoint)) as conversation,
    ):
        for turn in SCRIPT:
            _play(turn, photo, conversation, screen)
    screen.say(f"\ndone in {time.monotonic() - began:.0f} s; look at {out}")
    screen.say(
        "face-N.png pictures, face-N.glb for any 3D program, overlay.png, transcript.json, journal.jsonl"
    )
    screen.say("talk yourself:  facegpt chat   (in this folder: .venv/bin/facegpt chat)")


def _play(turn: Turn, photo: Path, conversation: Conversation, screen: ChatScreen) -> None:
    did: set[str] = set()
    said = turn.text or f"Here is a photo: {photo.name}"
    screen.user(said)
    screen.show(_watched(conversation.turn(turn.text, photo if turn.photo else None), did))
    if turn.does not in did:
        raise ToolError(f"the demo stopped: {said!r} did not make the model {turn.does}; see transcript.json")


def _watched(events: Iterator[Event], did: set[str]) -> Iterator[Event]:
    """Pass events on and note which tools did their work; a face comes of imagining."""
    for event in events:
        if isinstance(event, FaceMade):
            did.add("imagine")
        elif isinstance(event, ToolFinished) and event.ok:
            did.add(event.name)
        yield event


def _clear(out: Path) -> None:
    """Take a former demo away; a folder with anything else in its journal is left alone."""
    ensure_folder(out)
    journal = Journal(out / "journal.jsonl")
    if not journal.path.exists():
        return
    if MARK not in {entry.event for entry in journal.entries()[:2]}:
        raise ToolError(f"{out} holds a conversation that is no demo; choose another folder with --out")
    for pattern in MADE:
        for path in out.glob(pattern):
            path.unlink()
