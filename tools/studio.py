"""What faces are made and judged with: the head model, its named axes, its measurements.

Loading takes a second or two and happens once per process, on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable import base
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.semantics.measurements import measure
from tools.errors import ToolError


@dataclass(frozen=True)
class Studio:
    """One head model with its axes; every tool that looks at a face asks here."""

    head: base.MorphableModel
    axes: Axes

    def landmarks68(self, code: FaceCode) -> Tensor:
        """(68, 3) millimetres, head frame, of the one face of `code`, expression applied."""
        with torch.no_grad():
            return self.head.landmarks68(self.head.vertices(code))[0]

    def measurements(self, code: FaceCode, expression: bool = False) -> dict[str, float]:
        """Name to millimetres of one face; of the neutral face unless `expression`."""
        points = self.landmarks68(code if expression else code.neutral())
        return {name: round(float(value[0]), 2) for name, value in measure(points[None]).items()}

    def require_basis(self, code: FaceCode, what: str) -> None:
        """ToolError if these coefficients belong to another head model or have other sizes."""
        if code.basis != self.head.basis:
            raise ToolError(
                f"{what} was made for {code.basis or 'no basis'}; this house speaks {self.head.basis}"
            )
        layout = self.head.layout
        sizes = (code.identity.shape[1], code.expression.shape[1], code.albedo.shape[1])
        if sizes != (layout.identity, layout.expression, layout.albedo):
            raise ToolError(
                f"{what} holds {sizes[0]} identity, {sizes[1]} expression and {sizes[2]} albedo numbers; "
                f"{self.head.basis} needs {layout.identity}, {layout.expression} and {layout.albedo}"
            )


@lru_cache(maxsize=2)
def open_studio(basis: str = "openhead@2") -> Studio:
    """The studio of that basis, loaded on first use."""
    head = base.load(basis)
    return Studio(head, load_axes(head))
