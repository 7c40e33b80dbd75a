"""Commands about serving: export a checkpoint as one folder, run it on vLLM."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer


def export_checkpoint(
    out: Annotated[Path, typer.Option(help="new or empty folder")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="folder of a checkpoint, default: the shipped one")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, or bfloat16 for half the size")] = "float32",
    merged: Annotated[
        bool,
        typer.Option("--merged/--unmerged", help="fold the adapter in, or keep it in a folder of its own"),
    ] = True,
) -> None:
    """Write a checkpoint as one folder that transformers and vLLM load, with parameter slots."""
    from rich.console import Console

    from facegpt_model.serving import export
    from ui.console import Progress

    chosen = export.checked_precision(precision)
    with Progress(Console(highlight=False, emoji=False)) as progress:
        export.export_checkpoint(out, checkpoint, chosen, progress, merged)
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        typer.echo(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")


def serve(
    model: Annotated[
        Path | None, typer.Option(help="exported folder, default: the shipped checkpoint, exported now")
    ] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8000,
    precision: Annotated[str, typer.Option(help="bfloat16, or float32: exact and slower")] = "bfloat16",
    sequences: Annotated[int, typer.Option(min=1, max=512, help="answers at the same time")] = 16,
    cache_gib: Annotated[int, typer.Option(min=1, help="GiB for keys and values on a CPU")] = 1,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs to share the model")] = 1,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="compile first: slower start, faster answers")
    ] = False,
) -> None:
    """Serve FaceGPT with vLLM until Ctrl-C. An API key is taken from FACEGPT_SERVER_KEY, if set."""
    from rich.console import Console

    from facegpt_model.assets import home
    from facegpt_model.serving import launch
    from facegpt_model.serving.backend import BackendError
    from facegpt_model.serving.export import CARD, checked_precision
    from facegpt_model.serving.export import export_checkpoint as export
    from ui.console import Progress

    chosen = checked_precision(precision)
    for ending in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # the server is a process of its own: never leave it behind
        signal.signal(ending, signal.default_int_handler)
    launch.serving_python()
    cache = home() / "serving"
    with Progress(Console(highlight=False, emoji=False)) as progress:
        folder = model or cache / "shipped"
        if model is None and not _is_current(folder / CARD):
            export(folder, None, "float32", progress)
        settings = launch.ServeSettings(
            model=folder.resolve(), host=host, port=port, precision=chosen, sequences=sequences,
            cache_gib=cache_gib, gpus=gpus, eager=not compiled,
        )  # fmt: skip
        server = launch.start(settings, cache, os.environ.get("FACEGPT_SERVER_KEY", ""), progress)
    with server:
        typer.echo(f"{server.name} is served at {server.url} (log: {server.log})")
        typer.echo(f"use it:  FACEGPT_SERVER={server.url} facegpt chat")
        try:
            code = server.process.wait()
        except KeyboardInterrupt:
            typer.echo("stopping")
            return
    raise BackendError(
        f"the server ended with code {code}: {launch.last_error(server.log)}; see {server.log}"
    )


def _is_current(card: Path) -> bool:
    """Whether the shipped checkpoint's export is newer than the checkpoint."""
    from facegpt_model.vlm.model import SHIPPED_CHECKPOINT

    shipped = SHIPPED_CHECKPOINT / "facegpt.safetensors"
    return card.is_file() and shipped.is_file() and card.stat().st_mtime > shipped.stat().st_mtime


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(name="export-checkpoint")(export_checkpoint)
    app.command()(serve)
