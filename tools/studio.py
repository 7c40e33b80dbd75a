"""What faces are made and judged with: the head model, its named axes, its measurements.

Loading takes a second or two and happens once per process, on first use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.fitting.correspondence import seen_landmarks68
from facegpt_model.morphable import base
from facegpt_model.morphable.catalogue import SHIPPED, known_bases
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.semantics.measurements import measure
from tools.errors import ToolError
from tools.wording import in_words

ADVICE = "bring the face over first: facegpt convert FACE.json --to openhead"


@dataclass(frozen=True)
class Studio:
    """One head model with its axes; every tool that looks at a face asks here.

    sliders: the named axes, or None for a head model that knows no words
    """

    head: base.MorphableModel
    sliders: Axes | None

    @property
    def axes(self) -> Axes:
        """The named axes; ToolError for a head model without any."""
        if self.sliders is None:
            raise ToolError(f"{self.head.basis} has no named sliders, so words cannot change it; {ADVICE}")
        return self.sliders

    @property
    def mesh_suffix(self) -> str:
        """The mesh file every face gets: glTF with named expressions, or OBJ for a supplied model."""
        return "obj" if self.sliders is None else "glb"

    def words(self, code: FaceCode) -> str:
        """The one face of `code` in canonical words; "" for a head model without words."""
        return "" if self.sliders is None else in_words(self.sliders, code)

    def landmarks68(self, code: FaceCode) -> Tensor:
        """(68, 3) millimetres, head frame, of the one face of `code`, expression applied."""
        with torch.no_grad():
            return self.head.landmarks68(self.head.vertices(code))[0]

    def seen_landmarks68(self, code: FaceCode) -> Tensor:
        """As landmarks68, where detectors see the points; a supplied model's own points."""
        if not isinstance(self.head, OpenHead):
            return self.landmarks68(code)
        with torch.no_grad():
            return seen_landmarks68(self.head, self.head.vertices(code))[0]

    def measurements(self, code: FaceCode, expression: bool = False) -> dict[str, float]:
        """Name to millimetres of one face; of the neutral face unless `expression`."""
        points = self.landmarks68(code if expression else code.neutral())
        return {name: round(float(value[0]), 2) for name, value in measure(points[None]).items()}

    def require_basis(self, code: FaceCode, what: str) -> None:
        """ToolError if these coefficients belong to another head model or have other sizes."""
        if code.basis != self.head.basis:
            raise ToolError(
                f"{what} was made for {code.basis or 'no basis'}; this house speaks {self.head.basis}"
                + (f", so {ADVICE}" if code.basis in known_bases() else "")
            )
        layout = self.head.layout
        sizes = (code.identity.shape[1], code.expression.shape[1], code.albedo.shape[1])
        if sizes != (layout.identity, layout.expression, layout.albedo):
            raise ToolError(
                f"{what} holds {sizes[0]} identity, {sizes[1]} expression and {sizes[2]} albedo numbers; "
                f"{self.head.basis} needs {layout.identity}, {layout.expression} and {layout.albedo}"
            )


@lru_cache(maxsize=2)
def open_studio(basis: str = SHIPPED) -> Studio:
    """The studio of that name or basis, loaded on first use.

    Raises UnknownModel, MissingModel or BadModel for a head model that cannot be had.
    """
    head = base.load(basis)
    return Studio(head, load_axes(head) if head.basis == SHIPPED else None)


def open_studio_of(path: Path) -> Studio:
    """The studio of the head model a face-N.json was made for; the default one if it names none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        basis = record["basis"]
    except (OSError, ValueError, KeyError, TypeError):
        return open_studio()  # reading the face will tell what is wrong with the file
    return open_studio(basis if basis in known_bases() else SHIPPED)
