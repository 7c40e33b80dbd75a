"""Words read back from numbers are those the numbers were made from."""

from __future__ import annotations

import pytest

from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import parse
from tools.studio import open_studio
from tools.wording import UNTOLD, in_words


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "A person."),
        ({"nose width": 0.8, "masculinity": 0.75, "age": 0.25}, "A man of about 55 with a very broad nose."),
        ({"lip fullness": -0.5, "masculinity": -0.75}, "A woman with thin lips."),
        ({"african appearance": 0.8}, "A person"),
    ],
)
def test_sliders_come_back_as_words(values: dict[str, float], said: str) -> None:
    axes = open_studio().axes
    told = in_words(axes, axes.code(values))
    assert told.startswith(said) and "African" not in told
    assert parse(told) is not None


def test_only_the_strongest_are_told() -> None:
    axes = open_studio().axes
    values = {name: 0.5 for name in ("nose width", "nose length", "mouth width", "eye size", "jaw strength")}
    statement = parse(
        in_words(axes, axes.code({**values, "ear size": 0.6, "chin width": 0.6, "brow height": 0.9}))
    )
    assert statement is not None and len(statement.phrases) == 6
    assert "eyebrows" in statement.phrases[0]


def test_every_axis_is_described_by_its_own_words() -> None:
    axes = open_studio().axes
    for axis in axes.axes:
        if axis.name in UNTOLD:
            continue
        for value in filter(None, (0.6 * axis.minimum, 0.6 * axis.maximum)):
            statement = parse(in_words(axes, axes.code({axis.name: value})))
            assert statement is not None
            told = dict(phrase_table()[phrase] for phrase in statement.phrases)
            assert set(told) == {axis.name} and told[axis.name] * value > 0
