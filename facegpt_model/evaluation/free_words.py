"""Descriptions in free words with what they say: written by hand, never trained on (free_words.toml).

The "dev" half may be looked at while choosing how to decode; the "test" half only measures.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from facegpt_model.semantics.words import SEX_VALUE, Degree, age_value

Part = Literal["dev", "test"]


@dataclass(frozen=True)
class FreeText:
    """One description. says: (axis, sign) pairs; sex: man, woman or person; years: None where not said."""

    text: str
    sex: str
    years: int | None
    says: tuple[tuple[str, int], ...]

    def values(self) -> dict[str, float]:
        """Slider values as a plain wording means them; sex and age where they were said."""
        values = {axis: sign * Degree.PLAIN.value for axis, sign in self.says}
        if self.sex != "person":
            values.setdefault("masculinity", SEX_VALUE[self.sex])
        if self.years is not None:
            values.setdefault("age", age_value(self.years))
        return values


def free_texts(part: Part) -> list[FreeText]:
    """The descriptions of one half, in their order."""
    file = resources.files("facegpt_model.evaluation").joinpath("free_words.toml")
    return [
        FreeText(
            entry["text"],
            entry["sex"],
            entry.get("years"),
            tuple((said[:-1], 1 if said[-1] == "+" else -1) for said in entry["says"]),
        )
        for entry in tomllib.loads(file.read_text("utf-8"))[part]
    ]
