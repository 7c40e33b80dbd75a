"""What several commands need: the backend, and telling what a tool made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from facegpt_model.serving.backend import Backend
    from tools.outcome import Outcome
    from tools.workspace import Workspace


def open_backend(checkpoint: Path | None = None) -> Backend:
    """The embedded FaceGPT; CheckpointError or AssetError with one sentence if parts are missing."""
    from facegpt_model.serving.in_process import InProcessBackend

    return InProcessBackend.load(checkpoint)


def tell(outcome: Outcome, workspace: Workspace) -> None:
    """Print what was made and which files were written."""
    typer.echo(outcome.text)
    for name in outcome.files:
        typer.echo(f"  wrote {workspace.folder / name}")
