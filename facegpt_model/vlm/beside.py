"""Small parts that were learned from one checkpoint of the language model and lie beside it.

Their names carry that checkpoint's digest: with another one they are not used, and those of several
may lie in one folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor


def save_beside(part: str, tensors: Mapping[str, Tensor], folder: Path, card: Mapping[str, Any]) -> Path:
    """Write a part beside the checkpoint it belongs to; returns its tensors' file."""
    digest = _digest(folder)
    path = _path(part, folder, digest)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    about = {"format": 1, "checkpoint": digest, **card}
    path.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return path


def read_beside(part: str, folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Card and float32 tensors of a part; None where there is none, or one of another checkpoint."""
    try:
        digest = _digest(folder)
        path = _path(part, folder, digest)
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        tensors = load_file(path)
    except (OSError, ValueError, SafetensorError):
        return None
    if about.get("format") != 1 or about.get("checkpoint") != digest:
        return None
    return about, {name: tensor.float() for name, tensor in tensors.items()}


def _digest(folder: Path) -> str:
    """Which checkpoint of the language model lies in a folder: sha256 of its tensors."""
    return hashlib.sha256((folder / "facegpt.safetensors").read_bytes()).hexdigest()


def _path(part: str, folder: Path, digest: str) -> Path:
    return folder / f"{part}-{digest[:8]}.safetensors"
