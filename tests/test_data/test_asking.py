"""What users ask for: every intent is worded often enough, the held part stays out, calls fit the tools."""

import json
import random

from agent.registry import tool_named
from facegpt_model.data.asking import ask, is_held, of_kind, talk, talks, wordings
from facegpt_model.data.small_talk import answers
from facegpt_model.dialogue.intents import DECLINE, INTENTS
from facegpt_model.vlm.tokens import END, TOOL_CALL

TOOLS = {intent.name: intent.tool for intent in INTENTS}


def test_each_tool_is_asked_for_in_many_ways_and_some_are_kept_out() -> None:
    by_tool: dict[str, list[str]] = {}
    for intent, texts in wordings().items():
        by_tool.setdefault(TOOLS[intent], []).extend(texts)
    assert {tool for tool, texts in by_tool.items() if len(texts) < 120} <= {"history", "delete"}
    for texts in by_tool.values():
        assert len(set(texts)) == len(texts), sorted(text for text in texts if texts.count(text) > 1)
        held = sum(map(is_held, texts)) / len(texts)
        assert 0.02 < held < 0.3
    everything = [text for texts in by_tool.values() for text in texts]
    assert 0.1 < sum(map(is_held, everything)) / len(everything) < 0.18


def test_talk_is_worded_often_and_is_no_request() -> None:
    said = [text for answer in talks() for text in answer.wordings]
    requests = {text.lower() for texts in wordings().values() for text in texts}
    assert len(said) > 400 and len(set(said)) == len(said), sorted(t for t in said if said.count(t) > 1)
    assert not {text.lower() for text in said} & requests
    older = {text.lower() for answer in answers() for text in (*answer.say, *answer.held)}
    assert not older & requests
    assert all(len(answer.text.split()) < 30 for answer in talks())


def test_held_wordings_are_never_trained() -> None:
    rng = random.Random(0)
    for _ in range(300):
        example = talk(rng)
        assert example.asks in ("talk", DECLINE) and example.silent and TOOL_CALL not in example.answer
    texts = wordings()["undo"]
    assert not set(of_kind(texts, "say")) & set(of_kind(texts, "held"))
    assert len(of_kind(texts, "say")) + len(of_kind(texts, "held")) == len(texts)


def test_every_call_is_one_that_the_tool_takes() -> None:
    rng = random.Random(1)
    for intent in wordings():
        for _ in range(8):
            example = ask(rng, intent=intent)
            assert "{" not in example.prompt and "\ue000" not in example.prompt
            call = json.loads(example.answer.removeprefix(TOOL_CALL).removesuffix(END))
            assert call["name"] == TOOLS[intent]
            tool_named(call["name"]).request.model_validate(call["arguments"])
            assert bool(example.heard) == (intent == "retrieve words") or intent == "retrieve words"
