"""What a turn asks for bounds the answer: the tools, whether a face is made, and every decided argument."""

import torch

from facegpt_model.dialogue.intents import INTENTS, intent_rows
from facegpt_model.evaluation.tools import tool_schemas
from facegpt_model.semantics.axes import axis_named
from facegpt_model.serving.backend import ToolSchema
from facegpt_model.serving.rules import Rules, goes_round
from facegpt_model.serving.wanted import Turn, Wanted, wanted
from facegpt_model.vlm.hearing import Possible, Wording, sayable

FACES = ("face-1", "face-2", "face-3")
SMALL_NOSE = Wording(3, 0.9, (Possible(axis_named("nose size"), -1, 1.0),), 0.25)
NO_BEARD = Wording(9, 0.9, (Possible(axis_named("beard"), -1, 1.0),), 0.8)


def bound(
    asked: dict[str, float], words: str, heard: tuple[Wording, ...] = (), faces: tuple[str, ...] = FACES
) -> Wanted:
    logits = torch.full((len(INTENTS),), -9.0)
    for name, chance in asked.items():
        logits[intent_rows()[name]] = torch.tensor(chance).log()
    return wanted(logits, Turn(words, faces), heard, tool_schemas(faces, ()), Rules(True, True))


def only(what: Wanted) -> tuple[str, dict[str, object]]:
    """The one tool that must be called and the arguments that have one value."""
    assert what.must_call and len(what.tools) == 1
    tool: ToolSchema = what.tools[0]
    fixed = {
        name: schema["enum"][0] for name, schema in tool.parameters["properties"].items() if "enum" in schema
    }
    return tool.name, fixed


def test_a_sure_intent_decides_the_tool_and_its_arguments() -> None:
    assert only(bound({"variants": 0.9}, "five of the first one")) == (
        "variants", {"face": "face-1", "count": 5, "spread": 1.0, "keep": [], "seed": 3},
    )  # fmt: skip
    assert only(bound({"compare": 0.8}, "how far is it from face-1?"))[1]["other"] == "face-3"
    assert only(bound({"export ply": 0.9}, "ply please"))[1] == {"face": "face-3", "format": "ply"}


def test_uses_of_one_tool_are_counted_together() -> None:
    name, fixed = only(bound({"view left": 0.35, "view left profile": 0.3, "talk": 0.33}, "turn him"))
    assert name == "render" and fixed["yaw"] == 35


def test_talk_calls_nothing_and_makes_no_face_and_a_description_calls_nothing() -> None:
    talk, told = bound({"talk": 0.5, "decline": 0.3}, "who is he?"), bound({"imagine": 0.9}, "a man")
    assert not talk.rules.may_call and not talk.rules.may_make_face and not talk.tools
    assert not told.rules.may_call and told.rules.may_make_face


def test_an_unsure_intent_leaves_the_choice_to_the_model_but_not_the_arguments() -> None:
    free = bound({"undo": 0.4, "export obj": 0.3, "talk": 0.3}, "the obj of face-2")
    assert not free.must_call and free.rules.may_call and len(free.tools) == len(tool_schemas(FACES, ()))
    export = next(tool for tool in free.tools if tool.name == "export")
    assert export.parameters["properties"]["face"]["enum"] == ["face-2"]


def test_an_edit_changes_what_was_heard_as_strongly_as_it_was_put() -> None:
    edit = bound({"edit": 0.9}, "a bit smaller nose on 2, and no beard", (SMALL_NOSE, NO_BEARD)).tools[0]
    assert edit.parameters["properties"]["face"]["enum"] == ["face-2"]
    changes = edit.parameters["properties"]["changes"]["prefixItems"]
    each = [item["anyOf"][0]["properties"] for item in changes]
    assert [(one["slider"]["const"], one["value"]["const"]) for one in each] == [
        ("nose size", -0.25),
        ("beard", -0.8),
    ]
    assert [w.possible[0].axis.name for w in sayable((SMALL_NOSE, NO_BEARD))] == ["nose size"]


def test_less_of_something_named_is_an_edit_and_an_edit_of_nothing_is_a_face() -> None:
    assert only(bound({"less": 0.7, "talk": 0.3}, "less nose", (SMALL_NOSE,)))[0] == "edit"
    assert only(bound({"less": 0.95, "talk": 0.05}, "less than that", (SMALL_NOSE,)))[0] == "adjust"
    assert only(bound({"less": 0.9}, "less than that"))[0] == "adjust"
    assert only(bound({"talk": 0.6, "edit": 0.3}, "no beard", (NO_BEARD,)))[0] == "edit"
    first = bound({"edit": 0.9}, "give him a small nose", (SMALL_NOSE,), ())
    assert not first.rules.may_call and first.rules.may_make_face


def test_without_an_intent_head_everything_is_as_the_rules_say() -> None:
    rules = Rules(True, False)
    free = wanted(None, Turn("hello", FACES), (), tool_schemas(FACES, ()), rules)
    assert free.rules == rules and not free.must_call and len(free.tools) > 10


def test_an_answer_that_goes_round_is_noticed() -> None:
    assert goes_round([9, 1, 2, 3, 1, 2, 3, 1, 2, 3]) == 6
    assert goes_round([5, *range(8), 7, 7, *range(8)]) == 8
    assert goes_round(list(range(40))) == 0
    handles = [11, 12, 1, 13, 11, 12, 2, 13, 11, 12, 3, 13, 11, 12, 4]  # face-1, face-2, face-3, face-4
    assert goes_round(handles) == 0
