"""The written phrasings: every line in the right place, once, and said the right way round."""

import random
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from facegpt_model.data.habits import OFTEN_SAID, PRONOUNS, agreeing
from facegpt_model.data.wordings import ends, phrasings, word
from facegpt_model.semantics.axes import axis_named

SLOTS = {
    "say": {"he", "him", "his", "d"},
    "held": {"he", "him", "his", "d"},
    "edit": {"he", "him", "his", "c", "a"},
}
SLOTS["less"] = SLOTS["held_edit"] = SLOTS["edit"]
# axes, words of the low end, words of the high end: a line with the other end's word must take it back
OPPOSITES = (
    (("nose width", "face width", "mouth width", "chin width"), "narrow|thin|slim|slender", "wide|broad"),
    (("nose length", "face length", "chin length", "neck length", "ear length"), "short|stubby", "long"),
    (("eye size", "nose size", "ear size", "ear lobes"), "small|tiny|little", "big|huge|large|enormous"),
    (("lip fullness", "brow thickness", "neck thickness"), "thin", "thick|full|plump|bushy"),
    (("eye spacing",), "close|together|near", "apart|wide"),
    (("eye depth",), "deep|sunken|sunk", "bulg|pop|stick out|sticking out|protrud"),
    (("eye slant", "mouth corners", "nose tip"), "droop|downturned|down", "upturned|turned-up|turn up|lift"),
    (("skin tone",), "pale|fair|white", "dark|brown|tan|black"),
    (("hair colour",), "black|dark(?! blond)", "blond|fair"),
    (("chin prominence", "nose projection"), "reced|weak|flat", "jut|stick out|sticks out|promin"),
    (("cheek fullness", "temples"), "hollow|gaunt|sunken", "chubby|full|plump"),
    (("weight",), "thin|slim|skinny", "fat|heavy|overweight"),
    (("age",), "young|youthful", "old|elderly"),
    (("masculinity",), "feminine|girl|womanly", "masculine|manly|bloke"),
    (("jaw strength",), "narrow|weak|delicate", "strong|square|heavy"),
    (("brow height", "nose position", "mouth position", "eye position", "ear position"), "low", "high"),
    (("nose bend", "mouth shift", "parting"), "right", "left"),
)  # fmt: skip
TAKEN_BACK = re.compile(
    r"\b(not|no|anything but|nothing|too|less|hardly|without|never|than|barely|lacked|lost|reduce|out of)\b"
    r"|n't\b|\bfrom .* to\b|tone down|right over|only the thin|only as wide|only half"
    r"|long gap|a big face|a small dog|past the first|half as long|one finger apart|sides of|fat on a chip"
)


def lines() -> Iterator[tuple[str, str, str, str]]:
    """(axis, side, kind, wording) of every line."""
    for axis, sides in phrasings().items():
        for side, kinds in sides.items():
            for kind, texts in kinds.items():
                for text in texts:
                    yield axis, side, kind, text


def bare(text: str) -> str:
    """A wording without its strength, its mark of a clause and its capitals."""
    return re.sub(r"@[\d.]+$", "", text.lower()).removeprefix("$ ")


def test_lines_stand_under_real_ends_and_use_known_slots() -> None:
    sides = {(axis.name, "high" if sign > 0 else "low") for axis, sign in ends()}
    for axis, side, kind, text in lines():
        assert (axis, side) in sides and kind in SLOTS, (axis, side, kind)
        assert set(re.findall(r"\{(\w+)\}", text)) <= SLOTS[kind], text
        assert re.sub(r"\{\w+\}", "", text).isprintable() and "  " not in text and text == text.strip(), text
        assert "@" not in text or re.search(r"[^@]@0\.(25|8)$", text), text
        assert not text.startswith("$") or (kind in ("say", "held") and text.startswith("$ ")), text


def test_no_line_is_written_twice_or_both_trained_and_held_out() -> None:
    seen: dict[str, tuple[str, str, str]] = {}
    for axis, side, kind, text in lines():
        here = (axis, side, "say or edit" if kind in ("say", "edit") else kind)
        assert seen.setdefault(bare(text), here) == here, f"{text!r} under {seen[bare(text)]} and {here}"
    for axis, sides in phrasings().items():
        for kind, texts in ((kind, texts) for kinds in sides.values() for kind, texts in kinds.items()):
            twice = [text for text, times in Counter(map(bare, texts)).items() if times > 1]
            assert not twice, (axis, kind, twice)


def test_what_witnesses_speak_of_has_the_most_wordings() -> None:
    for axis, sign in ends():
        side = phrasings()[axis.name]["high" if sign > 0 else "low"]
        least = 28 if axis.name in OFTEN_SAID else 20
        assert len(side["say"]) >= least and len(side["held"]) >= 3, (axis.name, sign, len(side["say"]))


@pytest.mark.parametrize(("axes", "low", "high"), OPPOSITES, ids=lambda value: str(value)[:24])
def test_no_line_says_the_opposite_of_its_end(axes: tuple[str, ...], low: str, high: str) -> None:
    for axis, side, kind, text in lines():
        if axis in axes and kind != "less":
            other = low if side == "high" else high
            assert not re.search(rf"\b({other})", text) or TAKEN_BACK.search(text), (axis, side, text)


def test_verbs_agree_with_they() -> None:
    assert agreeing("{he}'s got a mole", "person") == "they've got a mole"
    assert (
        agreeing("{he}'s bald and {he} wears {his} glasses", "person")
        == "they're bald and they wear their glasses"
    )
    assert agreeing("{he} wasn't old", "person") == "they weren't old"
    assert agreeing("{he} was {him}self", "woman") == "she was herself"


def test_articles_fit_whatever_degree_word_comes_between() -> None:
    rng = random.Random(0)
    for name, sign in (("age", 1), ("oval face", 1), ("health", -1), ("nose tip", 1)):
        for _ in range(300):
            text, _ = word(axis_named(name), sign, rng, "say", rng.choice(tuple(PRONOUNS)))
            assert not re.search(
                r"\ban (very|so|quite|really|rather|a |kind)|\ba (extrem|incred|oval|aged|old)", text
            ), text
