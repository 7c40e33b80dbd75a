"""The conversation of `make demo`: the real model, agent loop and tools on a fixed script."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

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
    "overlay.png",
    "transcript.json",
    "chat.sqlite",
    "journal.jsonl",
)


@dataclass(frozen=True)
class Turn:
    """One line of the script, and whether a new face has to come of it."""

    text: str
    photo: bool = False
    makes_face: bool = True


SCRIPT = (
    Turn(
        "The witness says: it was a man of about fifty with a broad nose, thin lips, "
        "a strong square jaw and bushy, dark eyebrows."
    ),
    Turn("make his nose broader and let him smile a little"),
    Turn("", photo=True),
    Turn("export it", makes_face=False),
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
    before = conversation.workspace.handles
    screen.user(turn.text or f"Here is a photo: {photo.name}")
    screen.show(conversation.turn(turn.text, photo if turn.photo else None))
    if turn.makes_face and conversation.workspace.handles == before:
        raise ToolError(f"the demo expected a new face from {turn.text or 'the photo'!r} and got none")


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
