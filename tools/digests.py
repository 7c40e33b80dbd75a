"""Digests that tie a journal to what it tells of: of a face's numbers, of files, of the sliders.

All are sha256. A face's digest covers the numbers as its JSON holds them (six decimals) and the
basis, so the same face has the same digest in memory, in its file and after a replay.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegpt_model import layout
from facegpt_model.face import FaceEstimate

if TYPE_CHECKING:
    from tools.studio import Studio

PARTS = ("basis", "identity", "expression", "joints", "albedo", "appearance")


def code_numbers(estimate: FaceEstimate) -> dict[str, Any]:
    """The parts of a face's record that say what it looks like, JSON-able."""
    record = layout.to_record(estimate)
    return {part: record[part] for part in PARTS}


def code_digest(estimate: FaceEstimate) -> str:
    """sha256 of a face's numbers."""
    return numbers_digest(code_numbers(estimate))


def numbers_digest(numbers: dict[str, Any]) -> str:
    """sha256 of numbers as code_numbers gives them; other fields are left out."""
    told = {part: numbers.get(part) for part in PARTS}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def slider_digest(studio: Studio) -> str:
    """First 16 hex digits of the sha256 of all slider directions; "" for a head without sliders.

    Where it differs, the same slider moves a face another way.
    """
    if studio.sliders is None:
        return ""
    return hashlib.sha256(studio.sliders.directions.numpy().tobytes()).hexdigest()[:16]


@lru_cache(maxsize=1)
def version() -> str:
    """Version of the installed FaceGPT, "unknown" when it runs from a bare checkout."""
    try:
        return metadata.version("facegpt")
    except metadata.PackageNotFoundError:
        return "unknown"
