"""Generated examples: the answer must mean what the wording says."""

import json
import random

import pytest

from facegpt_model.data import descriptions, habits
from facegpt_model.data.descriptions import corrected, sample_statement, slider_values
from facegpt_model.data.dialogues import describe, edit, marks_of, restated
from facegpt_model.data.examples import HEARD, called, listen
from facegpt_model.data.mixture import sample
from facegpt_model.data.overheard import overheard
from facegpt_model.data.requests import step_back
from facegpt_model.data.tool_answers import after_tool
from facegpt_model.data.wordings import ends, phrasings, word
from facegpt_model.semantics.axes import axis_named, phrase_table
from facegpt_model.semantics.words import Degree, Statement, parse
from facegpt_model.vlm.tokens import END, FACE, TOOL_CALL


def test_every_end_has_many_wordings_and_held_out_ones() -> None:
    table = phrasings()
    for axis, sign in ends():
        side = table[axis.name]["high" if sign > 0 else "low"]
        assert len(side["say"]) >= 10 and len(side["edit"]) >= 6 and len(side["held"]) >= 2
        assert not set(side["held"]) & set(side["say"])


def test_no_wording_stands_for_two_ends() -> None:
    seen: dict[str, tuple[str, int]] = {}
    for axis, sign in ends():
        side = phrasings()[axis.name]["high" if sign > 0 else "low"]
        for text in {t.lower() for kind in side for t in side[kind]}:
            assert text not in seen, f"{text!r} means {seen.get(text)} and {(axis.name, sign)}"
            seen[text] = (axis.name, sign)


def test_no_slot_is_left_open() -> None:
    rng = random.Random(0)
    for _ in range(600):
        example = sample(rng)
        assert "{" not in example.prompt.split("<|im_start|>user")[-1].split(TOOL_CALL)[0], example.prompt
        assert example.answer.endswith(END) or example.kind == "ask"  # whose arguments follow by rule


def test_degree_words_reach_the_canonical_sentence() -> None:
    rng = random.Random(3)
    nose = axis_named("nose width")
    for _ in range(200):
        text, attribute = word(nose, 1, rng, "say", "man")
        if text.startswith("a very broad"):
            assert attribute.degree is Degree.STRONG and attribute.phrase == "a very broad nose"


def test_answers_restate_what_was_drawn() -> None:
    rng = random.Random(1)
    for _ in range(200):
        text, statement, values = sample_statement(rng)
        assert text
        assert parse(statement.text()) == statement
        assert {phrase_table()[p][0] for p in statement.phrases} == set(values)


def test_marks_end_where_their_phrase_ends_and_grow() -> None:
    statement = Statement("man", 65, ("a broad nose", "thin lips"))
    marks = marks_of(statement)
    answer = f"{statement.text()} {FACE}"
    assert [answer[: m.end].split(" ")[-1] for m in marks] == ["65", "nose", "lips", FACE]
    assert marks[0].values == {"masculinity": 0.75, "age": 0.5}
    assert marks[1].values == {"masculinity": 0.75, "age": 0.5, "nose width": 0.5}
    assert marks[-1].values == marks[-2].values == {**marks[1].values, "lip fullness": -0.5}


def test_an_edit_names_a_face_of_the_scene_and_real_sliders() -> None:
    rng = random.Random(2)
    for _ in range(100):
        example = edit(rng)
        call = json.loads(example.answer.removeprefix(TOOL_CALL).removesuffix(END))
        assert call["name"] == "edit"
        for change in call["arguments"]["changes"]:
            axis = axis_named(change["slider"])
            takes_away = axis.minimum == 0 and change["value"] < 0
            assert takes_away or axis.minimum <= change["value"] <= axis.maximum
            assert change["value"] != 0 and abs(change["value"]) <= 1


