"""Commands about head models: which there are, and bringing a face from one into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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


def convert(
    face: Annotated[Path, typer.Argument(metavar="FACE.json", help="a face-N.json that FaceGPT wrote")],
    to: Annotated[str, typer.Option("--to", metavar="MODEL", help="a head model, see: facegpt models")],
    out: Annotated[Path, typer.Option("--out", help="folder for face-N.json, .png and .obj")] = Path(
        "out/converted"
    ),
) -> None:
    """Bring a face into another head model; tells the error that remains, in mm."""
    from tools.convert import ConvertRequest
    from tools.convert import convert as make

    outcome = make(face, ConvertRequest(to=to), out)
    typer.echo(outcome.text)
    for name in outcome.files:
        typer.echo(f"  wrote {out / name}")


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (models, convert):
        app.command()(command)
