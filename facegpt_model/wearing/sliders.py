"""From what a photo shows a face to wear to the numbers that draw it.

What is seen clearly is worn as seen; what is not is worn as is likeliest for such a person: the
numbers are expected values over the answers, so doubt ends in between. Numbers that mean an answer
were set by eye on stills.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch

from facegpt_model.appearance.parameters import Appearance, FacialHair, Glasses, Hair
from facegpt_model.face import FaceCode
from facegpt_model.wearing.readouts import Worn

LENGTHS = {"m": {"0": 0.0, "1": 0.12, "2": 0.24, "3": 0.48, "4": 0.8},
           "f": {"0": 0.0, "1": 0.18, "2": 0.36, "3": 0.6, "4": 0.88}}  # fmt: skip
TIGHT_LENGTHS = {"0": 0.0, "1": 0.12, "2": 0.4, "3": 0.7, "4": 0.95}  # of an afro, which takes length up
WAVES = {"0": 0.05, "1": 0.34, "2": 0.66, "3": 0.95}
FRINGES = {"0": 0.0, "1": 0.35, "2": 0.9}
RECEDING = {"0": 0.0, "1": 0.38, "2": 0.85}
PARTED, PARTED_FROM = 0.6, 0.35  # how far from the middle, and the probability from which it is drawn
BALD_FROM, TIED_FROM, SURE = 0.5, 0.5, 0.5
SHAVEN_FROM = 0.25  # the same of a head that is bald on top: what is left at the sides is shaven
BARE_SCALP = -3.4  # standard deviations of scalp hair coverage
WREATH, WREATH_LENGTH = 0.6, 0.12  # receded so far, hair is left at the sides
SWEPT = 0.75  # short hair without parting or fringe, which would fall into a middle parting
FRINGE_ENDS = 0.3  # no fringe hangs from a hairline that has receded further
BEARD_LENGTHS = {"1": 0.0, "2": 0.03, "3": 0.25, "4": 0.6}
RIMS = {"1": 0.16, "2": 0.3, "3": 0.7, "4": 0.7}
# hair lightness, redness and grey of each colour, standard deviations
COLOURS = {
    "black": (-2.3, 0.0, 0.0),
    "dark": (-1.2, 0.1, 0.0),
    "brown": (0.0, 0.3, 0.0),
    "light": (1.6, 0.2, 0.0),
    "blond": (2.9, 0.1, 0.0),
    "red": (0.6, 2.3, 0.0),
    "grey": (-1.0, 0.0, 1.3),
    "white": (0.0, 0.0, 2.6),
}
COLOUR_PARTS = ("hair lightness", "hair redness", "hair grey")
FOLDS = {"0": -1.0, "1": 0.5, "2": 1.9}  # skin age that wrinkles mean
MIDDLE_AGE, YEARS_A_STEP = 45.0, 16.0  # skin age of years, as people are drawn (morphable/people.py)
SKIN_AGE = -1.6, 2.4
STUBBLE, NO_STUBBLE, UNDER_BEARD = 1.3, -1.5, 0.3  # beard shadow


class Paintable(Protocol):
    """A head model whose colours have names."""

    @property
    def albedo_names(self) -> tuple[str, ...]:
        """Names of the albedo coefficients."""
        ...


def appearance_of(worn: Worn) -> Appearance:
    """Hair, facial hair and glasses of what was seen."""
    return Appearance(hair=_hair(worn), facial_hair=_facial_hair(worn), glasses=_glasses(worn))


def dressed(model: Paintable, code: FaceCode, worn: Worn) -> FaceCode:
    """One fitted face with what was seen: what it wears, and colours and folds the fit cannot tell."""
    albedo = code.albedo.clone()
    names = list(model.albedo_names)
    if code.detail is None:  # else the photo's own folds are on the skin
        albedo[:, names.index("skin age")] = skin_age(worn)
    for name, value in painted_numbers(worn, dict(zip(names, albedo[0].tolist(), strict=True))).items():
        albedo[:, names.index(name)] = value
    row = appearance_of(worn).row().to(albedo)
    if code.appearance.shape[1]:
        row = torch.cat([row] * len(code.appearance))
    return replace(code, albedo=albedo, appearance=row)


def painted_numbers(worn: Worn, fitted: dict[str, float]) -> dict[str, float]:
    """Albedo components that the read-outs tell better than the fit, by name; fitted: all of the fit's."""
    numbers: dict[str, float] = {}
    for k, part in enumerate(COLOUR_PARTS):
        numbers[part] = worn.mean("hair_colour", {name: row[k] for name, row in COLOURS.items()})
    numbers["scalp hair coverage"] = BARE_SCALP if is_bald(worn) else max(0.0, fitted["scalp hair coverage"])
    kind = worn.likeliest("facial_hair")
    shadow = fitted["beard shadow"]
    if worn.likeliest("sex") == "f":
        shadow = min(shadow, NO_STUBBLE)
    elif kind == "1":
        shadow = max(shadow, STUBBLE)
    elif kind in ("2", "3", "4"):
        shadow = min(shadow, UNDER_BEARD)
    numbers["beard shadow"] = shadow
    return numbers


