"""Canonical words: the plain sentence in which FaceGPT says what it understood.

"A man of about 50 with a very broad nose, thin lips and a receding chin." One phrase for
each end of an axis and each degree, so that the sentence can be read back without loss.
Knows no head model.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

MIDDLE_AGE = 45.0  # years at age slider 0
AGE_SPAN = 40.0  # years from the middle to slider 1
SEX_VALUE = {"man": 0.75, "woman": -0.75, "person": 0.0}
MENTION_THRESHOLD = 0.12  # slider values below this are not worth a word


class Degree(enum.Enum):
    """How much: slider values of the three spoken degrees."""

    SLIGHT = 0.25
    PLAIN = 0.5
    STRONG = 0.8

    @staticmethod
    def of(size: float) -> Degree | None:
        """The degree nearest to a slider size, None below the threshold."""
        if size < MENTION_THRESHOLD:
            return None
        return min(Degree, key=lambda degree: abs(degree.value - size))


@dataclass(frozen=True)
class End:
    """The words of one end of an axis, by degree."""

    slight: str
    plain: str
    strong: str

    @staticmethod
    def of(entry: str | list[str]) -> End:
        """From axes.toml: a phrase with {d}, three phrases, or one phrase without degrees."""
        if isinstance(entry, list):
            return End(*entry)
        fill = [entry.format(d=adverb) for adverb in ("slightly ", "", "very ")]
        return End(*[_fix_article(phrase) for phrase in fill])

    @property
    def has_degrees(self) -> bool:
        """False for ends like "blue eyes" that are or are not."""
        return self.slight != self.plain

    def words(self, degree: Degree) -> str:
        """The phrase for a degree."""
        return {Degree.SLIGHT: self.slight, Degree.PLAIN: self.plain, Degree.STRONG: self.strong}[degree]

    def value(self, degree: Degree) -> float:
        """Slider size of a degree; ends without degrees always count as strong."""
        return degree.value if self.has_degrees else Degree.STRONG.value


def _fix_article(phrase: str) -> str:
    phrase = re.sub(r"^an (?=[^aeiou])", "a ", phrase)
    return re.sub(r"^a (?=[aeio]|upturned|under)", "an ", phrase)


def join(phrases: Sequence[str]) -> str:
    """ "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return ", ".join(phrases[:-1]) + " and " + phrases[-1]


def age_value(years: float) -> float:
    """Age slider of an age in years, within [-1, 1]."""
    return min(1.0, max(-1.0, (years - MIDDLE_AGE) / AGE_SPAN))


@dataclass(frozen=True)
class Statement:
    """What was understood: who, about how old, and which attributes.

    sex: "man", "woman" or "person"; age: years or None; phrases: canonical attribute
    phrases in the order of mention.
    """

    sex: str
    age: int | None
    phrases: tuple[str, ...]

    def text(self) -> str:
        """The canonical sentence."""
        head = f"A {self.sex}" + (f" of about {self.age}" if self.age is not None else "")
        return head + (f" with {join(self.phrases)}" if self.phrases else "") + "."


_SENTENCE = re.compile(r"^A (man|woman|person)(?: of about (\d{1,2}))?(?: with (.+?))?\.?$")


def parse(sentence: str) -> Statement | None:
    """The statement of a canonical sentence, None if it is not one."""
    match = _SENTENCE.match(sentence.strip())
    if match is None:
        return None
    sex, age, rest = match.groups()
    phrases: list[str] = []
    if rest:
        *front, last = rest.split(", ")
        phrases = [*front, *last.split(" and ")]
    return Statement(sex, int(age) if age else None, tuple(phrases))
