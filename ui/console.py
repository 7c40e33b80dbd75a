"""Shows a conversation and long steps in a terminal, or as plain lines where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from agent.events import (
    ApprovalNeeded,
    Event,
    FaceMade,
    Spoke,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)


class Progress:
    """A line that says what is being done; a spinner in a terminal, else one line per step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._doing = ""

    def __call__(self, doing: str, share: float) -> None:
        """Say what is being done and the finished share of it, 0..1."""
        if self._console.is_terminal:
            line = f"{doing} {share:.0%}"
            if self._status is None:
                self._status = self._console.status(line)
                self._status.start()
            else:
                self._status.update(line)
        elif doing != self._doing:
            self._console.print(f"  ... {doing}", markup=False, highlight=False)
        self._doing = doing

    def done(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
        self._status, self._doing = None, ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done()


class ChatScreen:
    """Prints the turns of a conversation as they happen."""

    def __init__(self, folder: Path, console: Console | None = None) -> None:
        self.folder = folder
        self.console = console or Console(highlight=False, soft_wrap=True, emoji=False)
        self._progress = Progress(self.console)
        self._mid_line = False

    def user(self, text: str) -> None:
        """What the person says, in scripted chats."""
        self.console.print(f"\n[bold]you[/bold]      {escape(text)}")

    def show(self, events: Iterable[Event]) -> None:
        """Print one turn."""
        try:
            for event in events:
                self._show(event)
        finally:
            self._progress.done()
            self._end_line()

    def say(self, text: str) -> None:
        """A remark of the program."""
        self._end_line()
        self.console.print(text, style="dim", markup=False)

    def _show(self, event: Event) -> None:
        if not isinstance(event, ToolProgress):
            self._progress.done()
        if isinstance(event, TextDelta):
            if not self._mid_line:
                self.console.print("[bold cyan]FaceGPT[/bold cyan]  ", end="")
                self._mid_line = True
            self.console.print(event.text, end="", markup=False)
        elif isinstance(event, Spoke):
            if not self._mid_line:
                self.console.print(f"[bold cyan]FaceGPT[/bold cyan]  {escape(event.text)}")
            self._end_line()
        elif isinstance(event, ToolStarted):
            self._end_line()
            self.console.print(f"[yellow]  {event.name}[/yellow] {escape(_arguments(event.arguments))}")
        elif isinstance(event, ToolProgress):
            self._progress(f"{event.name}: {event.doing}", event.share)
        elif isinstance(event, ToolFinished):
            style = "green" if event.ok else "red"
            self.console.print(
                f"  [{style}]{'done' if event.ok else 'refused'}[/{style}] {escape(event.text)}"
            )
            own = tuple(f"{handle}." for handle in event.faces)  # told when the face is
            for name in event.files:
                if not own or not name.startswith(own):
                    self.console.print(f"  wrote {self.folder / name}", markup=False)
        elif isinstance(event, ApprovalNeeded):
            self._end_line()
            told = escape(f"{event.name} {_arguments(event.arguments)}")
            self.console.print(f"  [red]needs your approval[/red] {told}")
        elif isinstance(event, FaceMade):
            self._end_line()
            place = escape(str(self.folder / event.handle))
            self.console.print(f"  [magenta]{event.handle}[/magenta] {place}.png .glb .json")

    def _end_line(self) -> None:
        if self._mid_line:
            self.console.print()
        self._mid_line = False


def _arguments(arguments: dict[str, Any]) -> str:
    told = []
    for name, value in arguments.items():
        if name == "changes":
            told += [f"{change.get('slider')} {change.get('value'):+g}" for change in value]
        elif value != "":
            told.append(f"{name}={value}")
    return ", ".join(told)
