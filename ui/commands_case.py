"""Commands that account for a case: verify its journal, make its faces again, write a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

case = typer.Typer(help="Account for a case: verify, replay, report.", no_args_is_help=True)
CaseFolder = Annotated[Path, typer.Argument(metavar="CASE", help="folder with a journal.jsonl")]


@case.command()
def verify(
    folder: CaseFolder,
    last: Annotated[str, typer.Option(help="sha256 of a line noted elsewhere, which has to be there")] = "",
) -> None:
    """Find any change of the journal and of the files it tells of."""
    from tools.case import verify_case
    from tools.errors import ToolError

    check = verify_case(folder, last)
    problems = (*check.changed, *check.missing)
    if problems:
        raise ToolError(f"{folder} is not as it was written: {'; '.join(problems)}")
    typer.echo(f"{folder}: {check.lines} lines and {check.files} files are as they were written")
    typer.echo(f"last line: {check.last}")


@case.command()
def replay(
    folder: CaseFolder,
    out: Annotated[Path, typer.Option(help="folder for the faces that are made again")] = Path("out/replay"),
) -> None:
    """Make every face again from the journal and compare numbers, meshes and pictures."""
    from rich.console import Console

    from tools.errors import ToolError
    from tools.replay import replay_case
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False)) as progress:
        results = replay_case(folder, out, progress)
    ways = {"again": "made again by its tool", "numbers": "numbers from the journal"}
    for result in results:
        picture = "no picture kept" if result.picture is None else f"picture within {result.picture}/255"
        told = [
            f"code {'the same' if result.code else 'DIFFERS'}",
            f"mesh {'the same' if result.mesh else 'DIFFERS'}",
            picture,
        ]
        note = f" ({result.note})" if result.note else ""
        typer.echo(f"{result.handle:10} {result.tool:12} {ways[result.how]:24} {', '.join(told)}{note}")
    typer.echo(f"wrote {len(results)} faces into {out}")
    other = [result.handle for result in results if not result.same]
    if other:
        raise ToolError(f"{', '.join(other)} came out different from what the journal tells of")


@case.command()
def report(
    folder: CaseFolder,
    out: Annotated[
        Path | None, typer.Option(help="file to write, .html or .pdf [default: CASE/report.html]")
    ] = None,
) -> None:
    """Write pictures, statements and settings of a case in order, as HTML or PDF."""
    from tools.report import write_report

    typer.echo(f"wrote {write_report(folder, out or folder / 'report.html')}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(case, name="case")
