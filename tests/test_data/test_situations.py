"""Situations: real phrases, split from those held out, and the same meaning in words and sliders."""

import json
import random
import re
from collections import Counter

from facegpt_model.data.dialogues import speculate
from facegpt_model.data.situations import NOUN, as_if, looks, situations, speculation
from facegpt_model.data.who import AFTER, AGED_NOUNS, BEFORE, HELD_AFTER, HELD_AGED_NOUNS, sample_age, spoken
from facegpt_model.semantics.axes import axis_named, phrase_table
from facegpt_model.semantics.words import parse
from facegpt_model.vlm.tokens import END, FACE


def test_looks_are_told_in_canonical_phrases_of_different_axes() -> None:
    for look in looks():
        assert len(look.values) == len(look.means) and look.say, look.means
        assert look.sex in (None, "man", "woman") and (look.age is None or 14 <= look.age <= 90)
        for text in (*look.say, *look.held):
            assert set(re.findall(r"\{(\w+)\}", text)) <= {"he", "him", "his"} and text == text.strip()
            assert not text.startswith(NOUN) or "{" not in text
            assert not re.search(r"\b(he|she|him|her|his|hers)\b(?!\})", text), text


def test_situations_are_many_and_none_is_written_twice_or_trained_and_held_out() -> None:
    trained, held = ([text.lower() for text, _ in situations(kind)] for kind in ("say", "held"))
    assert len(trained) >= 400 and len(held) >= 100
    assert max(Counter(trained + held).values()) == 1


def test_every_expression_is_reached_by_a_situation() -> None:
    reached = {name for look in looks() for name in look.values if axis_named(name).part == "expression"}
    said = {axis for axis, _ in phrase_table().values() if axis_named(axis).part == "expression"}
    assert reached == said


def test_a_speculation_means_what_its_statement_says() -> None:
    rng = random.Random(1)
    for kind in ("say", "held"):
        for _ in range(300):
            text, statement, values = speculation(rng, kind)
            assert "{" not in text and parse(statement.text()) == statement
            assert {
                phrase_table()[phrase][0]: phrase_table()[phrase][1] for phrase in statement.phrases
            } == values
            words = set(re.findall(r"\w+", text.lower().replace("would he look", "")))
            assert not words & {"she", "her"} or statement.sex == "woman", text
            assert not words & {"he", "him", "his"} or statement.sex == "man", text


def test_speculations_end_in_a_face() -> None:
    example = speculate(random.Random(3))
    assert example.answer.endswith(f"{FACE}{END}") and example.marks[-1].values


def test_a_situation_is_heard_at_its_end_as_everything_it_means() -> None:
    rng = random.Random(4)
    for example in [speculate(rng) for _ in range(200)]:
        heard = {name: value for mark in example.heard for name, value in mark.values.items()}
        heard = {name: value for name, value in heard.items() if name not in ("age", "masculinity")}
        said = example.marks[-1].values  # sex and years add to those two
        assert heard.items() <= said.items() and 1 <= len(example.heard) <= 2


def test_as_if_changes_nothing_but_the_expression() -> None:
    rng = random.Random(2)
    for _ in range(200):
        text, values = as_if(rng, rng.choice(("man", "woman", "person")))
        assert values and all(axis_named(name).part == "expression" for name in values), text
        assert "{" not in text and json.dumps(values)


def test_held_out_ages_are_not_trained() -> None:
    assert not {text for text, _ in HELD_AFTER} & {text for text, _ in (*BEFORE, *AFTER)}
    for sex, nouns in HELD_AGED_NOUNS.items():
        assert not {noun for noun, _ in nouns} & {noun for noun, _ in AGED_NOUNS[sex]}


def test_ages_are_said_as_they_are() -> None:
    assert (spoken(20), spoken(45), spoken(85)) == ("twenty", "forty-five", "eighty-five")
    rng = random.Random(0)
    for _ in range(300):
        age = sample_age(rng)
        figures = re.findall(r"\d+", age.text)
        assert len(figures) != 1 or int(figures[0]) == age.years, age
