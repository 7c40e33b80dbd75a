"""Numbers as people say them: how many, how many degrees, how large, how much more."""

from __future__ import annotations

import re

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
         "eighty": 80, "ninety": 90}  # fmt: skip
_GROUPS = {"a couple": 2, "a pair": 2, "a trio": 3, "a handful": 5, "half a dozen": 6, "a dozen": 12}
_WORD = "|".join((*_ONES, *_TENS))
NUMBER = rf"(?:\d+|(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_ONES[1:10])})|{_WORD})"

LITTLE, PLAIN, MUCH = 0.25, 0.5, 1.0  # shares of the last change
SIZES = (64, 2048)  # pixels of a picture
LARGER, LARGEST = 1024, 2048
_A_LITTLE = (
    r"\b(a (?:wee |little |tiny )?bit|a little|slightly|a tad|a touch|a smidge\w*|a fraction|a hair|a notch|"
    r"a shade|somewhat|a tiny|just a)\b"
)
_MUCH = (
    r"\b(much|a lot|lots|loads|way|far|double|twice|again|the same|once more|one more time|repeat|extreme\w*|"
    r"considerably|a great deal|tons)\b"
)
_HUGE = (
    r"\b(poster|print|best|biggest|largest|highest|as big as|as large as|full|max\w*|[24]k|very large|huge)\b"
)


def number(text: str) -> int | None:
    """The value of one number in digits or words, None if it is none."""
    text = text.lower().strip()
    if text.isdigit():
        return int(text)
    if text in _ONES:
        return _ONES.index(text)
    tens, _, ones = text.replace("-", " ").partition(" ")
    if tens in _TENS and (not ones or ones in _ONES[1:10]):
        return _TENS[tens] + (_ONES.index(ones) if ones else 0)
    return None


def how_many(text: str, most: int) -> int | None:
    """How many faces are asked for, at most `most`; None where no number is said.

    text: the words without those that name a face.
    """
    said = text.lower()
    for words, size in _GROUPS.items():
        if words in said:
            return min(size, most)
    found = re.search(
        rf"(?<![\d.])\b({NUMBER})\b(?!\s*(?:°|deg|px|pix|%|d\b|mm\b|of (?:them|these|those)\b))", said
    )
    value = number(found.group(1)) if found else None
    if found and found.group(1) == "one":
        value = None  # "this one", "one more", "another one"
    return min(value, most) if value else None


def degrees(text: str) -> int | None:
    """An angle that is told in degrees, 0 to 90; None where none is."""
    found = re.search(rf"\b({NUMBER})\s*(?:°|deg|degrees?)", text.lower()) or re.search(
        r"\b(?:yaw|pitch)\s*(?:of|to|=|by)?\s*-?(\d{1,2})\b", text.lower()
    )
    value = number(found.group(1)) if found else None
    return None if value is None else min(value, 90)


def pixels(text: str) -> int | None:
    """The size of a picture in pixels; None where none is told."""
    said = text.lower()
    if re.search(r"\b[24]k\b", said):
        return LARGEST
    found = re.search(r"(?<![\d-])(\d{2,4})(?:\s*(?:px|pixels?|pix)\b|\s*[x×]\s*\d{2,4})", said) or re.search(
        r"\b(?:size|at|in)\s+(?:of\s+)?(\d{3,4})\b", said
    )
    return min(max(int(found.group(1)), SIZES[0]), SIZES[1]) if found else None


def larger(text: str) -> int:
    """Pixels of a picture that is asked for larger than usual."""
    return LARGEST if re.search(_HUGE, text.lower()) else LARGER


def share(text: str) -> float:
    """How much of the last change "more" or "less" means."""
    said = text.lower()
    if re.search(r"\bhal(f|ve|fway|ved)\b", said):
        return PLAIN
    if re.search(_A_LITTLE, said):
        return LITTLE
    return MUCH if re.search(_MUCH, said) else PLAIN
