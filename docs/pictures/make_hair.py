"""The picture of docs/appearance.md: haircuts and beards on people of several origins and ages.

Run: python docs/pictures/make_hair.py
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from facegpt_model.appearance.parameters import Appearance, FacialHair, Hair
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.still import contact_sheet, render_still

YAWS = (0.0, 45.0, 150.0)


@dataclass(frozen=True)
class Wearer:
    """One row of the sheet: who, with what hair; albedo in standard deviations."""

    label: str
    seed: int
    sex: str
    hair: Hair
    facial: FacialHair = field(default_factory=FacialHair)
    age: str = ""
    melanin: float = -0.8
    lightness: float = 0.0
    redness: float = 0.0
    grey: float = 0.0


SHEET = (
    Wearer("long", 3, "female", Hair(length=0.9, parting=0.3, wave=0.25), lightness=0.3, redness=0.6),
    Wearer("short, side parting", 5, "male", Hair(length=0.3, parting=0.6, sides=0.5), lightness=0.5),
    Wearer("chin-length", 21, "female", Hair(length=0.6, parting=-0.5), lightness=2.3),
    Wearer(
        "swept back, full beard",
        8,
        "male",
        Hair(length=0.35, swept_back=1, sides=0.5),
        FacialHair(moustache=0.9, beard=0.9, length=0.1),
        lightness=-0.8,
    ),
    Wearer("fringe", 7, "female", Hair(length=0.85, fringe=0.9), lightness=-1.5, melanin=0.0),
    Wearer("crew cut, moustache", 12, "male", Hair(length=0.15), FacialHair(moustache=0.9), lightness=-0.5),
    Wearer("curly", 11, "female", Hair(length=0.7, wave=0.75), melanin=0.9, lightness=-0.5),
    Wearer(
        "afro, goatee",
        10,
        "male",
        Hair(length=0.42, wave=1.0),
        FacialHair(moustache=0.8, goatee=0.9, length=0.05),
        melanin=2.0,
        lightness=-1.2,
    ),
    Wearer("tied", 9, "female", Hair(length=0.8, tied=0.9), lightness=0.6),
    Wearer(
        "receding, grey, long beard",
        15,
        "male",
        Hair(length=0.2, receding=0.6),
        FacialHair(moustache=1, beard=1, length=0.5),
        age="age-old",
        grey=1.4,
    ),
    Wearer("bun", 24, "female", Hair(length=0.45, tied=0.9), redness=2.2, lightness=1.0, melanin=-1.4),
    Wearer("nearly bald", 16, "male", Hair(length=0.18, receding=1.0), age="age-old", lightness=0.2),
)


def code_of(head: OpenHead, wearer: Wearer) -> FaceCode:
    """The face of one row."""
    generator = torch.Generator().manual_seed(wearer.seed)
    names, words = list(head.albedo_names), list(head.target_names)
    identity = 0.7 * head.sample_identity(1, generator)
    identity = identity + 0.8 * head.target_identity[words.index(f"sex-{wearer.sex}")]
    albedo = torch.zeros(1, len(names))
    if wearer.age:
        identity = identity + 0.8 * head.target_identity[words.index(wearer.age)]
        albedo[0, names.index("skin age")] = 1.5
    for name in ("melanin", "lightness", "redness", "grey"):
        known = name if name == "melanin" else f"hair {name}"
        albedo[0, names.index(known)] = getattr(wearer, name)
    worn = Appearance(hair=wearer.hair, facial_hair=wearer.facial)
    return replace(head.mean_code(), identity=identity, albedo=albedo, appearance=worn.row())


def main() -> None:
    """Write appearance-hair.jpg beside this file."""
    head = load()
    if not isinstance(head, OpenHead):
        raise SystemExit("the sheet needs openhead")
    pictures, labels = [], []
    for wearer in SHEET:
        for yaw in YAWS:
            pictures.append(render_still(head, code_of(head, wearer), yaw_deg=yaw, size=256))
            labels.append(wearer.label if yaw == YAWS[1] else "")
    contact_sheet(pictures, 6, labels).save(Path(__file__).with_name("appearance-hair.jpg"), quality=88)


if __name__ == "__main__":
    main()
