"""Whole statements as witnesses, neighbours, novelists and users put them, our own writing (statements/*.txt).

One a line: `sex years | text with [wording|end degree; end degree]`, years "-" where none are told,
degrees + ++ +++ for the high end of an axis and - -- --- for the low one. What is in no bracket means
nothing that a face shows. One statement in ten, by its text, is kept out of training.
"""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

from facegpt_model.data.examples import HEARD, Composed
from facegpt_model.data.wordings import Attribute, word
from facegpt_model.semantics.axes import axis_named
from facegpt_model.semantics.words import Degree, Statement

_LINE = re.compile(r"(man|woman|person) (\d+|-) \| (.+)")
_MARK = re.compile(r"\[([^\]|]*)\|([^\]]*)\]")
_END = re.compile(r"(.+) (\+{1,3}|-{1,3})")
_DEGREES = tuple(Degree)
_TAKES_BACK = re.compile(r"\b(no|sorry|wait|actually|mean|rather|scratch|correction|not)\b", re.IGNORECASE)
HELD_OUT = 10  # one in so many
SWAPPED, SHUFFLED = 0.3, 0.2  # shares of wordings said in other words, of statements told in another order


class BadStatement(ValueError):
    """A line of a statement file that cannot be read."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a statement; means: the ends it words, () where it means nothing."""

    text: str
    means: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class Told:
    """A statement in pieces, who it is about, and how old; years: None where not told."""

    sex: str
    years: int | None
    pieces: tuple[Piece, ...]


def parse_line(line: str) -> Told:
    """One line of a statement file; raises BadStatement."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise BadStatement(f"no statement: {line[:60]!r}; write 'sex years | text'")
    sex, years, text = match.groups()
    pieces: list[Piece] = []
    position = 0
    for mark in _MARK.finditer(text):
        pieces += [
            Piece(text[position : mark.start()]),
            Piece(mark[1], tuple(map(_end, mark[2].split("; ")))),
        ]
        position = mark.end()
    pieces.append(Piece(text[position:]))
    if re.search(r"[\[\]|]", "".join(piece.text for piece in pieces)):
        raise BadStatement(f"a bracket is left open in {line[:60]!r}")
    return Told(sex, None if years == "-" else int(years), tuple(piece for piece in pieces if piece.text))


def _end(mark: str) -> Attribute:
    match = _END.fullmatch(mark)
    if match is None:
        raise BadStatement(f"{mark!r} is no end; write a slider's name and + ++ +++ or - -- ---")
    return Attribute(axis_named(match[1]), 1 if match[2][0] == "+" else -1, _DEGREES[len(match[2]) - 1])


@lru_cache(maxsize=2)
def statements(kind: Literal["say", "held"] = "say") -> tuple[Told, ...]:
    """The statements to learn from, or those kept out."""
    folder = resources.files("facegpt_model.data").joinpath("statements")
    files = sorted((file for file in folder.iterdir()), key=lambda file: file.name)
    lines = [line for file in files for line in file.read_text("utf-8").splitlines() if line.strip()]
    return tuple(parse_line(line) for line in lines if _held(line) == (kind == "held"))


def _held(line: str) -> bool:
    return zlib.crc32(line.strip().encode()) % HELD_OUT == 0


def told(statement: Told) -> Composed:
    """A statement as it was written."""
    return _composed(statement, statement.pieces)


def retold(rng: random.Random) -> Composed:
    """A statement to learn from, in parts in other words, another order, and as carelessly as people type."""
    statement = rng.choice(statements())
    pieces = [_swapped(piece, statement.sex, rng) for piece in statement.pieces]
    sentences = _sentences(pieces)
    if rng.random() < SHUFFLED and not _TAKES_BACK.search("".join(piece.text for piece in pieces)):
        rng.shuffle(sentences)
    return _composed(statement, [piece for sentence in sentences for piece in sentence])


def excerpt(rng: random.Random) -> Composed:
    """One to three sentences of a statement; its sex and years may then not be told any more."""
    statement = rng.choice(statements())
    sentences = _sentences([_swapped(piece, statement.sex, rng) for piece in statement.pieces])
    begin = rng.randrange(len(sentences))
    chosen = sentences[begin : begin + rng.choice((1, 1, 2, 3))]
    return _composed(statement, [piece for sentence in chosen for piece in sentence])


def _composed(statement: Told, pieces: tuple[Piece, ...] | list[Piece]) -> Composed:
    phrases: dict[str, str] = {}
    for piece in pieces:
        for attribute in piece.means:
            phrases.pop(attribute.axis.name, None)  # the last word counts, and stands where it was said
            phrases[attribute.axis.name] = attribute.phrase
    text = "".join(piece.text + HEARD * bool(piece.means) for piece in pieces).strip()
    wordings = tuple({one.axis.name: one.value for one in piece.means} for piece in pieces if piece.means)
    return Composed(text, Statement(statement.sex, statement.years, tuple(phrases.values())), wordings)


def _swapped(piece: Piece, sex: str, rng: random.Random) -> Piece:
    """Sometimes the same end in other words, with an article where the piece had one."""
    if len(piece.means) != 1 or rng.random() > SWAPPED:
        return piece
    (meant,) = piece.means
    text, attribute = word(meant.axis, meant.sign, rng, "say", sex)
    if text.startswith("$ "):
        return piece
    article = re.compile(r"^(an?) ", re.IGNORECASE)
    if not article.match(piece.text) and rng.random() < 0.6:
        text = article.sub("", text)
    return Piece(text[:1].upper() + text[1:] if piece.text[:1].isupper() else text, (attribute,))


def _sentences(pieces: list[Piece]) -> list[list[Piece]]:
    """The pieces of each sentence; a stop inside a wording ends none."""
    sentences: list[list[Piece]] = [[]]
    for piece in pieces:
        parts = [piece.text] if piece.means else re.split(r"(?<=[.!?] )", piece.text)
        sentences[-1].append(Piece(parts[0], piece.means))
        sentences += [[Piece(part)] for part in parts[1:]]
    whole = [[piece for piece in sentence if piece.text.strip()] for sentence in sentences]
    return [[*sentence, Piece("" if sentence[-1].text[-1] == " " else " ")] for sentence in whole if sentence]
