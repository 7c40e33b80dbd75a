"""Files that appear whole or not at all.

A reader never sees half a file: everything is written beside its place and then renamed.
All failures of the disk come out as ToolError with one sentence.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.errors import ToolError


def ensure_folder(folder: Path) -> Path:
    """The folder, made if needed, after one probe that files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-"):
            pass
    except OSError as error:
        raise _refusal(folder, error) from error
    return folder


def write_through(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a file beside `path`, then move it into place.

    The stand-in keeps the suffix of `path`, since writers choose formats by it.
    """
    stand_in = path.with_name(f".new-{os.getpid()}-{path.name}")
    try:
        write(stand_in)
        os.replace(stand_in, path)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        with suppress(OSError):
            stand_in.unlink(missing_ok=True)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """These bytes as a file."""
    return write_through(path, lambda stand_in: stand_in.write_bytes(content))


def write_text(path: Path, text: str) -> Path:
    """Text as UTF-8 with a newline at its end."""
    content = text if text.endswith("\n") else text + "\n"
    return write_through(
        path, lambda stand_in: stand_in.write_text(content, encoding="utf-8", errors="replace")
    )


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes; they wait until this one is done."""
    try:
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _refusal(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)  # closing gives the lock back


def _refusal(path: Path, error: OSError) -> ToolError:
    reason = (error.strerror or str(error)).lower()
    return ToolError(f"cannot write to {path} ({reason}); choose a folder you may write to, with --out")
