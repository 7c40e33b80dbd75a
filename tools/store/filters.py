"""Filters over stored faces: which rows of the store may answer, as one mask.

Columns grow with the store and are kept as numbers, so that a mask over 100,000 faces takes
well under a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from tools.errors import ToolError

Mask = NDArray[np.bool_]
WORDS = ("source", "looks", "expression", "case")  # fields that hold one of a few words
NOBODY = -1


class FaceFilter(BaseModel, extra="forbid", frozen=True):
    """Which stored faces may answer; everything empty means all of them."""

    tags: tuple[str, ...] = Field(default=(), description="labels that all must be there")
    source: Literal["", "photo", "text", "edit", "synthetic", "other"] = Field(
        default="", description="where the face came from, empty for any"
    )
    looks: Literal["", "woman", "man", "unsure"] = Field(
        default="", description="estimated from the shape, empty for any"
    )
    min_age: int = Field(default=0, ge=0, le=120, description="youngest estimated age in years")
    max_age: int = Field(default=120, ge=0, le=120, description="oldest estimated age in years")
    expression: str = Field(default="", description="neutral, smile or another expression; empty for any")
    case: str = Field(default="", description="label of a case, empty for any")

    def words(self) -> str:
        """What is asked for, as "looks man, age 30 to 50, tag scar"; "" for everything."""
        said = [f"{name} {value}" for name in WORDS if (value := getattr(self, name))]
        if (self.min_age, self.max_age) != (0, 120):
            said.append(f"age {self.min_age} to {self.max_age}")
        said += [f"tag {tag}" for tag in self.tags]
        return ", ".join(said)


class Columns:
    """The filterable fields of the store's rows, in row order."""

    def __init__(self) -> None:
        self.count = 0
        self._words: dict[str, list[int]] = {name: [] for name in WORDS}
        self._codes: dict[str, dict[str, int]] = {name: {} for name in WORDS}
        self._years: list[float] = []
        self._tags: dict[str, list[int]] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append the metadata of more rows."""
        for row in rows:
            for name in WORDS:
                codes = self._codes[name]
                self._words[name].append(codes.setdefault(str(row.get(name, "")), len(codes)))
            self._years.append(float(row.get("years", 0.0)))
            for tag in row.get("tags") or ():
                self._tags.setdefault(str(tag), []).append(self.count)
            self.count += 1
        self._arrays.clear()

    def known(self, name: str) -> tuple[str, ...]:
        """The words that occur in a field, or the tags for "tags", in alphabetical order."""
        table: Iterable[str] = self._tags if name == "tags" else self._codes[name]
        return tuple(sorted(word for word in table if word))

    def counts(self, name: str) -> dict[str, int]:
        """How many rows hold each word of a field or each tag, most frequent first."""
        if name == "tags":
            found = {tag: len(rows) for tag, rows in self._tags.items()}
        else:
            totals = np.bincount(self._column(name), minlength=len(self._codes[name]))
            found = {word: int(totals[code]) for word, code in self._codes[name].items() if word}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def mask(self, wanted: FaceFilter) -> Mask | None:
        """(count,) rows that fit, None for all; ToolError for an impossible age."""
        if wanted.min_age > wanted.max_age:
            raise ToolError(f"no age is from {wanted.min_age} to {wanted.max_age}; the first must be smaller")
        if not wanted.words():
            return None
        mask = np.ones(self.count, np.bool_)
        for name in WORDS:
            if word := getattr(wanted, name):
                mask &= self._column(name) == self._codes[name].get(word, NOBODY)
        if (wanted.min_age, wanted.max_age) != (0, 120):
            years = self._array("years", self._years, np.float32)
            mask &= (years >= wanted.min_age) & (years <= wanted.max_age)
        for tag in wanted.tags:
            tagged = np.zeros(self.count, np.bool_)
            tagged[self._tags.get(tag, [])] = True
            mask &= tagged
        return mask

    def _column(self, name: str) -> NDArray[Any]:
        return self._array(name, self._words[name], np.int32)

    def _array(self, name: str, values: list[Any], kind: type) -> NDArray[Any]:
        if name not in self._arrays:
            self._arrays[name] = np.array(values, kind)
        return self._arrays[name]
