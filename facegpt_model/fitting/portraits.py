"""A folder of portraits with stored landmarks: metadata.csv, landmarks.npz and the pictures.

metadata.csv has one row a picture: file, person_id, source, licence, licence_verified,
attribution and the 68 points l0_x, l0_y, ... in pixels. landmarks.npz has `files`,
`landmarks478` (N, 478, 3) in pixels and `blendshapes` (N, 52) named by `blendshape_names`.
People are split by a hash of their key: one in four is kept for tests.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES

TEST_SHARE = 4  # one in so many people


class BadPortraits(ValueError):
    """A folder of portraits that cannot be read."""


@dataclass(frozen=True)
class Portrait:
    """One picture with its stored landmarks.

    points478: (478, 3) pixels; points68: (68, 2) pixels, iBUG order; blendshapes: (52,) named
    by perception's BLENDSHAPE_NAMES
    """

    file: Path
    person: str
    source: str
    licence: str
    attribution: str
    verified: bool
    points478: NDArray[np.float64]
    points68: NDArray[np.float64]
    blendshapes: NDArray[np.float64]

    @property
    def is_test(self) -> bool:
        """Whether this person is kept for tests."""
        return hashlib.sha256(self.person.encode()).digest()[0] % TEST_SHARE == 0


def read_portraits(folder: Path) -> list[Portrait]:
    """All portraits of a folder; raises BadPortraits when a file or column is missing."""
    table, stored = folder / "metadata.csv", folder / "landmarks.npz"
    for path in (table, stored):
        if not path.is_file():
            raise BadPortraits(
                f"{path} is missing; a folder of portraits holds metadata.csv and landmarks.npz"
            )
    with np.load(stored, allow_pickle=False) as landmarks, table.open(newline="") as lines:
        row_of = {str(name): i for i, name in enumerate(landmarks["files"])}
        points, weights = landmarks["landmarks478"].astype(np.float64), landmarks["blendshapes"]
        columns = {str(name): i for i, name in enumerate(landmarks["blendshape_names"])}
        shapes = np.stack(
            [weights[:, columns[n]] if n in columns else np.zeros(len(weights)) for n in BLENDSHAPE_NAMES],
            axis=1,
        ).astype(np.float64)
        try:
            return [
                _portrait(
                    folder,
                    row,
                    points[row_of[Path(row["file"]).name]],
                    shapes[row_of[Path(row["file"]).name]],
                )
                for row in csv.DictReader(lines)
            ]
        except (KeyError, ValueError) as error:
            raise BadPortraits(f"{table} does not fit landmarks.npz: {error}") from error


def _portrait(
    folder: Path, row: dict[str, str], points: NDArray[np.float64], blendshapes: NDArray[np.float64]
) -> Portrait:
    points68 = np.array([[float(row[f"l{k}_x"]), float(row[f"l{k}_y"])] for k in range(68)])
    return Portrait(
        file=folder / row["file"],
        person=row["person_id"],
        source=row["source"],
        licence=row["licence"],
        attribution=row["attribution"],
        verified=row["licence_verified"] == "1",
        points478=points,
        points68=points68,
        blendshapes=blendshapes,
    )
