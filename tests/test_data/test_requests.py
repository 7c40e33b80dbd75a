"""Requests and small talk: the wording and the call agree, held-out wordings stay out of training."""

import json
import random
import re

from facegpt_model.data.requests import render, step_back, wordings
from facegpt_model.data.small_talk import answers, small_talk
from facegpt_model.vlm.tokens import END, TOOL_CALL


def call_of(answer: str) -> dict[str, object]:
    """The arguments of the call in an answer."""
    arguments: dict[str, object] = json.loads(answer.removeprefix(TOOL_CALL).removesuffix(END))["arguments"]
    return arguments


def test_no_request_is_both_trained_and_held_out_or_asks_for_two_things() -> None:
    table = wordings()
    groups = [table[name] for name in ("photo", "photo_named", "export", "describe", "undo", "redo")]
    groups += [*table["export_format"].values(), *table["view"]]
    seen = [text.lower() for group in groups for kind in ("say", "held") for text in group[kind]]
    seen += [text.lower() for answer in answers() for text in (*answer.say, *answer.held)]
    assert all(group["held"] for group in groups)
    assert len(seen) == len(set(seen)), sorted(text for text in seen if seen.count(text) > 1)


def test_degrees_and_pixels_of_the_wording_reach_the_call() -> None:
    rng = random.Random(0)
    turned = sized = 0
    for _ in range(600):
        example = render(rng)
        words = example.prompt.rpartition("<|im_start|>user\n")[2].partition(END)[0]
        call = call_of(example.answer)
        degrees = re.search(r"(\d+)(?: degrees|°)|(?:yaw|pitch) -?(\d+)", words, re.IGNORECASE)
        if degrees:
            turned += 1
            amount = int(degrees[1] or degrees[2])
            assert amount in (abs(int(str(call["yaw"]))), abs(int(str(call["pitch"])))), (words, call)
            back = re.search(r"right|down|yaw -|pitch -", words, re.IGNORECASE)
            assert (int(str(call["yaw"])) + int(str(call["pitch"])) < 0) == bool(back), (words, call)
        if call["size"] != 512:
            sized += 1
            assert str(call["size"]) in words
    assert turned > 50 and sized > 20


def test_held_out_requests_call_the_same_tools() -> None:
    rng = random.Random(1)
    for _ in range(20):
        example = step_back(rng, "held")
        assert example.answer in {
            f'{TOOL_CALL}{{"name":"{n}","arguments":{{}}}}{END}' for n in ("undo", "redo")
        }


def test_small_talk_calls_no_tool_and_makes_no_face() -> None:
    rng = random.Random(2)
    for kind in ("say", "held"):
        for _ in range(100):
            answer = small_talk(rng, kind).answer
            assert TOOL_CALL not in answer and "<FACE>" not in answer and answer.endswith(END)
    assert len(answers()) >= 60 and max(len(answer.text) for answer in answers()) <= 140
