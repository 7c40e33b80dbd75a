"""What every morphable head model offers, whatever file it came from."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.layout import CodeLayout


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


@lru_cache(maxsize=4)
def load(name: str = "openhead@2") -> MorphableModel:
    """The morphable model of that basis; raises ValueError naming the known ones."""
    if name == "openhead@2":
        from facegpt_model.morphable.openhead import OpenHead

        return OpenHead()
    raise ValueError(f"no morphable model called {name!r}; known: openhead@2")
