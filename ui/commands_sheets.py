"""Commands that draw many faces at once: random people, and contact sheets of the head model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    out: Annotated[Path, typer.Option(help="folder for face-N.json, .png, .glb and sheet.png")] = Path(
        "out/sample"
    ),
    n: Annotated[int, typer.Option("--n", min=1, max=1000, help="how many people")] = 24,
    seed: Annotated[int, typer.Option(help="the same seed gives the same people")] = 0,
) -> None:
    """Make random people: adults of all sorts with hair, beards and glasses."""
    from rich.console import Console

    from tools import sheets
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False)) as progress:
        outcome = sheets.sample(n, seed, out, progress)
    typer.echo(f"{outcome.text}\nwrote {out / 'sheet.png'} and face-1 to face-{n} (.json, .png, .glb)")


def sheet(
    name: Annotated[str, typer.Argument(help="mean, people, axes, expressions, tones or all")] = "all",
    out: Annotated[Path, typer.Option(help="folder for NAME.jpg")] = Path("out/sheets"),
) -> None:
    """Draw contact sheets of what the head model can be."""
    from rich.console import Console

    from tools import sheets
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False)) as progress:
        outcome = sheets.sheet(name, out, progress)
    for file in outcome.files:
        typer.echo(f"wrote {out / file}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (sample, sheet):
        app.command()(command)
