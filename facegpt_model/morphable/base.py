"""What every morphable head model offers, whatever file it came from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.layout import CodeLayout
from facegpt_model.morphable.catalogue import SHIPPED, ModelFiles, files_of, known_name

LOG = logging.getLogger("facegpt.models")


class MorphableModel(Protocol):
    """A head that turns codes into vertices and colours.

    triangles: (T, 3) int64 vertex ids, counter-clockwise seen from outside
    part:      (T,) int64 index into part_names of each triangle
    """

    basis: str
    layout: CodeLayout
    expression_names: tuple[str, ...]
    part_names: tuple[str, ...]
    triangles: Tensor
    part: Tensor

    def vertices(self, code: FaceCode) -> Tensor:
        """(B, V, 3) vertices in millimetres, head frame, expression applied."""
        ...

    def albedo(self, code: FaceCode) -> Tensor:
        """(B, V, 3) linear RGB in [0, 1] per vertex."""
        ...

    def landmarks68(self, vertices: Tensor) -> Tensor:
        """(B, 68, 3) iBUG-68 points in millimetres of (B, V, 3) vertices."""
        ...


def load(name: str = SHIPPED, folder: Path | None = None) -> MorphableModel:
    """The head model of that name or basis, read once per process.

    folder: where a supplied model's files are, by default FACEGPT_HOME/models/NAME. The
    licence of a supplied model is told through logging. Raises UnknownModel, MissingModel
    (which file, where to put it, how to obtain it) or BadModel.
    """
    key = known_name(name)
    return _load(key, None if key == SHIPPED else files_of(key, folder).folder)


@lru_cache(maxsize=4)
def _load(name: str, folder: Path | None) -> MorphableModel:
    if name == SHIPPED:
        from facegpt_model.morphable.openhead import OpenHead

        return OpenHead()
    files = files_of(name, folder).require()
    for sentence in files.licences():
        LOG.warning(sentence)
    return reader_of(files.entry.adapter)(files)


def reader_of(adapter: str) -> Callable[[ModelFiles], MorphableModel]:
    """The function that reads a catalogue entry's files."""
    if adapter == "ict":
        from facegpt_model.morphable.ict import read_ict

        return read_ict
    if adapter == "gnm":
        from facegpt_model.morphable.gnm import read_gnm

        return read_gnm
    if adapter == "flame":
        from facegpt_model.morphable.flame import read_flame

        return read_flame
    from facegpt_model.morphable.bfm import read_bfm

    return read_bfm
