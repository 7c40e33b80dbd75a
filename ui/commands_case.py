"""Commands that account for a case: verify its journal, make its faces again, write a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tools.rerun import Rerun

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
    rerun: Annotated[
        bool, typer.Option("--rerun", help="let the model read the words again, and fit the photos again")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="with --rerun: folder of another FaceGPT checkpoint")
    ] = None,
) -> None:
    """Make every face again from the journal and compare numbers, meshes and pictures."""
    from rich.console import Console

    from tools.errors import ToolError
    from tools.replay import replay_case
    from ui.console import Progress

    again = _rerun(folder, checkpoint) if rerun else None
    with Progress(Console(highlight=False, emoji=False)) as progress:
        results = replay_case(folder, out, progress, again)
    ways = {
        "again": "made again by its tool",
        "numbers": "numbers from the journal",
        "rerun": "run again",
    }
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


def _rerun(folder: Path, checkpoint: Path | None) -> Rerun:
    """The model, loaded once words have to be read, and the fitter."""
    from functools import lru_cache, partial

    from agent.spoken import speak_again
    from tools.case import entries_of
    from tools.rerun import Rerun
    from ui.services import open_backend

    return Rerun(folder, entries_of(folder), lru_cache(partial(open_backend, checkpoint)), speak_again)


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
