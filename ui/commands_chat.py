"""The chat in a terminal, and the scripted conversation of `make demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agent.loop import Conversation
    from ui.console import ChatScreen

HELP = """\
Describe a face, ask for a change, or show a photo; then go on from there.
  /photo PATH   show a photo      /faces   all faces, with where they came from
  /undo /redo   go back, forth    /help    this text      /quit   leave (the chat is kept)"""


def chat(
    say: Annotated[
        list[str] | None, typer.Option(help="a turn to say; repeatable, then the chat ends")
    ] = None,
    photo: Annotated[Path | None, typer.Option(help="picture to show with the first turn")] = None,
    out: Annotated[Path, typer.Option(help="folder of this conversation; reopening it goes on")] = Path(
        "out/chat"
    ),
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
) -> None:
    """Talk with FaceGPT in the terminal."""
    from agent.loop import Conversation
    from tools.imagine import checked_text
    from tools.reconstruct import checked_photo
    from tools.workspace import Workspace
    from ui.console import ChatScreen
    from ui.services import open_backend

    for text in say or []:
        checked_text(text)
    if photo:
        checked_photo(photo)
    workspace = Workspace(out)
    screen = ChatScreen(workspace.folder)
    with Conversation(workspace, open_backend(checkpoint)) as conversation:
        if conversation.messages:
            screen.say(
                f"going on with {out}: {len(workspace.handles)} faces, now {workspace.current or 'none'}"
            )
        if say:
            for number, text in enumerate(say):
                screen.user(text)
                screen.show(conversation.turn(text, photo if number == 0 else None))
        else:
            interactive(conversation, screen, photo)
    screen.say(f"kept in {out}: transcript.json, journal.jsonl, {len(workspace.handles)} faces")


def interactive(conversation: Conversation, screen: ChatScreen, photo: Path | None = None) -> None:
    """Read lines until /quit or the end of input; what a person got wrong is told, not fatal."""
    from facegpt_model.serving.backend import BackendError
    from tools.errors import ToolError

    screen.say(HELP)
    line = f"/photo {photo}" if photo else ""
    while True:
        try:
            line = line or input("\nyou      ").strip()
            if line == "/quit":
                return
            if line:
                _answer(line, conversation, screen)
        except EOFError:
            return
        except KeyboardInterrupt:
            screen.say("stopped; /quit leaves")
        except (ToolError, BackendError) as error:
            screen.say(str(error))
        line = ""


def _answer(line: str, conversation: Conversation, screen: ChatScreen) -> None:
    workspace = conversation.workspace
    command, _, rest = line.partition(" ")
    if command == "/photo":
        screen.show(conversation.turn("", Path(rest.strip().strip("'\"")).expanduser()))
    elif command == "/undo":
        screen.say(f"now {workspace.undo() or 'before the first face'}")
    elif command == "/redo":
        screen.say(f"now {workspace.redo()}")
    elif command == "/faces":
        for handle in workspace.handles:
            mark = "*" if handle == workspace.current else " "
            screen.say(
                f"{mark} {' > '.join(workspace.lineage(handle))}: {workspace.face(handle).description}"
            )
        if not workspace.handles:
            screen.say("no face yet")
    elif command.startswith("/"):
        screen.say(HELP)
    else:
        screen.show(conversation.turn(line))


def demo(
    out: Annotated[Path, typer.Option(help="folder of the demo; a former demo in it is replaced")] = Path(
        "out/demo"
    ),
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
) -> None:
    """Run the scripted conversation: words, a change, a photo, an export."""
    from ui.demo import run_demo

    run_demo(out, checkpoint)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(chat)
    app.command()(demo)
