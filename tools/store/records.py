"""What the store keeps beside a face's numbers: where it came from and what can be filtered by.

There is no field for a name, and none is taken from a file's name. Words of witnesses are
not kept either, only their digest. Sex, age and expression are estimates from the shape.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegpt_model.face import FaceCode, FaceEstimate
from tools.errors import ToolError
from tools.store.vectors import Array

LABEL = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,39}$")
MOST_TAGS = 16
SOURCES = ("photo", "text", "edit", "synthetic", "other")
SEXES = ("woman", "man", "unsure")

Metadata = dict[str, Any]


@dataclass(frozen=True)
class FaceFacts:
    """What is known of one stored face.

    source:      one of SOURCES
    origin:      "photo:<sha256>", "text:<sha256>", "seed:<n>" or "": to find it again on import
    model:       what made the numbers
    looks, years: estimates from shape and colour: one of SEXES, and years
    expression:  "neutral" or the strongest expression's name
    case:        label of the case it belongs to, or ""
    tags:        short labels
    added:       ISO time, UTC
    """

    source: str
    origin: str
    model: str
    looks: str
    years: float
    expression: str
    speculative: bool
    case: str = ""
    tags: tuple[str, ...] = ()
    added: str = ""

    def metadata(self) -> Metadata:
        """As Chroma keeps it: flat, no empty lists."""
        fields: Metadata = {
            "source": self.source,
            "origin": self.origin,
            "model": self.model,
            "looks": self.looks,
            "years": round(self.years, 1),
            "expression": self.expression,
            "speculative": self.speculative,
            "case": self.case,
            "added": self.added,
        }
        return fields | ({"tags": list(self.tags)} if self.tags else {})

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> FaceFacts:
        """From what `metadata` gave; missing fields are empty."""
        return cls(
            source=str(fields.get("source", "other")),
            origin=str(fields.get("origin", "")),
            model=str(fields.get("model", "")),
            looks=str(fields.get("looks", "unsure")),
            years=float(fields.get("years", 0.0)),
            expression=str(fields.get("expression", "neutral")),
            speculative=bool(fields.get("speculative", True)),
            case=str(fields.get("case", "")),
            tags=tuple(str(tag) for tag in fields.get("tags") or ()),
            added=str(fields.get("added", "")),
        )

    def words(self) -> str:
        """Such as "looks like a man of about 55, smile; synthetic; case k-12; tags demo"."""
        who = self.looks if self.looks != "unsure" else "person"
        shown = "" if self.expression == "neutral" else f", {self.expression}"
        case = f"; case {self.case}" if self.case else ""
        tags = f"; tags {', '.join(self.tags)}" if self.tags else ""
        years = f" of about {5 * round(self.years / 5)}" if self.years else ""
        return f"looks like a {who}{years}{shown}; {self.source}{case}{tags}"


@dataclass(frozen=True)
class NewFace:
    """A face to be stored: one face's numbers, and what is known of it."""

    code: FaceCode
    facts: FaceFacts


@dataclass(frozen=True)
class StoredFace:
    """A face of the store."""

    id: str
    code: FaceCode
    facts: FaceFacts

    def estimate(self) -> FaceEstimate:
        """As a face that tools can work with."""
        return FaceEstimate(self.code, None, f"store:{self.id}", self.facts.model)


def checked_label(label: str, what: str) -> str:
    """A case or tag; ToolError unless it is a short plain label, which is no place for a name."""
    if not LABEL.match(label):
        raise ToolError(
            f"{what} {label!r} is no label: use 1 to 40 small letters, digits, '-', '_' or '.', "
            "and nobody's name, as the store holds none"
        )
    return label


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags in order without repeats; ToolError for a bad or too many."""
    unique = tuple(dict.fromkeys(checked_label(tag, "the tag") for tag in tags))
    if len(unique) > MOST_TAGS:
        raise ToolError(f"a face has at most {MOST_TAGS} tags, not {len(unique)}")
    return unique


def source_of(estimate: FaceEstimate) -> tuple[str, str]:
    """The source's kind and its origin, without words or file names."""
    kind, _, rest = estimate.source.partition(":")
    if kind == "photo":
        return "photo", f"photo:{rest}"
    if kind == "text":
        return "text", f"text:{hashlib.sha256(rest.encode()).hexdigest()}"
    if kind == "seed":
        return "synthetic", f"seed:{rest}"
    return ("edit", "") if kind == "edit" else ("other", "")


def face_id(vector: Array, case: str) -> str:
    """Id of one (D,) vector in a case: the same numbers in the same case are the same face."""
    digest = hashlib.sha256(vector.tobytes() + case.encode()).hexdigest()
    return f"f{digest[:16]}"