def test_held_out_edits_use_no_trained_wording() -> None:
    rng = random.Random(8)
    trained = {
        text for sides in phrasings().values() for kinds in sides.values() for text in kinds.get("edit", ())
    }
    held = {
        text
        for sides in phrasings().values()
        for kinds in sides.values()
        for text in kinds.get("held_edit", ())
    }
    assert len(held) > 100 and not held & trained
    for _ in range(50):
        example = edit(rng, "held")
        call = json.loads(example.answer.removeprefix(TOOL_CALL).removesuffix(END))
        assert call["name"] == "edit" and example.heard


def test_the_same_seed_gives_the_same_example() -> None:
    assert describe(random.Random(7)) == describe(random.Random(7))
    assert restated(random.Random(7)) != restated(random.Random(8))


def test_sex_and_age_become_sliders() -> None:
    assert slider_values(Statement("woman", 25, ()), {}) == {"masculinity": -0.75, "age": -0.5}
    assert slider_values(Statement("man", None, ()), {"masculinity": 0.8})["masculinity"] == 1.0


def test_a_slip_comes_before_what_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "SELF_CORRECTIONS", 1.0)
    rng = random.Random(4)
    nose = axis_named("nose width")
    for _ in range(50):
        text, meant = word(nose, 1, rng, "say", "man")
        said = corrected(text, meant, rng, "man")
        assert said.wordings[-1] == (meant,) and said.text.endswith(text + HEARD)
        assert (
            len(said.wordings) == said.text.count(HEARD) == 2
            or text.startswith("$ ")
            or "$ " not in said.text
        )
    assert said.text != text + HEARD or text.startswith("$ ")


def test_asides_change_no_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(habits, "ASIDES", 0.0)
    plain = [sample_statement(random.Random(n)) for n in range(40)]
    monkeypatch.setattr(habits, "ASIDES", 1.0)
    chatty = [sample_statement(random.Random(n)) for n in range(40)]
    assert all(a[1] == b[1] and a[2] == b[2] for a, b in zip(plain, chatty, strict=True))
    assert sum(len(b[0]) > len(a[0]) for a, b in zip(plain, chatty, strict=True)) > 30


def test_a_face_is_called_by_what_is_true_of_it() -> None:
    faces = ["face-1", "face-2", "face-3"]
    rng = random.Random(5)
    middle = {called("face-2", faces, rng) for _ in range(200)}
    assert middle == {
        "face-2", "face 2", "number 2", "no. 2", "#2", "the second one", "the second face", "the second",
        "the second version", "the previous one", "the one before", "the one before that",
    }  # fmt: skip
    assert "the last one" in {called("face-3", faces, rng) for _ in range(100)}


def test_answers_after_tools_hold_no_figure_but_what_was_asked() -> None:
    rng = random.Random(6)
    for _ in range(300):
        example = after_tool(rng)
        assert " mm" not in example.answer and "%" not in example.answer
        for word_ in example.answer.removesuffix(END).replace(".", " ").replace(":", " ").split():
            if word_.startswith("face-"):
                assert word_.rstrip(",;") in example.prompt, (example.prompt, example.answer)


def test_steps_back_need_no_arguments() -> None:
    rng = random.Random(7)
    calls = {step_back(rng).answer for _ in range(60)}
    assert calls == {f'{TOOL_CALL}{{"name":"{name}","arguments":{{}}}}{END}' for name in ("undo", "redo")}


def test_what_a_user_says_is_marked_where_each_wording_ends() -> None:
    rng = random.Random(3)
    marked = 0
    for _ in range(200):
        example = rng.choice((describe, edit, overheard))(rng)
        assert HEARD not in example.prompt + example.answer
        for mark in example.heard:
            for axis, value in mark.values.items():
                assert axis_named(axis).minimum <= value <= axis_named(axis).maximum or value < 0
            after = example.prompt[mark.end : mark.end + 1]
            assert not after.isalnum(), example.prompt[: mark.end]
            marked += 1
    assert marked > 200


def test_a_lost_end_leaves_nothing_marked() -> None:
    assert listen(f"thin lips{HEARD} please", [{"lip fullness": -0.5}])[1][0].end == len("thin lips")
    assert listen("thin lips please", [{"lip fullness": -0.5}]) == ("thin lips please", ())
