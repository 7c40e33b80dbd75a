"""Named axes of a face: word <-> direction in code space.

Each axis is one straight line through code space, so that moving it by +v and then by -v
gives the face back. Slider values lie in [-1, 1]; one-sided axes (a cleft chin, a smile)
in [0, 1]. The directions are sums of the head model's own word directions, ARKit blend
weights, albedo components and appearance parameters, listed in axes.toml.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import torch
from torch import Tensor

from facegpt_model.appearance.parameters import Appearance, ranges
from facegpt_model.face import BasisMismatch, FaceCode
from facegpt_model.layout import CodeLayout
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.semantics.words import Degree, End

SLIDER_SPREAD = 0.5  # prior standard deviation of a slider when reading it from a code
LEAST_NOISE = 0.03  # sd of what axes leave unexplained in faces that were made from words alone
IDENTITY_LIMIT = 7.0  # standard deviations a single coefficient may reach by editing


Kind = Literal["identity", "expression", "albedo", "appearance"]


class UnknownAxis(KeyError):
    """A slider name that does not exist."""

    def __str__(self) -> str:
        return str(self.args[0])


class AxisRange(ValueError):
    """A slider value outside its range."""


@dataclass(frozen=True)
class Axis:
    """One named slider.

    low, high: canonical words of the ends, or None where the end does not exist
    kind:      which part of the code it moves most
    """

    name: str
    part: str
    kind: Kind
    low: End | None
    high: End | None

    @property
    def minimum(self) -> float:
        """Smallest slider value: -1, or 0 for a one-sided axis."""
        return -1.0 if self.low else 0.0

    @property
    def maximum(self) -> float:
        """Largest slider value: 1."""
        return 1.0 if self.high else 0.0

    def words(self, value: float) -> str | None:
        """Canonical words for a slider value, None when it is too small to mention."""
        end = self.high if value > 0 else self.low
        degree = Degree.of(abs(value))
        return None if end is None or degree is None else end.words(degree)


@lru_cache(maxsize=1)
def axis_entries() -> tuple[dict[str, Any], ...]:
    """The rows of axes.toml, as they are written there."""
    text = resources.files("facegpt_model.semantics").joinpath("axes.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["axis"])


@lru_cache(maxsize=1)
def axis_list() -> tuple[Axis, ...]:
    """All axes in their fixed order, without any head model."""
    axes = []
    for entry in axis_entries():
        kind: Kind = "identity" if any(k.endswith("_targets") for k in entry) else "albedo"
        if kind == "albedo" and any(k.endswith("_appearance") for k in entry):
            kind = "appearance"
        kind = entry.get("kind", kind)
        ends = {side: End.of(entry[side]) if side in entry else None for side in ("low", "high")}
        axes.append(Axis(entry["name"], entry["part"], kind, ends["low"], ends["high"]))
    return tuple(axes)


def axis_named(name: str) -> Axis:
    """The axis of that name; UnknownAxis names the nearest ones."""
    table = {axis.name: axis for axis in axis_list()}
    if name not in table:
        near = difflib.get_close_matches(name, table, n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise UnknownAxis(f"no slider called {name!r}{hint}")
    return table[name]


class Axes:
    """The axes in the code space of one head model.

    directions: (K, D) change of the flat code when slider k moves by 1
    """

    def __init__(self, layout: CodeLayout, directions: Tensor) -> None:
        self.layout = layout
        self.directions = directions
        self.axes = axis_list()
        self.names = tuple(axis.name for axis in self.axes)
        self._rows = {name: row for row, name in enumerate(self.names)}
        self._gram = (directions @ directions.T).double()
        self._appearance_range = ranges()

    def __getitem__(self, name: str) -> Axis:
        return self.axes[self.row(name)]

    def row(self, name: str) -> int:
        """Index of an axis; UnknownAxis names the nearest ones."""
        axis_named(name)
        return self._rows[name]

    def code(self, values: Mapping[str, float]) -> FaceCode:
        """The face that has these slider values and is average otherwise."""
        flat = torch.zeros(1, self.layout.code_size)
        return self.shift(self.layout.unpack(flat), values)

    def shift(self, code: FaceCode, changes: Mapping[str, float]) -> FaceCode:
        """Move sliders by the given amounts; everything not named stays.

        Expression weights are kept in [0, 1] and identity within 7 standard deviations.
        Raises UnknownAxis, AxisRange for an amount outside [-1, 1], BasisMismatch.
        """
        if code.basis != self.layout.basis:
            raise BasisMismatch(f"sliders of {self.layout.basis} cannot move a code of {code.basis}")
        amounts = torch.zeros(len(self.names))
        for name, amount in changes.items():
            row = self.row(name)
            if not -1.0 <= amount <= 1.0:
                raise AxisRange(f"slider {name!r} moves by -1 to 1, not by {amount:g}")
            amounts[row] = amount
        flat = self.layout.pack(code) + amounts @ self.directions
        return replace(self.bounded(flat), detail=code.detail)

    def bounded(self, flat: Tensor) -> FaceCode:
        """FaceCode of a (B, D) flat code with every part inside its range."""
        code = self.layout.unpack(flat)
        return FaceCode(
            code.identity.clamp(-IDENTITY_LIMIT, IDENTITY_LIMIT),
            code.expression.clamp(0.0, 1.0),
            code.albedo.clamp(-3.0, 3.0),
            code.basis,
            code.joints,
            code.appearance.clamp(*self._appearance_range) if code.appearance.shape[1] else code.appearance,
        )

    def read(self, code: FaceCode) -> dict[str, float]:
        """Slider values that explain one code best.

        Ridge regression on the directions. Its strength comes from the code itself: a face
        made from words is explained fully and read back exactly; a face from a photo leaves
        much unexplained, and its sliders are shrunk towards 0 as far as that makes them
        uncertain.
        """
        flat = self.layout.pack(code)[0].double()
        directions = self.directions.double()
        values = self._ridge(directions @ flat, LEAST_NOISE)
        noise = float((flat - values @ directions).square().mean().sqrt())
        values = self._ridge(directions @ flat, max(noise, LEAST_NOISE))
        bounded = zip(self.axes, values.tolist(), strict=True)
        return {axis.name: min(max(value, axis.minimum), axis.maximum) for axis, value in bounded}

    def weights(self, noise: float) -> Tensor:
        """(K, D) double: what `read` multiplies a flat code by, for a face with this much unexplained."""
        return self._ridge(self.directions.double(), noise)

    def _ridge(self, moments: Tensor, noise: float) -> Tensor:
        ridge = (noise / SLIDER_SPREAD) ** 2 * torch.eye(len(self.names), dtype=torch.float64)
        return torch.linalg.solve(self._gram + ridge, moments)


def load_axes(model: MorphableModel) -> Axes:
    """The axes in the code space of a head model that knows word directions.

    Raises ValueError naming the target, expression or albedo component the model lacks.
    """
    return Axes(model.layout, torch.stack([_direction(model, entry) for entry in axis_entries()]))


def _direction(model: Any, entry: dict[str, Any]) -> Tensor:
    ends = {side: _end_direction(model, entry, side) for side in ("low", "high") if side in entry}
    if len(ends) == 2:
        return (ends["high"] - ends["low"]) / 2
    return ends["high"] if "high" in ends else -ends["low"]


def _end_direction(model: Any, entry: dict[str, Any], side: str) -> Tensor:
    layout: CodeLayout = model.layout
    identity = torch.zeros(layout.identity)
    for name, weight in entry.get(f"{side}_targets", {}).items():
        identity += weight * model.target_identity[_index(name, model.target_names, entry, "word direction")]
    expression = torch.zeros(layout.expression)
    for name, weight in entry.get(f"{side}_expression", {}).items():
        expression[_index(name, model.expression_names, entry, "expression")] = weight
    albedo = torch.zeros(layout.albedo)
    for name, weight in entry.get(f"{side}_albedo", {}).items():
        albedo[_index(name, model.albedo_names, entry, "albedo component")] = weight
    appearance = Appearance.from_named(entry.get(f"{side}_appearance", {})).row()[0, : layout.appearance]
    return torch.cat([identity, expression, torch.zeros(3 * layout.joints), albedo, appearance])


def _index(name: str, names: tuple[str, ...], entry: dict[str, Any], what: str) -> int:
    if name not in names:
        raise ValueError(f"axis {entry['name']!r} needs the {what} {name!r}, which this head model lacks")
    return names.index(name)


@lru_cache(maxsize=1)
def phrase_table() -> dict[str, tuple[str, float]]:
    """Canonical phrase -> (axis name, slider value)."""
    table: dict[str, tuple[str, float]] = {}
    for axis in axis_list():
        for end, sign in ((axis.low, -1.0), (axis.high, 1.0)):
            if end is None:
                continue
            for degree in Degree:
                table[end.words(degree)] = (axis.name, sign * end.value(degree))
    return table
