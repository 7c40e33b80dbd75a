"""Codes for photos that have none: every photo of a folder fitted once, kept in one file.

codes.npz holds, for N photos in the order of their names,
    files (N,) paths relative to the folder; sha256 (N,) of the files; basis and method
    identity (N, I), spread (N, I), expression (N, E), albedo (N, A): as in FaceCode and FaceEstimate
    view (N, 34): rotation, translation, focal, light; image_size (N, 2): height, width
    landmark_error (N,): percent of the distance between the outer eye corners
    failed (M,), reason (M,): photos without a code, and why
A stopped run goes on where it was: photos whose digest is in the file are not fitted again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.fitting.photo import METHODS, PhotoFit, Quality, fit_photo
from facegpt_model.layout import pack_view
from facegpt_model.perception.analyse import NoFace
from facegpt_model.perception.photos import PhotoError, load_photo

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SAVE_EVERY = 20  # photos; so much is lost when a run is killed

Row = dict[str, NDArray[np.generic]]


class NothingToFit(ValueError):
    """A folder without photos, or a file of codes that belongs to something else."""


@dataclass(frozen=True)
class PseudoCodes:
    """How many photos of a run were fitted now, were known before, and have no face."""

    fitted: int
    known: int
    failures: dict[str, str]


def fit_folder(
    folder: Path,
    out: Path,
    quality: Quality = "default",
    on_progress: Callable[[str, float], None] | None = None,
) -> PseudoCodes:
    """Fit all photos of a folder and its subfolders into `out`; raises NothingToFit.

    on_progress hears the name of each photo and the finished share of all, 0..1.
    """
    photos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not photos:
        raise NothingToFit(f"there is no picture in {folder}; pictures end in {', '.join(SUFFIXES)}")
    known, failed = _read(out, METHODS[quality])
    rows: dict[str, Row] = {}
    failures: dict[str, str] = {}
    fitted = 0
    for index, path in enumerate(photos):
        name = path.relative_to(folder).as_posix()
        if on_progress:
            on_progress(name, index / len(photos))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in known:
            rows[name] = known[digest]
            continue
        if digest in failed:
            failures[name] = failed[digest]
            continue
        try:
            rows[name] = _row(fit_photo(load_photo(path), quality=quality, with_worn=False), digest)
        except (NoFace, PhotoError) as error:
            failures[name] = str(error)
            failed[digest] = str(error)
            continue
        fitted += 1
        if fitted % SAVE_EVERY == 0:
            _write(out, rows, failures, failed, METHODS[quality])
    _write(out, rows, failures, failed, METHODS[quality])
    return PseudoCodes(fitted, len(rows) - fitted, failures)


def _row(fit: PhotoFit, digest: str) -> Row:
    code, view, spread = fit.estimate.code, fit.estimate.view, fit.estimate.spread
    if view is None:
        raise NothingToFit("a fit of a photo has a view")
    return {
        "sha256": np.array(digest),
        "identity": code.identity[0].numpy(),
        "spread": np.full(code.identity.shape[1], np.nan, np.float32)
        if spread is None
        else spread[0].numpy(),
        "expression": code.expression[0].numpy(),
        "albedo": code.albedo[0].numpy(),
        "view": pack_view(view)[0].numpy(),
        "image_size": np.array(view.image_size),
        "landmark_error": np.array(fit.nme_percent, np.float32),
        "basis": np.array(code.basis),
    }


def _read(out: Path, method: str) -> tuple[dict[str, Row], dict[str, str]]:
    """Rows, and reasons of failures, by digest."""
    if not out.is_file():
        return {}, {}
    try:
        with np.load(out, allow_pickle=False) as stored:
            arrays = dict(stored)
        if str(arrays.pop("method")) != method:
            raise NothingToFit(f"{out} was made by another method; give another file")
        del arrays["files"], arrays["failed"]
        reasons = dict(zip(arrays.pop("failed_sha256").tolist(), arrays.pop("reason").tolist(), strict=True))
        count = len(arrays["sha256"])
        rows = [{key: array[k] for key, array in arrays.items()} for k in range(count)]
    except (OSError, KeyError) as error:
        raise NothingToFit(f"{out} is no file of codes: {error}") from error
    return {str(row["sha256"]): row for row in rows}, reasons


def _write(
    out: Path, rows: dict[str, Row], failures: dict[str, str], failed: dict[str, str], method: str
) -> None:
    """The whole file, put in place at once."""
    names = sorted(rows)
    columns = {key: np.stack([rows[name][key] for name in names]) for key in rows[names[0]]} if names else {}
    table: dict[str, Any] = {
        **(columns or {"sha256": np.zeros(0, "U64")}),
        "files": np.array(names, dtype=str),
        "method": np.array(method),
        "failed": np.array(sorted(failures), dtype=str),
        "failed_sha256": np.array(list(failed), dtype=str),
        "reason": np.array(list(failed.values()), dtype=str),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part.npz")
    np.savez_compressed(part, **table)
    os.replace(part, out)
