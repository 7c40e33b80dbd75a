"""Statements that people wrote: read as they are marked, kept out, retold without a new meaning."""

import random
import re

import pytest

from facegpt_model.data.collate import encode
from facegpt_model.data.examples import HEARD, without_ends
from facegpt_model.data.overheard import overheard
from facegpt_model.data.statements import BadStatement, excerpt, parse_line, retold, statements, told
from facegpt_model.evaluation.free_words import free_texts
from facegpt_model.semantics.axes import axis_named, phrase_table
from facegpt_model.semantics.words import Statement, parse
from facegpt_model.vlm.backbones import load_smollm2

LINE = (
    "man 60 | big bloke, [heavy set|weight ++], a [red bulb|nose tip width +++; ruddiness +] of a nose. "
    "No coat. [Slim|weight --]"
)


def test_a_line_becomes_a_statement_with_its_wordings() -> None:
    composed = told(parse_line(LINE))
    assert composed.text.replace(HEARD, "|") == "big bloke, heavy set|, a red bulb| of a nose. No coat. Slim|"
    assert composed.wordings == (
        {"weight": 0.5},
        {"nose tip width": 0.8, "ruddiness": 0.25},
        {"weight": -0.5},
    )
    phrases = ("a very bulbous nose", "a slightly ruddy complexion", "a slim build")  # the last word counts
    assert composed.statement == Statement("man", 60, phrases)


@pytest.mark.parametrize(
    "line", ["woman | thin lips", "man - | [thin lips|lip fullness]", "man - | [thin lips|lip fullness --"]
)
def test_a_broken_line_is_told(line: str) -> None:
    with pytest.raises(BadStatement):
        parse_line(line)


def test_all_statements_mean_ends_that_exist_and_have_words() -> None:
    trained, held = statements(), statements("held")
    assert len(trained) > 500 and len(held) > 50 and not set(trained) & set(held)
    for one in (*trained, *held):
        composed = told(one)
        assert parse(composed.statement.text()) == composed.statement
        for phrase, (axis, value) in zip(composed.statement.phrases, composed.values.items(), strict=False):
            assert phrase in phrase_table() and axis_named(axis).minimum <= value <= axis_named(axis).maximum


def test_retelling_keeps_the_meaning() -> None:
    rng = random.Random(0)
    wanted = {frozenset((a, v > 0) for a, v in told(one).values.items()) for one in statements()}
    for _ in range(200):
        composed = retold(rng)
        assert composed.text.count(HEARD) == len(composed.wordings)
        assert frozenset((axis, value > 0) for axis, value in composed.values.items()) in wanted
        assert {phrase_table()[phrase][0] for phrase in composed.statement.phrases} == set(composed.values)


def test_what_is_kept_out_is_never_learned() -> None:
    def plain(text: str) -> str:
        return re.sub(r"[^a-z ]", "", text.lower())

    kept_out = [without_ends(told(one).text) for one in statements("held")]
    kept_out += [one.text for one in (*free_texts("dev"), *free_texts("test"))]
    trained = " | ".join(plain(without_ends(told(one).text)) for one in statements())
    for text in kept_out:
        words = plain(text).split()
        runs = {" ".join(words[n : n + 9]) for n in range(max(1, len(words) - 8))}
        assert not any(f" {run} " in trained for run in runs), text


def test_an_excerpt_without_a_feature_teaches_silence() -> None:
    rng = random.Random(1)
    silent = [one for one in (excerpt(rng) for _ in range(300)) if not one.wordings]
    assert silent and all(HEARD not in one.text for one in silent)
    tokenizer = load_smollm2()[1]
    lessons = [encode(overheard(rng), tokenizer, lambda name: 0, 1) for _ in range(300)]
    quiet = [one for one in lessons if one.heard and not any(bool(values.any()) for _, values in one.heard)]
    assert quiet
