"""Head models that paint their colours over a texture atlas, such as openhead."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel


@runtime_checkable
class TexturedModel(MorphableModel, Protocol):
    """A head that also paints its colours over a texture atlas, region by region.

    uv: (U, 2) in [0, 1], v up; triangles_uv: (T, 3); region_weights: (V, R) in [0, 1]
    albedo_names: what each albedo component is called
    expression_basis: (E, V, 3) mm, displacement of each expression at weight 1
    """

    uv: Tensor
    triangles_uv: Tensor
    region_names: tuple[str, ...]
    expression_basis: Tensor
    albedo_names: tuple[str, ...]
    region_weights: Tensor

    def texture(self, code: FaceCode, size: int) -> Tensor:
        """(B, size, size, 3) linear RGB, row 0 at v = 1."""
        ...

    def region_colours(self, code: FaceCode) -> Tensor:
        """(B, R, 3) linear RGB of each region's own paint."""
        ...

    def region_cover(self, code: FaceCode) -> Tensor:
        """(B, R) in [0, 1]: how much of each overlay shows; 1 for base regions."""
        ...

    def masks(self, size: int) -> Tensor:
        """(R, size, size) weights of the regions in [0, 1]."""
        ...
