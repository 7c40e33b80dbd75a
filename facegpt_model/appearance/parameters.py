"""The numbers of the appearance layer: hair, brows, facial hair, marks and glasses.

One row of numbers beside identity and albedo, the same for every head model; 0 is the head
as its albedo paints it (cropped hair, no glasses, no marks). Colours of hair and brows, grey,
baldness, freckles and folds are albedo components of the head model, not repeated here.
Places on the face are in shares of its own size, so that they fit any identity.

In a row, a mole's place, a scar's place and form and the form of glasses are multiplied by
how much of the thing there is (homogeneous coordinates). So a slider that grows a mole
does not move it, adding rows mixes faces, and a row of zeros holds nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


class AppearanceError(ValueError):
    """A name or a number that the appearance layer does not have."""


@dataclass(frozen=True)
class Hair:
    """Hair of the scalp; everything but `parting` lies in [0, 1], 0 is none of it.

    length: 0 cropped, 0.15 a crew cut, 0.3 short, 0.6 to the chin, 1 below the shoulders
    sides: how much shorter the sides are; 1 shaves them
    wave: 0 straight, 0.4 wavy, 0.7 curly, 1 an afro
    volume: [-1, 1], flat to the head or full
    fringe: hair falling over the forehead, 1 down to the brows
    parting: [-1, 1], where the hair parts, positive on the person's left; 0 in the middle
    swept_back: combed back from the forehead
    tied: gathered at the back of the head
    receding: how far the hairline has gone back at the temples
    """

    length: float = 0.0
    sides: float = 0.0
    wave: float = 0.0
    volume: float = 0.0
    fringe: float = 0.0
    parting: float = 0.0
    swept_back: float = 0.0
    tied: float = 0.0
    receding: float = 0.0


@dataclass(frozen=True)
class Brows:
    """Shape of the brows' hair: arch in [-1, 1] (flat to high arch), meeting in [0, 1] (a monobrow)."""

    arch: float = 0.0
    meeting: float = 0.0


@dataclass(frozen=True)
class FacialHair:
    """Hair of the lower face, each in [0, 1]; length 0 is a few millimetres, 1 about 12 cm."""

    moustache: float = 0.0
    goatee: float = 0.0
    beard: float = 0.0
    length: float = 0.0


@dataclass(frozen=True)
class Mole:
    """A mole: size in [0, 1] (0 none, 1 about 7 mm wide); across, up in [-1, 1].

    across: -1 and 1 are the outer corners of the person's right and left eye; up: -1 the
    chin's tip, 0 the tip of the nose, 1 the hairline.
    """

    size: float = 0.0
    across: float = 0.0
    up: float = 0.0


@dataclass(frozen=True)
class Scar:
    """A scar: strength and length in [0, 1] (0 none; 1 about 60 mm), place as of a mole.

    tilt: [-1, 1], quarter turns: 0 upright, positive leans to the person's left.
    """

    strength: float = 0.0
    across: float = 0.0
    up: float = 0.0
    length: float = 0.0
    tilt: float = 0.0


@dataclass(frozen=True)
class Glasses:
    """Glasses: worn in [0, 1], on from 0.3; shape [-1, 1] round to square; size [-1, 1].

    rim: [0, 1] rimless to thick; dark: [0, 1] clear lenses to sunglasses
    """

    worn: float = 0.0
    shape: float = 0.0
    size: float = 0.0
    rim: float = 0.0
    dark: float = 0.0


@dataclass(frozen=True)
class Appearance:
    """Everything that is on one head."""

    hair: Hair = Hair()
    brows: Brows = Brows()
    facial_hair: FacialHair = FacialHair()
    mole: Mole = Mole()
    second_mole: Mole = Mole()
    scar: Scar = Scar()
    glasses: Glasses = Glasses()

    @staticmethod
    def of(row: Tensor | Sequence[float]) -> Appearance:
        """From one row of numbers (P,) or (0,), brought into range; AppearanceError for another size."""
        numbers = [float(number) for number in row] or [0.0] * COUNT
        if len(numbers) != COUNT:
            raise AppearanceError(f"an appearance has {COUNT} numbers, not {len(numbers)}")
        found = dict(zip(NAMES, numbers, strict=True))
        for name, amount in _AMOUNT.items():
            found[name] = found[name] / found[amount] if found[amount] > LEAST_AMOUNT else 0.0
        return Appearance.from_named(found)

    @staticmethod
    def from_named(named: Mapping[str, float]) -> Appearance:
        """From name to number, 0 where nothing is said; AppearanceError for an unknown name."""
        unknown = [name for name in named if name not in NAMES]
        if unknown:
            raise AppearanceError(f"no appearance parameter called {unknown[0]!r}; known: {', '.join(NAMES)}")
        found: dict[str, dict[str, float]] = {part: {} for part, _ in _PARTS}
        for (part, field), name in zip(_FIELDS, NAMES, strict=True):
            low, high = _range(part, field)
            found[part][field] = min(max(float(named.get(name, 0.0)), low), high)
        return Appearance(**{part: kind(**found[part]) for part, kind in _PARTS})

    def numbers(self) -> dict[str, float]:
        """Name to number of everything."""
        return {
            name: float(getattr(getattr(self, part), field))
            for (part, field), name in zip(_FIELDS, NAMES, strict=True)
        }

    def named(self) -> dict[str, float]:
        """Name to number of everything that is not 0."""
        return {name: round(number, 6) for name, number in self.numbers().items() if number}

    def row(self) -> Tensor:
        """(1, P) the numbers in the order of NAMES, forms multiplied by their amounts."""
        found = self.numbers()
        weighted = {name: number * found.get(_AMOUNT.get(name, ""), 1.0) for name, number in found.items()}
        return torch.tensor([list(weighted.values())])


_PARTS: tuple[tuple[str, type], ...] = (
    ("hair", Hair),
    ("brows", Brows),
    ("facial_hair", FacialHair),
    ("mole", Mole),
    ("second_mole", Mole),
    ("scar", Scar),
    ("glasses", Glasses),
)
_FIELDS = tuple((part, entry.name) for part, kind in _PARTS for entry in fields(kind))
_BOTH_SIDES = frozenset(("volume", "parting", "arch", "across", "up", "tilt", "shape"))  # others begin at 0

NAMES: tuple[str, ...] = tuple(f"{part} {field}".replace("_", " ") for part, field in _FIELDS)
COUNT = len(NAMES)
LEAST_AMOUNT = 1e-3  # less of a thing than this has no form
_AMOUNT = {
    name: f"{thing} {amount}"
    for thing, amount in (
        ("mole", "size"),
        ("second mole", "size"),
        ("scar", "strength"),
        ("glasses", "worn"),
    )
    for name in NAMES
    if name.startswith(f"{thing} ") and name != f"{thing} {amount}"
}


def _range(part: str, field: str) -> tuple[float, float]:
    signed = field in _BOTH_SIDES or (field == "size" and part == "glasses")
    return (-1.0 if signed else 0.0), 1.0


def ranges() -> tuple[Tensor, Tensor]:
    """(P,) smallest and largest number of each name."""
    pairs = [_range(part, field) for part, field in _FIELDS]
    return torch.tensor([low for low, _ in pairs]), torch.tensor([high for _, high in pairs])
