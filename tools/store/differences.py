"""How two faces differ, part by part, in words and millimetres: "nose 1.9 mm broader, same jaw".

Shapes are compared without expression. A part's millimetres are the root mean square over
its skin after laying the two parts over each other; its words come from the measurement
that changed most. The second face is told relative to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegpt_model.appearance.parameters import Appearance
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.semantics.measurements import measure
from tools.store.regions import PARTS
from tools.store.vectors import Calibration

SAME_MM = 0.8  # shapes nearer than this are called the same
TELLING_MM = 0.5  # smaller changes of a measurement are not told
SAME_SKIN, LIKE_SKIN = 0.25, 0.6  # shares of the distance of two random people
TONE_STEP = 0.5  # standard deviations of melanin from which skin is darker or lighter
WORN_STEP = 0.2  # of hair length
# Part -> measurement, what it is of, and words for more and for less of it.
MEASURED: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "eyes": (
        ("eye_width", "eyes", "wider", "narrower"),
        ("eye_height", "eyes", "more open", "less open"),
        ("eye_distance_inner", "eyes", "further apart", "closer together"),
    ),
    "brows": (("brow_height", "brows", "higher", "lower"),),
    "nose": (
        ("nose_width", "nose", "broader", "narrower"),
        ("nose_length", "nose", "longer", "shorter"),
        ("nose_protrusion", "nose tip", "further out", "less far out"),
    ),
    "mouth": (
        ("mouth_width", "mouth", "wider", "narrower"),
        ("lip_thickness", "lips", "fuller", "thinner"),
    ),
    "jaw": (
        ("jaw_width", "jaw", "broader", "narrower"),
        ("chin_height", "chin", "longer", "shorter"),
    ),
}


@dataclass(frozen=True)
class PartDifference:
    """One part of two faces.

    mm:       root mean square of the shapes laid over each other, 0 for skin
    relative: distance of the part's vectors, 1 is that of two random people
    words:    such as "nose 1.9 mm broader" or "same jaw"
    """

    part: str
    mm: float
    relative: float
    words: str


def differences(
    model: MorphableModel, calibration: Calibration, first: FaceCode, others: FaceCode
) -> list[list[PartDifference]]:
    """For each of B `others`, every part against the one face of `first`, nearest part first."""
    vectors, reference = calibration.vectors(others), calibration.vectors(first)
    with torch.no_grad():
        sizes = [
            {name: value.numpy() for name, value in measure(model.landmarks68(model.vertices(code))).items()}
            for code in (first.neutral(), others.neutral())
        ]
    tone = _tone_column(model)
    found: list[list[PartDifference]] = [[] for _ in range(others.batch_size)]
    for part in PARTS:
        apart = calibration.part_vectors(vectors, part) - calibration.part_vectors(reference, part)
        relative = np.linalg.norm(apart, axis=1) / np.sqrt(2 * apart.shape[1])
        mm = calibration.part_mm(reference, vectors, part)
        for index, rows in enumerate(found):
            if part == "skin":
                darker = None
                if tone is not None:
                    darker = float(others.albedo[index, tone] - first.albedo[0, tone])
                words = _skin_words(float(relative[index]), darker)
            else:
                changed = [
                    (float(sizes[1][name][index] - sizes[0][name][0]), subject, more, less)
                    for name, subject, more, less in MEASURED[part]
                ]
                words = _shape_words(part, float(mm[index]), changed)
            rows.append(PartDifference(part, float(mm[index]), float(relative[index]), words))
    return [sorted(rows, key=lambda row: row.relative) for rows in found]


def in_words(parts: Sequence[PartDifference], first: FaceCode, other: FaceCode) -> str:
    """Everything in one line, nearest part first, with what is worn: hair, beard, glasses."""
    return ", ".join([row.words for row in parts] + worn_words(first, other))


def worn_words(first: FaceCode, other: FaceCode) -> list[str]:
    """How hair, beard and glasses of the second face differ from the first."""
    mine, theirs = (Appearance.of(code.appearance[0]) for code in (first, other))
    words = []
    longer = theirs.hair.length - mine.hair.length
    if abs(longer) >= WORN_STEP:
        words.append("longer hair" if longer > 0 else "shorter hair")
    for what, had, has in (
        ("a beard", _beard(mine), _beard(theirs)),
        ("glasses", mine.glasses.worn >= 0.3, theirs.glasses.worn >= 0.3),
    ):
        if had != has:
            words.append(f"with {what}" if has else f"without {what}")
    return words


def _beard(worn: Appearance) -> bool:
    hair = worn.facial_hair
    return max(hair.beard, hair.goatee, hair.moustache) >= 0.3


def _shape_words(part: str, mm: float, changed: Sequence[tuple[float, str, str, str]]) -> str:
    if mm < SAME_MM:
        return f"same {part}"
    size, subject, more, less = max(changed, key=lambda row: abs(row[0]))
    if abs(size) >= TELLING_MM:
        return f"{subject} {abs(size):.1f} mm {more if size > 0 else less}"
    return f"{part} of another shape by {mm:.1f} mm"


def _skin_words(relative: float, darker: float | None) -> str:
    if relative < SAME_SKIN:
        return "same skin"
    if darker is not None and abs(darker) >= TONE_STEP:
        return "darker skin" if darker > 0 else "lighter skin"
    return "similar skin" if relative < LIKE_SKIN else "skin of another complexion"


def _tone_column(model: MorphableModel) -> int | None:
    names = getattr(model, "albedo_names", ())
    return names.index("melanin") if "melanin" in names else None
