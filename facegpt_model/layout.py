"""The one order of numbers: flat vector <-> named parts, and the JSON record of a face.

Everything outside this file uses names, never slices. The flat order is identity,
expression, joints, albedo, appearance, then the view: rotation, translation, focal, light.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facegpt_model.appearance.parameters import Appearance
from facegpt_model.face import FaceCode, FaceEstimate, View

RECORD_FORMAT = 1
VIEW_SIZE = 3 + 3 + 1 + 27
MAX_FLAT_CODE = 256  # two read-outs of 128 numbers from a server, see docs/conventions.md


class BadRecord(ValueError):
    """A JSON record of a face that cannot be read."""


@dataclass(frozen=True)
class CodeLayout:
    """Sizes of the parts of one basis."""

    basis: str
    identity: int
    expression: int
    albedo: int
    joints: int = 0
    appearance: int = 0

    @property
    def code_size(self) -> int:
        """Length of the flat code without the view."""
        return self.identity + self.expression + 3 * self.joints + self.albedo + self.appearance

    def pack(self, code: FaceCode) -> Tensor:
        """(B, code_size) flat code."""
        appearance = code.appearance
        if not appearance.shape[1]:  # a bare head
            appearance = code.albedo.new_zeros(code.batch_size, self.appearance)
        parts = (code.identity, code.expression, code.joints.flatten(1), code.albedo, appearance)
        return torch.cat(parts, dim=1)

    def unpack(self, flat: Tensor) -> FaceCode:
        """FaceCode of a (B, code_size) flat code."""
        if flat.ndim != 2 or flat.shape[1] != self.code_size:
            raise ValueError(f"{self.basis} needs (B, {self.code_size}) numbers, not {tuple(flat.shape)}")
        identity, expression, joints, albedo, appearance = flat.split(
            [self.identity, self.expression, 3 * self.joints, self.albedo, self.appearance], dim=1
        )
        joints = joints.unflatten(1, (self.joints, 3))
        return FaceCode(identity, expression, albedo, self.basis, joints, appearance)


def pack_view(view: View) -> Tensor:
    """(B, 34) flat view: rotation, translation, focal, light."""
    return torch.cat([view.rotation, view.translation, view.focal[:, None], view.light.flatten(1)], dim=1)


def unpack_view(flat: Tensor, image_size: tuple[int, int]) -> View:
    """View of a (B, 34) flat view."""
    rotation, translation, focal, light = flat.split([3, 3, 1, 27], dim=1)
    return View(rotation, translation, focal[:, 0], light.unflatten(1, (9, 3)), image_size)


def _numbers(tensor: Tensor) -> list[Any]:
    return [round(float(v), 6) for v in tensor.detach().flatten().tolist()]


def to_record(estimate: FaceEstimate, index: int = 0) -> dict[str, Any]:
    """JSON-able record of face number `index` of an estimate."""
    code = estimate.code[index]
    record: dict[str, Any] = {
        "format": RECORD_FORMAT,
        "basis": code.basis,
        "identity": _numbers(code.identity),
        "expression": _numbers(code.expression),
        "joints": _numbers(code.joints),
        "albedo": _numbers(code.albedo),
        "appearance": Appearance.of(code.appearance[0]).named(),
        "source": estimate.source,
        "model": estimate.model,
        "seed": estimate.seed,
        "view": None,
        "spread": None if estimate.spread is None else _numbers(estimate.spread[index]),
        "spread_mm": None if estimate.spread_mm is None else dict(estimate.spread_mm),
    }
    if estimate.view is not None:
        view = estimate.view
        record["view"] = {
            "rotation": _numbers(view.rotation[index]),
            "translation": _numbers(view.translation[index]),
            "focal": round(float(view.focal[index]), 6),
            "light": _numbers(view.light[index]),
            "image_size": list(view.image_size),
        }
    return record


def from_record(record: dict[str, Any]) -> FaceEstimate:
    """The FaceEstimate of one record.

    Raises BadRecord with one sentence when a part is missing, not a list of finite
    numbers, or of another format.
    """
    if not isinstance(record, dict) or "format" not in record:
        raise BadRecord("this is not a face record: it has no 'format' field, as face-N.json files have")
    if record["format"] != RECORD_FORMAT:
        raise BadRecord(
            f"face record of format {record['format']!r}; this version reads format {RECORD_FORMAT}"
        )
    parts = {name: _read_row(record, name) for name in ("identity", "expression", "joints", "albedo")}
    code = FaceCode(
        parts["identity"],
        parts["expression"],
        parts["albedo"],
        str(record.get("basis", "")),
        parts["joints"].reshape(1, -1, 3),
        _read_appearance(record),
    )
    view = None
    if record.get("view") is not None:
        fields = record["view"]
        view = View(
            _read_row(fields, "rotation"),
            _read_row(fields, "translation"),
            torch.tensor([float(fields["focal"])]),
            _read_row(fields, "light").reshape(1, 9, 3),
            (int(fields["image_size"][0]), int(fields["image_size"][1])),
        )
    spread = None if record.get("spread") is None else _read_row(record, "spread")
    return FaceEstimate(
        code,
        view,
        str(record.get("source", "")),
        str(record.get("model", "")),
        record.get("seed"),
        spread,
        _read_spread(record),
    )


def _read_spread(record: dict[str, Any]) -> dict[str, float] | None:
    """Millimetres by part, or None where a record does not tell."""
    if record.get("spread_mm") is None:
        return None
    try:
        return {str(part): float(value) for part, value in record["spread_mm"].items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise BadRecord("face record: 'spread_mm' must give numbers by name") from error


def _read_appearance(record: dict[str, Any]) -> Tensor:
    """(1, P) from name to number; (1, 0), a bare head, where nothing is named."""
    try:
        named = {str(name): float(value) for name, value in record.get("appearance", {}).items()}
        row = Appearance.from_named(named).row() if named else torch.zeros(1, 0)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadRecord(f"face record: 'appearance' must give numbers by name ({error})") from error
    if not torch.isfinite(row).all():
        raise BadRecord("face record: 'appearance' holds a number that is not finite")
    return row


def _read_row(fields: dict[str, Any], name: str) -> Tensor:
    try:
        row = torch.tensor([[float(v) for v in fields[name]]], dtype=torch.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRecord(f"face record: '{name}' must be a list of numbers") from error
    if not torch.isfinite(row).all():
        raise BadRecord(f"face record: '{name}' holds a number that is not finite")
    return row


def dumps(record: dict[str, Any]) -> str:
    """A record as text; refuses NaN."""
    return json.dumps(record, indent=1, allow_nan=False)
