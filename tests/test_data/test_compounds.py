"""Several things said of one part: real ends, each marked where its words end, none twice."""

import random

from facegpt_model.data.compounds import adjectives, compound
from facegpt_model.data.descriptions import composed_statement
from facegpt_model.data.examples import HEARD
from facegpt_model.data.habits import EXCLUSIVE
from facegpt_model.semantics.axes import phrase_table


def test_common_parts_have_many_adjectives_of_several_axes() -> None:
    table = adjectives()
    for noun, article in (("nose", True), ("hair", False), ("eyes", False), ("lips", False), ("chin", True)):
        assert len(table[noun, article]) > 20 and len({word.axis.name for word in table[noun, article]}) > 3


def test_a_compound_marks_every_end_once_and_none_that_is_taken() -> None:
    rng = random.Random(0)
    several = 0
    for _ in range(500):
        said = compound(rng, rng.choice(("man", "woman", "person")), taken=("nose width", "hair length"))
        if said is None:
            continue
        names = [attribute.axis.name for attribute in said.attributes]
        assert said.text.count(HEARD) == len(said.wordings) and "{" not in said.text
        assert len(set(names)) == len(names) and not {"nose width", "hair length"} & set(names)
        assert not any(len(group & set(names)) > 1 for group in EXCLUSIVE)
        assert all(attribute.phrase in phrase_table() for attribute in said.attributes)
        several += len(said.wordings) == 1 and len(names) > 1
    assert several > 100


def test_statements_hold_wordings_of_several_ends() -> None:
    rng = random.Random(1)
    composed = [composed_statement(rng, count=3) for _ in range(200)]
    assert sum(any(len(wording) > 1 for wording in one.wordings) for one in composed) > 15
    for one in composed:
        assert {phrase_table()[phrase][0] for phrase in one.statement.phrases} == set(one.values)
