"""Head models by name: which there are, whether their files are here, how to obtain them.

A model the user supplies lies in FACEGPT_HOME/models/NAME/. Nothing is downloaded: most of
these models may only be had from their makers, under terms a person must accept.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel

from facegpt_model.assets import home

LIST = Path(__file__).with_name("catalogue.toml")
SHIPPED = "openhead@2"
SHIPPED_LICENCE = "CC0-1.0 (MakeHuman data); ships with FaceGPT"
EXTRA_LICENCE = {  # optional files with terms of their own
    "FLAME_texture.npz": "CC BY-NC-SA 4.0, Max Planck Institute for Intelligent Systems: non-commercial",
    "FLAME_albedo_from_BFM.npz": "made from the Basel Face Model: its non-commercial licence holds",
    "albedoModel2020_FLAME_albedoPart.npz": "AlbedoMM, University of York: academic research only",
    "albedoModel2020_bfm_albedoPart.h5": "AlbedoMM, University of York: academic research only",
    "albedoModel2020_face12_albedoPart.h5": "AlbedoMM, University of York: academic research only",
}


class UnknownModel(ValueError):
    """A head model name that does not exist."""


class MissingModel(ValueError):
    """A head model's files are not where they should be; says which, where, and how to get them."""


class BadModel(ValueError):
    """A head model's file is there but cannot be used."""


class FileRow(BaseModel, frozen=True, extra="forbid"):
    """One file of a model, under any of several names."""

    what: str
    names: tuple[str, ...]
    needed: bool = False


class ModelEntry(BaseModel, frozen=True, extra="forbid"):
    """One entry of catalogue.toml."""

    basis: str
    adapter: str
    about: str
    licence: str
    obtain: str
    files: tuple[FileRow, ...]


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model that were found.

    found: what a file is (the `what` of catalogue.toml) -> its path
    """

    name: str
    entry: ModelEntry
    folder: Path
    found: dict[str, Path]

    @property
    def missing(self) -> tuple[FileRow, ...]:
        """Needed files that are not there; empty for an installed model."""
        return tuple(row for row in self.entry.files if row.needed and row.what not in self.found)

    def require(self) -> ModelFiles:
        """Itself; MissingModel naming the first file that is missing."""
        if self.missing:
            names = " or ".join(self.missing[0].names)
            raise MissingModel(
                f"{self.entry.basis} is not installed: {names} is not in {self.folder}; "
                f"{self.entry.obtain} (licence: {self.entry.licence})"
            )
        return self

    def licences(self) -> tuple[str, ...]:
        """A sentence on the model's terms, and one for every file with terms of its own."""
        extra = [(path.name, EXTRA_LICENCE.get(path.name)) for path in self.found.values()]
        text = next(
            (p for p in (self.folder / "LICENSE", self.folder.parent / "LICENSE") if p.is_file()), None
        )
        where = f"; full text: {text}" if text else ""
        first = f"{self.entry.basis} is supplied by you under: {self.entry.licence}{where}"
        return (first, *(f"{name}: {terms}" for name, terms in extra if terms))


@lru_cache(maxsize=1)
def entries() -> dict[str, ModelEntry]:
    """All entries of catalogue.toml by name."""
    rows = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return {name: ModelEntry(**row) for name, row in rows.items()}


def known_name(name: str) -> str:
    """The catalogue's name, or "openhead@2", of a name or basis; UnknownModel names close ones.

    "ict", "ict-face@1" and "ICT" are one model; "openhead" is the shipped one.
    """
    wanted = name.strip().lower()
    if wanted in (SHIPPED, SHIPPED.partition("@")[0]):
        return SHIPPED
    for key, entry in entries().items():
        if wanted in (key, entry.basis):
            return key
    names = ["openhead", *entries()]
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ";"
    raise UnknownModel(f"no head model called {name!r}{hint} known: {', '.join(names)}")


def known_bases() -> frozenset[str]:
    """Every basis a code may have."""
    return frozenset([SHIPPED, *(entry.basis for entry in entries().values())])


def files_of(name: str, folder: Path | None = None) -> ModelFiles:
    """What of a supplied model is in `folder`, by default FACEGPT_HOME/models/NAME."""
    key = known_name(name)
    entry = entries()[key]
    place = folder if folder is not None else home() / "models" / key
    found = {}
    for row in entry.files:
        path = next((place / name for name in row.names if (place / name).is_file()), None)
        if path is not None:
            found[row.what] = path
    return ModelFiles(key, entry, place, found)
