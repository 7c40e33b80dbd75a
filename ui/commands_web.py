"""The chat in a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ui.commands_threads import DEFAULT_ROOT


def ui(
    root: Annotated[Path, typer.Option(help="folder that holds the threads")] = DEFAULT_ROOT,
    host: Annotated[
        str, typer.Option(help="address to listen at; 0.0.0.0 lets other machines in")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    checkpoint: Annotated[Path | None, typer.Option(help="folder of another FaceGPT checkpoint")] = None,
) -> None:
    """Talk with FaceGPT in a browser. With FACEGPT_UI_SECRET set, pages ask for that word first."""
    from ui.web.addresses import guarded
    from ui.web.desk import CHECKPOINT_VARIABLE, ROOT_VARIABLE, the_desk

    os.environ[ROOT_VARIABLE] = str(root)
    if checkpoint:
        os.environ[CHECKPOINT_VARIABLE] = str(checkpoint)
    desk = the_desk()
    desk.prepare()

    import uvicorn

    from ui.web.server import application

    typer.echo(f"FaceGPT is at http://{'localhost' if host == '0.0.0.0' else host}:{port} (Ctrl-C ends it)")
    typer.echo(f"conversations are kept in {root}")
    if host not in ("127.0.0.1", "localhost", "::1") and not guarded():
        typer.echo("everybody who reaches this machine can see and change them: set FACEGPT_UI_SECRET")
    uvicorn.run(application(), host=host, port=port, log_level="warning", access_log=False)
    desk.close()


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(ui)
