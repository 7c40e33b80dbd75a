"""Does the face follow the words? Attributes and opposite pairs; chance beside each.

"right": a stated attribute moved at least 0.1 slider units to the stated side; "wrong": to
the other side; "stray": axes that moved more than 0.25 although nothing was said of them,
per text. "chance" scores each text against the face of another text: a model that always
blurs everything gets a high score there too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facegpt_model.data.descriptions import sample_statement, slider_values
from facegpt_model.data.examples import without_ends
from facegpt_model.data.statements import statements, told
from facegpt_model.data.wordings import Wording
from facegpt_model.evaluation.free_words import Part, free_texts
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.semantics.axes import Axes, axis_list, phrase_table
from facegpt_model.semantics.measurements import measure
from facegpt_model.semantics.words import parse
from facegpt_model.serving.backend import Backend
from facegpt_model.vlm.tokens import FACE

MOVED = 0.1
STRAY = 0.25
PERSON_AXES = ("masculinity", "age")  # moved by "a man of 50" as well, so never stray

# (low words, high words, what must grow); in plain words, then as people talk
PLAIN_PAIRS: tuple[tuple[str, str, str], ...] = (
    ("a man with thin lips", "a man with full lips", "lip_thickness"),
    ("a woman", "a man", "jaw_width"),
    ("a young man", "an old man", "age"),
    ("a woman with a narrow nose", "a woman with a broad nose", "nose_width"),
    ("a man with a short nose", "a man with a long nose", "nose_length"),
    ("a woman with a small mouth", "a woman with a wide mouth", "mouth_width"),
    ("a man with close-set eyes", "a man with wide-set eyes", "eye_distance_inner"),
    ("a man with a narrow jaw", "a man with a strong jaw", "jaw_width"),
    ("a woman with a short chin", "a woman with a long chin", "chin_height"),
    ("a man with pale skin", "a man with dark skin", "darkness"),
)
FREE_PAIRS: tuple[tuple[str, str, str], ...] = (
    ("a man with lips that are hardly there", "a man with a big pouty mouthful of lips", "lip_thickness"),
    ("an elegant lady", "a burly bloke", "jaw_width"),
    ("a woman with a thin little nose bridge to tip", "a woman whose nose spreads wide", "nose_width"),
    ("a man with a stubby nose", "a man with a nose that goes on and on", "nose_length"),
    ("a person with a tiny mouth", "a person whose mouth reaches from cheek to cheek", "mouth_width"),
    ("a man with eyes close together", "a man with eyes far apart", "eye_distance_inner"),
    ("a guy with no jaw to speak of", "a guy with a square, powerful jaw", "jaw_width"),
    ("a woman with a small, short chin", "a woman with a long chin", "chin_height"),
    ("a thin-faced man, narrow from ear to ear", "a man whose face is really wide", "face_width"),
    ("a woman with beady little eyes", "a woman with great big eyes", "eye_height"),
    ("a man with eyebrows right down on his eyes", "a man with eyebrows way up his forehead", "brow_height"),
    ("a boxer's flattened nose, a man", "a man whose nose sticks right out", "nose_protrusion"),
    ("a person with a squashed, short face", "a person with a long drawn-out face", "face_height"),
    ("a young fellow of twenty", "a very old man of eighty-five", "age"),
    ("a man with a pale, pasty complexion", "a man with very dark skin", "darkness"),
)
LEAST_CHANGE = {"age": 0.2, "darkness": 0.03}  # slider units and linear albedo; 0.5 mm for lengths


@dataclass(frozen=True)
class AttributeScore:
    """Shares in [0, 1] and strays per text; see the module header."""

    texts: int
    right: float
    wrong: float
    stray: float
    chance: float
    words: float

    def row(self, name: str) -> str:
        """One line of a table."""
        return (
            f"{name:28} {self.texts:4d}  right {self.right:5.1%}  wrong {self.wrong:5.1%}  "
            f"chance {self.chance:5.1%}  stray {self.stray:4.2f}  words {self.words:5.1%}"
        )


@dataclass(frozen=True)
class Item:
    """A description and what it says: slider values with sex and age, and canonical phrases where known."""

    text: str
    values: dict[str, float]
    phrases: tuple[str, ...] | None = None


def generated(kind: Wording, count: int, seed: int = 0) -> list[Item]:
    """Descriptions of one to three attributes; kind "held" uses phrasings kept out of training."""
    rng = random.Random(f"evaluate-{kind}-{seed}")
    items = []
    for _ in range(count):
        text, statement, values = sample_statement(rng, kind, rng.choice((1, 2, 3)))
        items.append(Item(text, slider_values(statement, values), statement.phrases))
    return items


def stated(count: int) -> list[Item]:
    """Statements that people wrote, of those kept out of training, with the ends they word."""
    composed = [told(one) for one in statements("held")[:count]]
    return [Item(without_ends(one.text), slider_values(one.statement, one.values)) for one in composed]


def free(part: Part) -> list[Item]:
    """The descriptions in free words of one half."""
    return [Item(one.text, one.values()) for one in free_texts(part)]


def attributes(
    backend: Backend,
    axes: Axes,
    items: Sequence[Item],
    on_text: Callable[[int], None] | None = None,
) -> AttributeScore:
    """Score the faces made for descriptions."""
    read: list[dict[str, float]] = []
    named = 0
    for number, item in enumerate(items):
        reply = backend.imagine(item.text)
        read.append(axes.read(reply.faces[0].code))
        named += _names_all(reply.text, item)
        if on_text:
            on_text(number)
    stated = [item.values for item in items]
    shifted = read[1:] + read[:1]
    strays = sum(_strays(s, r) for s, r in zip(stated, read, strict=True))
    return AttributeScore(
        len(items),
        _share(stated, read, +1),
        _share(stated, read, -1),
        strays / len(items),
        _share(stated, shifted, +1),
        named / len(items),
    )


def _names_all(answer: str, item: Item) -> bool:
    """True when the answer says just the attributes: the very phrases where they are known, else the ends."""
    statement = parse(answer.replace(FACE, "").strip())
    if statement is None:
        return False
    if item.phrases is not None:
        return set(statement.phrases) == set(item.phrases)
    said = {(axis, value > 0) for axis, value in (phrase_table()[phrase] for phrase in statement.phrases)}
    meant = {(axis, value > 0) for axis, value in item.values.items()}
    return {pair for pair in said | meant if pair[0] not in PERSON_AXES} == {
        pair for pair in said & meant if pair[0] not in PERSON_AXES
    }


def _share(stated: Sequence[dict[str, float]], read: Sequence[dict[str, float]], side: int) -> float:
    moved = [
        side * face[name] * (1 if value > 0 else -1) >= MOVED
        for words, face in zip(stated, read, strict=True)
        for name, value in words.items()
        if abs(value) >= MOVED
    ]
    return sum(moved) / max(len(moved), 1)


def _strays(words: dict[str, float], face: dict[str, float]) -> int:
    free = (axis.name for axis in axis_list() if axis.name not in words and axis.name not in PERSON_AXES)
    return sum(abs(face[name]) > STRAY for name in free)


@dataclass(frozen=True)
class PairResult:
    """One pair of opposite statements and what was measured on the two faces."""

    low: str
    high: str
    measure: str
    low_value: float
    high_value: float

    @property
    def passed(self) -> bool:
        """True when the measurement is clearly larger for the high words."""
        return self.high_value - self.low_value >= LEAST_CHANGE.get(self.measure, 0.5)


def opposite_pairs(
    backend: Backend, head: MorphableModel, axes: Axes, pairs: Sequence[tuple[str, str, str]]
) -> list[PairResult]:
    """The measurements of both faces of each pair (mm; age in slider units, darkness in 1 - albedo)."""
    results = []
    for low, high, name in pairs:
        values = [_measured(head, axes, backend.imagine(text).faces[0].code, name) for text in (low, high)]
        results.append(PairResult(low, high, name, *values))
    return results


def _measured(head: MorphableModel, axes: Axes, code: FaceCode, name: str) -> float:
    if name == "age":
        return axes.read(code)["age"]
    if name == "darkness":
        return 1.0 - float(head.albedo(code).mean())
    return float(measure(head.landmarks68(head.vertices(code.neutral())))[name])
