"""Situations whose look has to be concluded: labels, what is kept back, and lessons made of them."""

from __future__ import annotations

import random
from collections import Counter

from facegpt_model.data.implied import FEELINGS, feeling, felt, implying
from facegpt_model.data.situations import NOUN, situations
from facegpt_model.semantics.axes import phrase_table


def test_every_feeling_alone_and_beside_others_has_hundreds_of_situations_and_a_tenth_is_kept_back() -> None:
    said, held = (Counter(look.means for _, look in felt(kind)) for kind in ("say", "held"))
    assert set(said) == set(held) and len(said) == 20
    assert min(said.values()) >= 200 and min(held.values()) >= 20
    assert {(phrase,) for phrase in FEELINGS.values()} < set(said) and () in said
    assert set(FEELINGS.values()) <= set(phrase_table())


def test_no_situation_is_trained_and_held_out_or_written_twice() -> None:
    texts = [text.removeprefix(NOUN).lower() for kind in ("say", "held") for text, _ in felt(kind)]
    assert len(set(texts)) == len(texts)
    other = {text.removeprefix(NOUN).lower() for kind in ("say", "held") for text, _ in situations(kind)}
    assert not other & set(texts)


def test_placeholders_are_filled_in_and_the_look_ends_with_the_words() -> None:
    for seed in range(200):
        example = feeling(random.Random(seed))
        assert "{" not in example.prompt and "\ue000" not in example.prompt
        for mark in example.heard:
            assert 0 < mark.end <= len(example.prompt)
    assert implying(random.Random(1)) == implying(random.Random(1))
