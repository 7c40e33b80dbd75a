"""Photographs behind synthetic faces, with the camera each photographed face was seen by.

A folder of portraits as fitting/portraits.py describes. Only people kept for training and
only rows whose licence was verified are used, unless asked otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.landmark_fit import INNER, fit_landmarks, landmark_basis
from facegpt_model.fitting.portraits import Portrait, read_portraits
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES

Floats = NDArray[np.float32]
Progress = Callable[[str, float], None]


class BadBackdrops(ValueError):
    """A folder whose photographs cannot stand behind synthetic faces."""


@dataclass(frozen=True)
class Backdrops:
    """N photographs of one square size in pixels.

    files: paths; rotation: (N, 3, 3) head to camera; translation: (N, 3) mm; focal: (N,) pixels;
    expression: (N, E) blend weights of the people in them
    """

    files: tuple[str, ...]
    rotation: Floats
    translation: Floats
    focal: Floats
    expression: Floats
    side: int

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, index: int, size: int) -> Floats:
        """(size, size, 3) sRGB in 0..1."""
        with Image.open(self.files[index]) as image:
            image.draft("RGB", (size, size))
            small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(small, np.float32) / np.float32(255)


def read_backdrops(
    folder: Path,
    head: OpenHead,
    kept: Path,
    limit: int = 1000,
    unverified: bool = False,
    progress: Progress | None = None,
) -> Backdrops:
    """Backdrops of a folder of portraits; their cameras are fitted once and kept in the file `kept`.

    limit: at most so many, evenly taken; unverified: also rows without verified licence, for
    experiments that ship nothing. Raises BadPortraits for a folder that cannot be read and
    BadBackdrops when it holds no usable portrait.
    """
    portraits = [p for p in read_portraits(folder) if not p.is_test and (p.verified or unverified)]
    if not portraits:
        raise BadBackdrops(f"{folder} holds no training portrait with a verified licence")
    chosen = portraits[:: max(1, -(-len(portraits) // limit))]
    names = np.array([p.file.name for p in chosen])
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as stored:
            if np.array_equal(stored["names"], names):
                return Backdrops(
                    files=tuple(str(p.file) for p in chosen),
                    rotation=stored["rotation"],
                    translation=stored["translation"],
                    focal=stored["focal"],
                    expression=stored["expression"],
                    side=int(stored["side"]),
                )
    with Image.open(chosen[0].file) as first:
        side = first.width
    rows = []
    for k, portrait in enumerate(chosen):
        rows.append(_camera_and_expression(head, portrait, side))
        if progress is not None:
            progress("fitting the poses of photographs", (k + 1) / len(chosen))
    rotation, translation, focal, expression = (
        np.stack(part).astype(np.float32) for part in zip(*rows, strict=True)
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{kept.stem}.{os.getpid()}.part.npz")
    np.savez(
        part, names=names, rotation=rotation, translation=translation, focal=focal,
        expression=expression, side=side,
    )  # fmt: skip
    os.replace(part, kept)
    return Backdrops(tuple(str(p.file) for p in chosen), rotation, translation, focal, expression, side)


def _camera_and_expression(head: OpenHead, portrait: Portrait, side: int) -> tuple[np.ndarray, ...]:
    order = [BLENDSHAPE_NAMES.index(name) for name in head.expression_names]
    expected = load_correspondence().expression(portrait.blendshapes)[order]
    basis = landmark_basis(head)[INNER]
    fit = fit_landmarks(basis, portrait.points478[INNER, :2], expected, (side, side))
    return fit.camera.rotation, fit.camera.translation, np.array(fit.camera.focal), fit.expression
