"""The chat in a terminal, and the scripted conversation of `make demo`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands_threads import DEFAULT_ROOT
from ui.counting import counted

if TYPE_CHECKING:
    from agent.events import Event
    from agent.loop import Conversation
    from agent.witness import WitnessInterview
    from ui.console import ChatScreen

HELP = """\
Describe a face, ask for a change, or show a photo; then go on from there.
  /photo PATH   show a photo      /faces   all faces, with where they came from
  /undo /redo   go back, forth    /go face-2   go on from that face
  /variants N   faces that fit the same words     /breed face-2 face-5   mix chosen faces
  /delete face-2   for good       /help    this text      /quit   leave (the chat is kept)"""


def chat(
    say: Annotated[
        list[str] | None, typer.Option(help="a turn to say; repeatable, then the chat ends")
    ] = None,
    photo: Annotated[Path | None, typer.Option(help="picture to show with the first turn")] = None,
    out: Annotated[Path, typer.Option(help="folder of this conversation; reopening it goes on")] = Path(
        "out/chat"
    ),
    thread: Annotated[
        str, typer.Option(metavar="NAME", help="a named conversation below --root, instead of --out")
    ] = "",
    root: Annotated[Path, typer.Option(help="folder that holds the threads")] = DEFAULT_ROOT,
    witness: Annotated[
        bool,
        typer.Option("--witness", help="interview a witness: free recall, open questions, marked pictures"),
    ] = False,
    planner_url: Annotated[
        str, typer.Option(help="address of an OpenAI-compatible server whose model talks and calls the tools")
    ] = "",
    planner_model: Annotated[str, typer.Option(help="name of that server's model")] = "default",
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
) -> None:
    """Talk with FaceGPT in the terminal."""
    from agent.loop import Conversation
    from agent.threads import Threads
    from agent.witness import WitnessInterview
    from tools.errors import ToolError
    from tools.imagine import checked_text
    from tools.reconstruct import checked_photo
    from tools.workspace import Workspace
    from ui.console import ChatScreen
    from ui.services import open_backend

    for text in say or []:
        checked_text(text)
    if photo:
        checked_photo(photo)
    if witness and (photo or planner_url):
        raise ToolError("an interview takes neither a photo nor a planner; leave them out")
    folder = Threads(root).folder(thread) if thread else out
    workspace = Workspace(folder)
    if workspace.witness and not witness:
        raise ToolError(f"{folder} is the case of a witness; go on with --witness")
    screen = ChatScreen(workspace.folder)
    backend = open_backend(checkpoint)
    if witness:
        with WitnessInterview(workspace, backend) as interview:
            screen.say(interview.opening())
            _talk(interview, screen, say)
    else:
        planner = None
        if planner_url:
            from agent.planner import open_planner

            planner = open_planner(planner_url, planner_model)
        with Conversation(workspace, backend, planner) as conversation:
            if conversation.messages:
                now = workspace.current or "none"
                screen.say(f"going on with {folder}: {counted(len(workspace.handles), 'face')}, now {now}")
            _talk(conversation, screen, say, photo)
    kept = "journal.jsonl" if witness else "transcript.json, journal.jsonl"
    screen.say(f"kept in {folder}: {kept}, {counted(len(workspace.handles), 'face')}")


def _talk(
    partner: Conversation | WitnessInterview,
    screen: ChatScreen,
    say: list[str] | None,
    photo: Path | None = None,
) -> None:
    if not say:
        interactive(partner, screen, photo)
        return
    for number, text in enumerate(say):
        screen.user(text)
        screen.show(_turn(partner, text, photo if number == 0 else None))
        _decide(partner, screen, ask=False)


def _turn(partner: Conversation | WitnessInterview, text: str, photo: Path | None = None) -> Iterator[Event]:
    from agent.loop import Conversation

    return partner.turn(text, photo) if isinstance(partner, Conversation) else partner.turn(text)


def _decide(partner: Conversation | WitnessInterview, screen: ChatScreen, ask: bool = True) -> None:
    """Ask about destructive calls that wait; where nobody can answer they are declined."""
    from agent.loop import Conversation

    while isinstance(partner, Conversation) and partner.pending:
        asked = partner.pending[0]
        answer = input(f"{asked.name} {asked.arguments}: do it? [y/N] ") if ask else ""
        screen.show(partner.decide(answer.strip().lower() in ("y", "yes")))


def interactive(
    partner: Conversation | WitnessInterview, screen: ChatScreen, photo: Path | None = None
) -> None:
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
                _answer(line, partner, screen)
                _decide(partner, screen)
        except EOFError:
            return
        except KeyboardInterrupt:
            screen.say("stopped; /quit leaves")
        except (ToolError, BackendError) as error:
            screen.say(str(error))
        line = ""


def _answer(line: str, partner: Conversation | WitnessInterview, screen: ChatScreen) -> None:
    workspace = partner.workspace
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    if not command.startswith("/"):
        screen.show(_turn(partner, line))
    elif command == "/photo" and not workspace.witness:
        screen.show(_turn(partner, "", Path(rest.strip("'\"")).expanduser()))
    elif command == "/faces":
        for handle in workspace.handles:
            mark = "*" if handle == workspace.current else " "
            screen.say(
                f"{mark} {' > '.join(workspace.lineage(handle))}: {workspace.face(handle).description}"
            )
        if not workspace.handles:
            screen.say("no face yet")
    elif command in ("/undo", "/redo", "/go", "/variants", "/breed"):
        _act(command, rest, partner, screen)
    elif command == "/delete":
        if input(f"delete {rest} for good? [y/N] ").strip().lower() in ("y", "yes"):
            _act(command, rest, partner, screen)
    else:
        screen.say(HELP)


def _act(command: str, rest: str, partner: Conversation | WitnessInterview, screen: ChatScreen) -> None:
    """A command that is one call of a tool."""
    from agent.registry import Services, tool_named

    fields: dict[str, dict[str, object]] = {
        "/undo": {},
        "/redo": {},
        "/go": {"face": rest},
        "/variants": {"count": rest or 4},
        "/breed": {"faces": rest.split()},
        "/delete": {"face": rest},
    }
    spec = tool_named({"/go": "go_to"}.get(command, command[1:]))
    services = Services(partner.workspace, partner.backend)
    outcome = spec.run(dict(fields[command]), services, lambda doing, share: None)
    screen.say(outcome.text)


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
