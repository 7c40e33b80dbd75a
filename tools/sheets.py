"""Contact sheets of the head model: people, axes at both ends, expressions, skin tones by age.

A sheet is a list of labelled faces, drawn one by one; nothing here needs the language model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from facegpt_model.appearance.sampling import sample_appearance
from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.rendering.still import contact_sheet, render_still
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.words import AGE_SPAN, MIDDLE_AGE, age_value
from tools.errors import ToolError
from tools.face_files import Face, write_face
from tools.outcome import Outcome
from tools.studio import Studio, open_studio
from tools.unsaid import FORM_SAID
from tools.writing import ensure_folder, write_through

TILE = 256  # pixels of one picture of a sheet
SMALL_TILE = 192  # of a sheet with hundreds
FAR_END = 0.8  # slider value at which an end is shown: "very"
HAIR_FORMS = FORM_SAID | {"shaved sides"}  # seen only where there is hair
HAIR_TO_FORM = 0.4
TONES = ("very pale", "pale", "medium", "brown", "very dark")
TONE_SLIDER = (-0.9, -0.45, 0.0, 0.45, 0.9)
AGES = (25, 45, 65, 85)
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Tile:
    """One face of a sheet: its label, code and the side it is seen from (degrees)."""

    label: str
    code: FaceCode
    yaw: float = 0.0


def people(head: OpenHead, count: int, seed: int) -> list[Tile]:
    """Random adults with hair, beards and glasses that go with their sex and age."""
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_people(head, count, generator)
    worn = sample_appearance(count, 2 * drawn.sex - 1, (drawn.years - MIDDLE_AGE) / AGE_SPAN, generator)
    code = replace(drawn.code, appearance=worn)
    tiles = []
    for index in range(count):
        who = "man" if drawn.sex[index] > 0.5 else "woman"
        yaw = (-25.0, 0.0, 25.0)[index % 3]
        tiles.append(Tile(f"{who} of {round(float(drawn.years[index]))}", code[index], yaw))
    return tiles


def mean_face(axes: Axes) -> list[Tile]:
    """The mean face from four sides."""
    return [Tile(f"mean, {yaw:+.0f} degrees", axes.code({}), yaw) for yaw in (-80.0, -35.0, 0.0, 35.0)]


def both_ends(axes: Axes) -> list[Tile]:
    """Every axis that is no expression at its ends, beside each other."""
    tiles = []
    for axis in axes.axes:
        if axis.kind != "expression":
            start = {"hair length": HAIR_TO_FORM} if axis.name in HAIR_FORMS else {}
            for value in filter(None, (axis.minimum, axis.maximum)):
                words = axis.words(FAR_END * value) or axis.name
                tiles.append(Tile(words, axes.code({**start, axis.name: FAR_END * value}), 20.0))
    return tiles


def expressions(head: OpenHead) -> list[Tile]:
    """Every expression of the head model at full weight; mouthClose, which closes an open jaw, with that."""
    tiles = []
    for index, name in enumerate(head.expression_names):
        code = head.mean_code()
        weights = code.expression.clone()
        weights[0, index] = 1.0
        if name == "mouthClose":
            weights[0, head.expression_names.index("jawOpen")] = 1.0
        tiles.append(Tile(name, replace(code, expression=weights), 15.0))
    return tiles


def tones_by_age(axes: Axes) -> list[Tile]:
    """Five skin tones in rows by four ages."""
    return [
        Tile(f"{tone}, {age}", axes.code({"skin tone": value, "age": age_value(age)}), 20.0)
        for tone, value in zip(TONES, TONE_SLIDER, strict=True)
        for age in AGES
    ]


SHEETS: dict[str, tuple[int, Callable[[Studio], list[Tile]]]] = {
    "mean": (4, lambda studio: mean_face(studio.axes)),
    "people": (8, lambda studio: people(open_head(studio), 40, 1)),
    "axes": (10, lambda studio: both_ends(studio.axes)),
    "expressions": (9, lambda studio: expressions(open_head(studio))),
    "tones": (4, lambda studio: tones_by_age(studio.axes)),
}


def open_head(studio: Studio) -> OpenHead:
    """The studio's head, which must be an openhead; ToolError otherwise."""
    if not isinstance(studio.head, OpenHead):
        raise ToolError(f"sheets are made of openhead's faces, not of {studio.head.basis}")
    return studio.head


def draw(tiles: Sequence[Tile], columns: int, report: Report, size: int = 0) -> Image.Image:
    """The sheet of these faces, `size` pixels each (0: TILE); `report` is told after each."""
    head = open_studio().head
    pictures = []
    for number, tile in enumerate(tiles, start=1):
        pictures.append(render_still(head, tile.code, yaw_deg=tile.yaw, size=size or TILE))
        report(f"drew {tile.label}", number / len(tiles))
    return contact_sheet(pictures, columns, [tile.label for tile in tiles])


def sheet(name: str, folder: Path, report: Report) -> Outcome:
    """Draw one sheet by name, or "all", into folder/NAME.jpg; ToolError naming the known ones."""
    if name != "all" and name not in SHEETS:
        raise ToolError(f"there is no sheet called {name!r}; known: all, {', '.join(SHEETS)}")
    studio = open_studio()
    folder = ensure_folder(folder)
    files = []
    for wanted in SHEETS if name == "all" else (name,):
        columns, make = SHEETS[wanted]
        picture = draw(make(studio), columns, report, SMALL_TILE if wanted == "axes" else TILE)
        write_through(folder / f"{wanted}.jpg", partial(picture.save, quality=88))
        files.append(f"{wanted}.jpg")
    return Outcome(f"wrote {', '.join(files)}", files=tuple(files))


def sample(count: int, seed: int, folder: Path, report: Report) -> Outcome:
    """Random people as face-N files and one sheet of them; ToolError for a number out of 1 to 1000."""
    if not 1 <= count <= 1000:
        raise ToolError(f"a sample holds 1 to 1000 people, not {count}")
    studio = open_studio()
    folder = ensure_folder(folder)
    tiles = people(open_head(studio), count, seed)
    for number, tile in enumerate(tiles, start=1):
        estimate = FaceEstimate(tile.code, None, f"seed:{seed}", "openhead-people@1", seed)
        write_face(
            folder, Face(f"face-{number}", estimate, None, {"tool": "sample", "seed": seed}, True), studio
        )
        report(f"made {tile.label}", number / (2 * count))
    picture = draw(tiles, min(6, count), lambda doing, share: report(doing, 0.5 + share / 2))
    write_through(folder / "sheet.png", picture.save)
    return Outcome(f"{count} people, face-1 to face-{count}", files=("sheet.png",))
