"""Commands about conversations side by side: list, rename, fork, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.counting import counted

DEFAULT_ROOT = Path("out/threads")
threads = typer.Typer(help="Conversations side by side: list, rename, fork, delete.", no_args_is_help=True)
Root = Annotated[Path, typer.Option("--root", help="folder that holds the threads")]
Name = Annotated[str, typer.Argument(help="name of a thread")]


@threads.command("list")
def list_threads(root: Root = DEFAULT_ROOT) -> None:
    """List the threads, the one changed last first."""
    from agent.threads import Threads

    found = Threads(root).list()
    for thread in found:
        mark = "  witness" if thread.witness else ""
        made = f"{counted(thread.turns, 'turn')}, {counted(len(thread.faces), 'face')}"
        told = f"{made}, changed {thread.changed[:16]}{mark}"
        typer.echo(f"{thread.name:24} {told}  {thread.title}")
    if not found:
        typer.echo(f"no thread in {root} yet; begin one with: facegpt chat --thread NAME")


@threads.command()
def show(name: Name, root: Root = DEFAULT_ROOT) -> None:
    """List what was said in a thread, with the numbers it can be forked before."""
    from agent.threads import Threads

    for said in Threads(root).said(name):
        typer.echo(f"{said.number:3}  {said.text}")


@threads.command()
def rename(
    name: Name, new: Annotated[str, typer.Argument(help="its new name")], root: Root = DEFAULT_ROOT
) -> None:
    """Give a thread another name."""
    from agent.threads import Threads

    typer.echo(f"{name} is called {Threads(root).rename(name, new).name} now")


@threads.command()
def fork(
    name: Name,
    before: Annotated[int, typer.Option(min=1, help="number of the thing said that is left out")],
    new: Annotated[str, typer.Option(help="name of the new thread")] = "",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Begin a new thread as another one was before something was said."""
    from agent.threads import Threads

    made = Threads(root).fork(name, before, new)
    typer.echo(f"{made.name}: {counted(made.turns, 'turn')} and {counted(len(made.faces), 'face')} of {name}")


@threads.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Delete a thread for good: messages, faces, photos and journal."""
    from agent.threads import Threads
    from tools.errors import ToolError

    held = Threads(root)
    thread = held.get(name)
    question = f"delete {name} with {counted(len(thread.faces), 'face')} for good?"
    if not yes and not typer.confirm(question):
        raise ToolError(f"{name} was not deleted")
    held.delete(name)
    typer.echo(f"deleted {name}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(threads, name="threads")
