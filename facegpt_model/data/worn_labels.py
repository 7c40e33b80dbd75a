"""What people in photos wear on head and face, labelled by eye: one row a photo, joined by file name.

`worn/labels.csv` is the project's own table (worn/README.md says how it was made); a table of
the user's photos has the same columns. "x", or nothing, is "cannot be seen". Age and skin are
guesses at appearance; nothing here says who somebody is.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OWN_LABELS = Path(__file__).with_name("worn") / "labels.csv"
UNSEEN = ("x", "?", "")

# Column -> its answers, in the order of the read-outs (perception/worn_read.py).
ANSWERS: dict[str, tuple[str, ...]] = {
    "hair": ("0", "1", "2", "3", "4"),  # bald or shaved, clipped, short, ear to chin, shoulders or longer
    "hair_colour": ("black", "dark", "brown", "light", "blond", "red", "grey", "white"),
    "wave": ("0", "1", "2", "3"),  # straight, wavy, curly, very tight
    "fringe": ("0", "1", "2"),  # none, some, over the forehead
    "parting": ("0", "l", "r"),  # none seen, on the person's left, right
    "receding": ("0", "1", "2"),  # full hairline, receding, badly receding or bald on top
    "tied": ("0", "1"),
    "facial_hair": ("0", "1", "2", "3", "4"),  # clean, stubble, moustache only, goatee, full beard
    "fh_length": ("0", "1", "2", "3", "4"),  # none, stubble, short, medium, long
    "moustache": ("0", "1"),
    "glasses": ("0", "1", "2", "3", "4"),  # none, thin or rimless, clear rim, thick dark rim, sunglasses
    "wrinkles": ("0", "1", "2"),  # smooth, some, many
    "sex": ("f", "m"),  # by appearance
    "skin": ("1", "2", "3", "4", "5", "6"),  # very light to very dark
    "teeth": ("0", "1"),  # mouth closed, teeth shown
    "hat": ("0", "1"),  # anything that hides the hair
}
AGE = "age"
LEAST_AGE, MOST_AGE = 1.0, 110.0


class BadLabels(ValueError):
    """A table of labels that cannot be used."""


@dataclass(frozen=True)
class WornLabels:
    """One photo's labels: column -> place in its ANSWERS, only what could be seen; age in years or None."""

    answers: Mapping[str, int]
    age: float | None


def read_labels(table: Path = OWN_LABELS) -> dict[str, WornLabels]:
    """File name -> labels. Raises BadLabels, naming the line, for what is not among the ANSWERS."""
    if not table.is_file():
        raise BadLabels(f"there is no table of labels {table}")
    with table.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in ("file", *ANSWERS, AGE) if name not in (rows.fieldnames or ())]
        if missing:
            raise BadLabels(f"{table} has no column {missing[0]!r}")
        return {Path(row["file"]).name: _labels(row, f"{table} line {rows.line_num}") for row in rows}


def _labels(row: Mapping[str, str | None], place: str) -> WornLabels:
    answers = {}
    for name, known in ANSWERS.items():
        said = (row[name] or "").strip()
        if said in known:
            answers[name] = known.index(said)
        elif said not in UNSEEN:
            raise BadLabels(f"{place}: {name} is {said!r}, not one of {_listed(known)}, x")
    return WornLabels(answers, _age((row[AGE] or "").strip(), place))


def _age(said: str, place: str) -> float | None:
    if said in UNSEEN:
        return None
    try:
        years = float(said)
    except ValueError as error:
        raise BadLabels(f"{place}: age is {said!r}, not a number of years") from error
    if not LEAST_AGE <= years <= MOST_AGE:
        raise BadLabels(f"{place}: an age of {said} years")
    return years


def _listed(known: Sequence[str]) -> str:
    return ", ".join(known)