def skin_age(worn: Worn) -> float:
    """How deep folds are, from wrinkles and apparent age alike."""
    years = (worn.years - MIDDLE_AGE) / YEARS_A_STEP
    return min(max((worn.mean("wrinkles", FOLDS) + years) / 2, SKIN_AGE[0]), SKIN_AGE[1])


def is_bald(worn: Worn) -> bool:
    """Whether no hair grows on the scalp; hidden hair does."""
    least = SHAVEN_FROM if worn.chance("receding", "2") > SURE else BALD_FROM
    return worn.chance("hair", "0") > least and worn.chance("hat", "1") < SURE


def _hair(worn: Worn) -> Hair:
    if is_bald(worn):
        return Hair()
    sex = worn.likeliest("sex")
    wave = worn.mean("wave", WAVES)
    tight = worn.chance("wave", "3") > SURE
    lengths = TIGHT_LENGTHS if tight else LENGTHS[sex]
    growing = {answer: p for answer, p in worn.probabilities["hair"].items() if answer != "0"}
    if sex == "f" and growing["1"] < 0.8:  # cropped hair is rare enough on women to need clear sight
        growing["1"] = 0.0
    length = sum(p * lengths[answer] for answer, p in growing.items()) / max(sum(growing.values()), 1e-6)
    receding = worn.mean("receding", RECEDING) * (0.5 if sex == "f" else 1.0)
    if receding > WREATH and sex == "m":  # a wreath is kept short
        length = min(0.4 * length, WREATH_LENGTH)
    short = length < 0.34
    left, right = worn.chance("parting", "l"), worn.chance("parting", "r")
    parted = max(left, right) > PARTED_FROM
    parting = (PARTED if left > right else -PARTED) if parted else 0.3 * (left - right)
    fringe = worn.mean("fringe", FRINGES)
    fringe = 0.0 if receding > FRINGE_ENDS or fringe < 0.12 or tight else fringe
    tied = worn.chance("tied", "1") > TIED_FROM
    return Hair(
        length=0.48 if tied else length,
        sides=0.45 if short and sex == "m" else 0.0,
        wave=min(wave, 0.3) if tied or length < 0.1 else wave,
        volume=0.25 if sex == "f" else 0.05,
        fringe=fringe,
        parting=0.0 if tight else parting,
        swept_back=SWEPT if short and not parted and fringe == 0.0 and not tight else 0.0,
        tied=0.9 if tied else 0.0,
        receding=0.0 if receding < 0.1 else receding,
    )


def _facial_hair(worn: Worn) -> FacialHair:
    kind = worn.likeliest("facial_hair")
    if worn.likeliest("sex") == "f" or kind in ("0", "1"):
        return FacialHair()
    long = {answer: p for answer, p in worn.probabilities["fh_length"].items() if answer != "0"}
    length = sum(p * BEARD_LENGTHS[answer] for answer, p in long.items()) / max(sum(long.values()), 1e-6)
    dense = 0.5 + 0.4 * (1 - long["1"] / max(sum(long.values()), 1e-6))  # stubble is thinner
    upper = dense if kind == "2" or worn.chance("moustache", "1") > SURE else 0.0
    return FacialHair(
        moustache=upper,
        goatee=dense if kind == "3" else 0.0,
        beard=dense if kind == "4" else 0.0,
        length=length,
    )


def _glasses(worn: Worn) -> Glasses:
    kinds = {answer: p for answer, p in worn.probabilities["glasses"].items() if answer != "0"}
    seen = sum(kinds.values())
    if seen < SURE:
        return Glasses()
    rim = sum(p * RIMS[answer] for answer, p in kinds.items()) / seen
    dark = 0.85 if kinds["4"] > SURE * seen else 0.0
    return Glasses(worn=1.0, shape=0.35, size=-0.1, rim=rim, dark=dark)
