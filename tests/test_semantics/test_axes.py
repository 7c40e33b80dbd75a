"""Sliders: word, direction and way back."""

import pytest
import torch

from facegpt_model.face import BasisMismatch, FaceCode
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import Axes, AxisRange, UnknownAxis, axis_list, load_axes, phrase_table
from facegpt_model.semantics.measurements import measure
from facegpt_model.semantics.words import Degree, End, Statement, age_value, parse


@pytest.fixture(scope="module")
def axes() -> Axes:
    return load_axes(load("openhead@2"))


def measured(code: FaceCode) -> dict[str, float]:
    head = load("openhead@2")
    return {k: float(v) for k, v in measure(head.landmarks68(head.vertices(code.neutral()))).items()}


@pytest.mark.parametrize(
    ("axis", "measurement"),
    [
        ("nose width", "nose_width"),
        ("nose length", "nose_length"),
        ("nose projection", "nose_protrusion"),
        ("mouth width", "mouth_width"),
        ("lip fullness", "lip_thickness"),
        ("eye spacing", "eye_distance_inner"),
        ("eye opening", "eye_height"),
        ("brow height", "brow_height"),
        ("face width", "face_width"),
        ("face length", "face_height"),
        ("chin length", "chin_height"),
        ("jaw strength", "jaw_width"),
    ],
)
def test_a_slider_moves_its_measurement_both_ways(axes: Axes, axis: str, measurement: str) -> None:
    low, middle, high = (measured(axes.code({axis: v}))[measurement] for v in (-0.5, 0.0, 0.5))
    assert low < middle - 0.2 and middle + 0.2 < high


def test_moving_there_and_back_gives_the_face_again(axes: Axes) -> None:
    start = axes.code({"lip fullness": 0.3, "age": -0.4})
    there = axes.shift(start, {"nose width": 0.5, "smile": 0.3, "skin tone": 0.4})
    back = axes.shift(there, {"nose width": -0.5, "smile": -0.3, "skin tone": -0.4})
    assert torch.allclose(axes.layout.pack(back), axes.layout.pack(start), atol=1e-5)


def test_expression_stays_in_range(axes: Axes) -> None:
    grin = axes.shift(axes.code({"smile": 1.0}), {"smile": 1.0})
    assert float(grin.expression.max()) <= 1.0
    assert not axes.shift(axes.code({}), {"smile": -1.0}).expression.any()


def test_a_slider_leaves_the_other_kinds_alone(axes: Axes) -> None:
    smile = axes.code({"smile": 0.8})
    assert not smile.identity.any() and not smile.albedo.any() and smile.expression.any()
    dark = axes.code({"skin tone": 0.8})
    assert not dark.identity.any() and not dark.expression.any() and dark.albedo.any()


def test_reading_finds_the_sliders_that_were_set(axes: Axes) -> None:
    values = {"nose width": 0.8, "chin cleft": 0.5, "age": -0.5, "smile": 0.5, "skin tone": 0.5}
    read = axes.read(axes.code(values))
    for name, value in values.items():
        assert read[name] == pytest.approx(value, abs=0.05)
    assert set(read) == set(axes.names)
    quiet = [name for name in axes.names if name not in values]
    assert max(abs(read[name]) for name in quiet) < 0.08


def test_mistakes_are_told_with_what_would_be_right(axes: Axes) -> None:
    with pytest.raises(UnknownAxis, match="did you mean nose width"):
        axes.code({"nose widht": 0.5})
    with pytest.raises(AxisRange, match="-1 to 1"):
        axes.code({"nose width": 3.0})
    with pytest.raises(BasisMismatch, match="openhead@2"):
        axes.shift(FaceCode(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 2), "other@1"), {})


def test_every_axis_moves_something(axes: Axes) -> None:
    assert (axes.directions.norm(dim=1) > 0.3).all()


def test_canonical_phrases_are_unique_and_survive_a_sentence() -> None:
    table = phrase_table()
    assert len(table) > 250
    for axis in axis_list():
        for end in filter(None, (axis.low, axis.high)):
            for degree in Degree:
                statement = Statement("woman", 45, ("thin lips", end.words(degree)))
                assert parse(statement.text()) == statement


def test_sentences() -> None:
    assert Statement("man", 50, ("a very broad nose", "thin lips", "a receding chin")).text() == (
        "A man of about 50 with a very broad nose, thin lips and a receding chin."
    )
    assert parse("A person.") == Statement("person", None, ())
    assert parse("I like faces.") is None


def test_articles_follow_the_next_word() -> None:
    assert End.of("an {d}oval face").words(Degree.SLIGHT) == "a slightly oval face"
    assert End.of("a {d}upturned nose").words(Degree.PLAIN) == "an upturned nose"
    assert End.of("a {d}upturned nose").words(Degree.STRONG) == "a very upturned nose"


def test_age_is_linear_between_its_ends() -> None:
    assert age_value(45) == 0 and age_value(85) == 1 and age_value(5) == -1
    assert age_value(25) == pytest.approx(-0.5)


def test_a_random_person_is_read_with_restraint(axes: Axes) -> None:
    g = torch.Generator().manual_seed(0)
    flat = torch.zeros(1, axes.layout.code_size)
    flat[:, : axes.layout.identity] = torch.randn(1, axes.layout.identity, generator=g)
    read = axes.read(axes.layout.unpack(flat))
    assert max(abs(v) for v in read.values()) <= 1.0
    assert sum(abs(v) > 0.5 for v in read.values()) < 20
