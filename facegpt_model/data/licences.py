"""Who may use which photo: the table a person fills before photos are trained on.

licences.csv has the columns of COLUMNS; `file` is a path inside the folder of photos, or a
pattern such as "holiday/*"; the first row that fits counts. `licence_verified` is 1 where
somebody has read the terms and they allow the use. A photo may instead have a sidecar of its own,
PHOTO.licence.csv, with the same columns and one row. What no row names is not verified.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

COLUMNS = ("file", "person_id", "source", "licence", "licence_verified", "attribution", "synthetic")
TABLE = "licences.csv"
SIDECAR = ".licence.csv"


class BadLicences(ValueError):
    """A table of licences that cannot be read."""


@dataclass(frozen=True)
class Licence:
    """The terms of one photo.

    person_id: any key that is the same for photos of one person, empty where unknown
    """

    person_id: str = ""
    source: str = ""
    licence: str = ""
    verified: bool = False
    attribution: str = ""
    synthetic: bool = False


class LicenceTable:
    """Rows of a table, asked by the photo's path inside its folder."""

    def __init__(self, folder: Path, table: Path | None = None) -> None:
        """table: by default FOLDER/licences.csv, which may be missing; raises BadLicences."""
        if table is not None and not table.is_file():
            raise BadLicences(f"there is no table of licences {table}")
        self._folder = folder
        file = table or folder / TABLE
        self._rows = _read(file) if file.is_file() else []

    def of(self, name: str) -> Licence:
        """The terms of the photo at this path, with / between folders; raises BadLicences."""
        sidecar = self._folder / f"{name}{SIDECAR}"
        if sidecar.is_file():
            rows = _read(sidecar)
            if len(rows) != 1:
                raise BadLicences(f"{sidecar} must have one row below its head, not {len(rows)}")
            return rows[0][1]
        return next((terms for pattern, terms in self._rows if fnmatchcase(name, pattern)), Licence())


def write_blank_table(file: Path, names: list[str]) -> None:
    """A table with a row per photo for a person to fill."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        for name in names:
            writer.writerow({"file": name, "licence_verified": 0, "synthetic": 0})


def _read(file: Path) -> list[tuple[str, Licence]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            missing = {"licence", "licence_verified"} - set(reader.fieldnames or ())
            if missing:
                raise BadLicences(
                    f"{file} lacks the column {sorted(missing)[0]}; it needs {', '.join(COLUMNS)}"
                )
            return [_row(file, number, row) for number, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadLicences(f"cannot read {file}: {error}") from error


def _row(file: Path, number: int, row: dict[str, str | None]) -> tuple[str, Licence]:
    cell = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in ("licence_verified", "synthetic"):
        if cell[name] not in ("", "0", "1"):
            raise BadLicences(f"{file} line {number}: {name} is 0 or 1, not {cell[name]!r}")
    verified = cell["licence_verified"] == "1"
    if verified and not cell["licence"]:
        raise BadLicences(f"{file} line {number}: licence_verified is 1, but no licence is named")
    terms = Licence(
        cell["person_id"],
        cell["source"],
        cell["licence"],
        verified,
        cell["attribution"],
        cell["synthetic"] == "1",
    )
    return cell["file"] or "*", terms
