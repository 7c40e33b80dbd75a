"""What several commands need: the backend, and telling what a tool made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from facegpt_model.serving.backend import Backend
    from tools.outcome import Outcome
    from tools.workspace import Workspace


def open_backend(checkpoint: Path | None = None) -> Backend:
    """The FaceGPT that answers: served at $FACEGPT_SERVER, or else embedded in this process.

    FACEGPT_SERVER_KEY and FACEGPT_SERVER_TIMEOUT (seconds) belong to the server. BackendError,
    CheckpointError or AssetError with one sentence if it does not answer or parts are missing.
    """
    url = os.environ.get("FACEGPT_SERVER", "")
    if url:
        return _served(url, checkpoint)
    from facegpt_model.serving.in_process import InProcessBackend

    return InProcessBackend.load(checkpoint)


def _served(url: str, checkpoint: Path | None) -> Backend:
    from facegpt_model.serving.backend import BackendError
    from facegpt_model.serving.vllm_client import VllmBackend

    if checkpoint:
        raise BackendError("a server has its own checkpoint; leave out --checkpoint or FACEGPT_SERVER")
    timeout = os.environ.get("FACEGPT_SERVER_TIMEOUT", "120")
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise BackendError(f"FACEGPT_SERVER_TIMEOUT is a number of seconds, not {timeout!r}")
    return VllmBackend.connect(url, os.environ.get("FACEGPT_SERVER_KEY", ""), seconds)


def tell(outcome: Outcome, workspace: Workspace) -> None:
    """Print what was made and which files were written."""
    typer.echo(outcome.text)
    for name in outcome.files:
        typer.echo(f"  wrote {workspace.folder / name}")
