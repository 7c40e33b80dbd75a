"""Commands that make training data: facegpt data ..."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(name="data", help="Make training data: synthetic faces, portraits.", no_args_is_help=True)


@data.command()
def synthetic(
    out: Annotated[Path, typer.Option(help="folder for shard-N.tar; a stopped run is continued")],
    count: Annotated[
        int, typer.Option(min=1, help="how many pictures, rounded up to whole blocks of 64")
    ] = 1024,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 0,
    size: Annotated[int, typer.Option(min=48, max=512, help="pixels of a side")] = 128,
    plain: Annotated[float, typer.Option(min=0, max=1, help="share of bald heads of one colour")] = 0.32,
    composite: Annotated[float, typer.Option(min=0, max=1, help="share pasted on --photos")] = 0.5,
    photos: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="portraits to paste on, as of facegpt data prepare"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes")] = 1,
) -> None:
    """Draw people with exact codes, on portraits with a verified licence where a folder is given."""
    from rich.console import Console

    from facegpt_model.data.shards import Order, write_shards
    from facegpt_model.data.synthetic import SyntheticConfig
    from ui.console import Progress

    if plain + composite > 1:
        raise typer.BadParameter("--plain and --composite add up to more than 1")
    config = SyntheticConfig(size=size, plain=plain, composite=composite)
    with Progress(Console(highlight=False, emoji=False)) as progress:
        files = write_shards(Order(count, seed, config, photos), out, workers, progress)
    pictures = -(-count // config.block) * config.block
    typer.echo(f"wrote {pictures} pictures in {len(files)} files: {files[0]} to {files[-1].name}")


@data.command()
def see(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="folder of synthetic faces or of portraits")
    ],
    out: Annotated[Path, typer.Option(help="folder for what the nets see; a stopped run is continued")],
) -> None:
    """Let the frozen face nets look at faces once; the tower is trained on what they see.

    Of portraits (as of facegpt data prepare) those with a verified licence are taken.
    """
    from rich.console import Console

    from facegpt_model.data.features import see_shards
    from facegpt_model.data.seen_photos import is_portraits, see_portraits
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False)) as progress:
        if is_portraits(folder):
            files = see_portraits(folder, out, progress=progress)
        else:
            files = see_shards(folder, out, progress)
    typer.echo(f"wrote {len(files)} files: {files[0]} to {files[-1].name}")


@data.command()
def prepare(
    folder: Annotated[Path, typer.Argument(help="folder of photos; subfolders are read too")],
    out: Annotated[Path, typer.Option(help="folder for crops and tables; a stopped run is continued")],
    licences: Annotated[
        Path | None, typer.Option(help="table of licences, default FOLDER/licences.csv")
    ] = None,
    people_in_folders: Annotated[
        bool, typer.Option("--people-in-folders", help="each subfolder holds one person")
    ] = False,
) -> None:
    """Make portraits to train on from any FOLDER of photos: crops, landmarks, pose, masks, licences."""
    from rich.console import Console

    from facegpt_model.data.prepare import prepare_folder
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False)) as progress:
        made = prepare_folder(folder, out, licences, people_in_folders, progress)
    typer.echo(
        f"{made.portraits} portraits of {made.people} people, {made.verified} with a verified licence; "
        f"left out: {made.unusable} unusable, {made.copies} copies; {made.alike} pairs look alike"
    )
    typer.echo(f"wrote metadata.csv, landmarks.npz and report.csv to {out}")
    if (out / "licences.csv").is_file():
        typer.echo(f"photos without a licence are listed in {out / 'licences.csv'}: fill it, then --licences")


@data.command()
def fit(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="folder of photos; subfolders are read too")
    ],
    out: Annotated[Path, typer.Option(help="file of codes; a stopped run is continued")] = Path("codes.npz"),
    fast: Annotated[bool, typer.Option("--fast", help="landmarks only")] = False,
) -> None:
    """Fit a face to every photo of FOLDER: codes to train on, with their likely errors."""
    from rich.console import Console

    from facegpt_model.fitting.pseudo_codes import fit_folder
    from ui.console import Progress

    with Progress(Console(highlight=False, emoji=False)) as progress:
        made = fit_folder(folder, out, "fast" if fast else "default", progress)
    for name, reason in made.failures.items():
        typer.echo(f"no code for {name}: {reason}", err=True)
    missing = len(made.failures)
    typer.echo(f"{out}: {made.fitted} photos fitted now, {made.known} known before, {missing} without a face")


def register(app: typer.Typer) -> None:
    """Add this group."""
    app.add_typer(data)
