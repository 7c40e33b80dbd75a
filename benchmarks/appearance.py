"""Draws the contact sheets of docs/appearance.md: `python benchmarks/appearance.py --out docs/pictures`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from facegpt_model.appearance.parameters import Appearance, Brows, Glasses, Mole, Scar
from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.still import contact_sheet, render_still

CELL = 300
SEED = 3


def people(model: OpenHead, count: int) -> list[FaceCode]:
    """Random people with colourings that go together; always the same."""
    generator = torch.Generator().manual_seed(SEED)
    identity, albedo = model.sample_identity(count, generator), model.sample_albedo(count, generator)
    return [
        replace(model.mean_code(), identity=identity[k : k + 1], albedo=albedo[k : k + 1])
        for k in range(count)
    ]


def wearing(code: FaceCode, appearance: Appearance) -> FaceCode:
    """The same face with other appearance numbers."""
    return replace(code, appearance=appearance.row())


def glasses_sheet(model: OpenHead) -> Image.Image:
    """Ten pairs on ten people, from the front and half turned."""
    styles = {
        "thick, square": Glasses(worn=1, shape=0.5, rim=0.9),
        "plastic": Glasses(worn=1, rim=0.6),
        "round wire": Glasses(worn=1, shape=-1, rim=0.2),
        "rimless": Glasses(worn=1, shape=0.5),
        "sunglasses": Glasses(worn=1, shape=0.3, size=0.5, rim=0.7, dark=1),
        "large, round": Glasses(worn=1, shape=-0.7, size=0.8, rim=0.5),
        "small, square": Glasses(worn=1, shape=1, size=-0.8, rim=0.3),
        "round, thick": Glasses(worn=1, shape=-1, size=-0.3, rim=0.7),
        "wire sunglasses": Glasses(worn=1, shape=-0.4, size=0.6, rim=0.2, dark=0.9),
        "tinted": Glasses(worn=1, shape=0.6, size=0.2, rim=0.3, dark=0.4),
    }
    turns = (0.0, 30.0, 0.0, -30.0, -55.0)
    pictures = [
        render_still(model, wearing(code, Appearance(glasses=style)), yaw_deg=turns[k % 5], size=CELL)
        for k, (code, style) in enumerate(zip(people(model, len(styles)), styles.values(), strict=True))
    ]
    return contact_sheet(pictures, 5, list(styles))


def coloured(model: OpenHead, code: FaceCode, **albedo: float) -> FaceCode:
    """The same face with some albedo components set, standard deviations; "_" stands for a space."""
    changed = code.albedo.clone()
    for name, value in albedo.items():
        changed[:, model.albedo_names.index(name.replace("_", " "))] = value
    return replace(code, albedo=changed)


def marks_sheet(model: OpenHead) -> Image.Image:
    """Moles, scars and freckles from light to dark skin."""
    marks = {
        "mole on the left cheek": (Appearance(mole=Mole(0.4, 0.75, -0.2)), -1.0, 0.0),
        "two small moles": (
            Appearance(mole=Mole(0.15, 0.3, -0.4), second_mole=Mole(0.2, -0.5, 0.5)),
            1.0,
            0.0,
        ),
        "large mole by the mouth": (Appearance(mole=Mole(1, -0.65, -0.5)), 0.0, 0.0),
        "freckles": (Appearance(), -2.0, 2.3),
        "scar through the right brow": (Appearance(scar=Scar(1, -0.7, 0.48, 0.4, -0.1)), 0.5, 0.0),
        "scar on the left cheek": (Appearance(scar=Scar(0.9, 0.75, -0.15, 0.6, -0.5)), -0.5, 0.0),
        "scar on the forehead": (Appearance(scar=Scar(0.7, 0.2, 0.8, 0.4, 0.9)), 2.0, 0.0),
        "scar on the chin": (Appearance(scar=Scar(1, 0.15, -0.8, 0.2, 0.6)), -1.5, 0.0),
    }
    pictures = [
        render_still(
            model, coloured(model, wearing(code, look), melanin=tone, freckles=freckled), size=2 * CELL
        ).crop((CELL // 2, CELL // 2, 3 * CELL // 2, 3 * CELL // 2))
        for code, (look, tone, freckled) in zip(people(model, len(marks)), marks.values(), strict=True)
    ]
    return contact_sheet(pictures, 4, list(marks))


def brows_sheet(model: OpenHead) -> Image.Image:
    """Brows on light and dark skin, men and women."""
    looks = {
        "usual": (0.0, 0.0, Brows()),
        "plucked": (-2.5, -1.0, Brows()),
        "bushy": (2.5, 2.0, Brows()),
        "faint": (0.0, -2.5, Brows()),
        "high arch": (0.3, 0.5, Brows(arch=1)),
        "flat": (0.3, 0.5, Brows(arch=-1)),
        "monobrow": (1.0, 1.0, Brows(meeting=1)),
        "nearly meeting": (1.0, 0.5, Brows(meeting=0.4)),
    }
    pictures = []
    for tone, sex in ((-1.0, "sex-male"), (1.8, "sex-female")):
        shape = model.target_identity[model.target_names.index(sex)][None]
        for thickness, density, form in looks.values():
            code = replace(wearing(model.mean_code(), Appearance(brows=form)), identity=shape)
            code = coloured(model, code, melanin=tone, brow_thickness=thickness, brow_darkness=density)
            pictures.append(render_still(model, code, size=2 * CELL).crop((160, 150, 440, 310)))
    return contact_sheet(pictures, 4, [*looks, *looks])


def ages_sheet(model: OpenHead) -> Image.Image:
    """Three people from about 25 to 85."""
    ages = {"about 25": -0.35, "about 45": 0.25, "about 65": 0.65, "about 85": 1.0}
    old, young = (model.target_identity[model.target_names.index(name)] for name in ("age-old", "age-young"))
    pictures = []
    for tone, code in zip((-1.2, 0.4, 2.0), people(model, 3), strict=True):
        for amount in ages.values():
            shape = 0.6 * code.identity + max(amount, 0) * old + max(-amount, 0) * young
            grey = 2.0 * amount - 0.4
            aged = coloured(model, code, melanin=tone, skin_age=2.3 * amount, hair_grey=grey, iris_blue=0.0)
            still = render_still(model, replace(aged, identity=shape), yaw_deg=15, size=2 * CELL)
            pictures.append(still.crop((90, 60, 510, 480)))
    return contact_sheet(pictures, 4, [*ages] * 3)


def eyes_sheet(model: OpenHead) -> Image.Image:
    """Eye colours at the components that give them."""
    colours = {
        "near-black": (-2.0, 0.0, 1.5),
        "brown": (0.0, 0.0, 0.0),
        "hazel": (0.7, 0.6, -0.5),
        "green": (0.0, 2.5, -1.0),
        "grey": (1.7, -1.5, -1.0),
        "blue": (2.5, 0.0, -1.5),
    }
    pictures = []
    for (blue, green, tone), code in zip(colours.values(), people(model, 6), strict=True):
        coloured_eyes = coloured(model, code, iris_blue=blue, iris_green=green, melanin=tone)
        pictures.append(render_still(model, coloured_eyes, size=1000).crop((290, 320, 710, 500)))
    return contact_sheet(pictures, 3, list(colours))


SHEETS = {
    "glasses": glasses_sheet,
    "marks": marks_sheet,
    "brows": brows_sheet,
    "ages": ages_sheet,
    "eyes": eyes_sheet,
}


def main() -> None:
    """Draw the sheets that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheets", nargs="*", metavar="SHEET", help=f"of {', '.join(SHEETS)}; all by default")
    parser.add_argument("--out", type=Path, default=Path("out/sheets"), help="folder for SHEET.jpg")
    arguments = parser.parse_args()
    unknown = set(arguments.sheets) - set(SHEETS)
    if unknown:
        parser.error(f"no sheet called {', '.join(sorted(unknown))}; known: {', '.join(SHEETS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = OpenHead()
    for name in arguments.sheets or SHEETS:
        path = arguments.out / f"appearance-{name}.jpg"
        SHEETS[name](model).save(path, quality=88)
        print(path)


if __name__ == "__main__":
    main()
