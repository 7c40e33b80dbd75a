"""What each axis of shape moves, in millimetres: one measurement per axis, from axes.toml.

The high end of an axis makes its measurement grow. Distances are straight lines; height,
depth and side are the y, z and x of the first point minus those of the second, in the head
frame (x to the person's left, y up, z out of the face); "narrows" is a distance that shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from facegpt_model.semantics.axes import axis_entries
from facegpt_model.semantics.points import LandmarkedModel, point

COMPONENT = {"side": 0, "height": 1, "depth": 2}
KINDS = ("distance", "narrows", *COMPONENT)


@dataclass(frozen=True)
class Probe:
    """One measurement: kind is one of KINDS, between two named points (points.py)."""

    kind: str
    first: str
    second: str

    def measure(self, model: LandmarkedModel, vertices: Tensor) -> Tensor:
        """(B,) mm of (B, V, 3) vertices; for "narrows" the negative distance."""
        offset = point(model, vertices, self.first) - point(model, vertices, self.second)
        if self.kind in COMPONENT:
            return offset[:, COMPONENT[self.kind]]
        length = torch.linalg.vector_norm(offset, dim=-1)
        return -length if self.kind == "narrows" else length


@lru_cache(maxsize=1)
def probes() -> dict[str, Probe]:
    """Axis name -> its measurement, for every axis that moves the shape.

    Raises ValueError naming the entry of axes.toml that gives none or an unknown kind.
    """
    found = {}
    for entry in axis_entries():
        if not any(key.endswith("_targets") for key in entry):
            continue
        given = entry.get("measure", {})
        if len(given) != 1 or next(iter(given)) not in KINDS:
            raise ValueError(f"axis {entry['name']!r} needs one measure of {', '.join(KINDS)}")
        kind, (first, second) = next(iter(given.items()))
        found[entry["name"]] = Probe(kind, first, second)
    return found
