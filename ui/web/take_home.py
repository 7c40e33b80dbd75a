"""A conversation as one .zip: transcript, journal, and of every face its record, picture and mesh."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

KEPT = (".json", ".jsonl", ".head", ".png", ".glb", ".obj", ".mtl", ".ply", ".jpg", ".html", ".pdf")
PACKED = (".png", ".jpg", ".pdf")  # already small


def parcel(folder: Path) -> bytes:
    """The .zip; files lie in a folder named like the conversation's, working files are left out."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted(folder.iterdir()):
            if path.suffix in KEPT and path.is_file() and not path.name.startswith("."):
                how = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
                archive.write(path, f"{folder.name}/{path.name}", compress_type=how)
    return held.getvalue()
