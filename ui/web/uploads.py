"""Uploads are files of strangers: they are read as pictures before anything else sees them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tools.reconstruct import checked_photo

SUFFIXES = ["jpg", "jpeg", "png", "webp"]
MOST_MB = 20


def kept(upload: Any) -> Path:
    """The upload as a file of its own name in a folder of its own; ToolError if it is no picture."""
    folder = Path(tempfile.mkdtemp(prefix="facegpt-upload-"))
    path = folder / Path(str(upload.name)).name
    path.write_bytes(upload.getvalue())
    checked_photo(path)
    return path
