"""What was said is still known thirty turns later, word for word, and the record keeps its bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.events import Final
from agent.loop import Conversation
from agent.memory import RECORD, Turn, asks_to_recall, record
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


def test_the_embedded_chat_tells_what_was_said_thirty_turns_ago(
    case: Path, scripted: Callable[..., Any], estimate: Callable[..., FaceEstimate], call: Callable[..., Any]
) -> None:
    smile = call("edit", face="", changes=[{"slider": "smile", "value": 0.4}])
    replies = [
        Reply("A man of about 50 with a broad nose. <FACE>", (), (estimate(1),)),
        Reply("I cannot draw a dog bite."),
        Reply("", (smile,)),
        Reply("He smiles."),
        *(Reply(f"Hm {number}.") for number in range(30)),
    ]
    said = ["a man of fifty with a broad nose", "he had been bitten in the ear by a dog", "let him smile"]
    with Conversation(Workspace(case), scripted(replies)) as conversation:
        for text in (*said, *(f"remark {number}" for number in range(30))):
            list(conversation.turn(text))
        asked = len(conversation.backend.asked)
        told = list(conversation.turn("What did I say about his ear?"))[-1]
        assert isinstance(told, Final) and said[1] in told.text and "broad nose" not in told.text
        whole = list(conversation.turn("please summarise our conversation so far"))[-1]
        assert isinstance(whole, Final)
        assert f'1. "{said[0]}" -> face-1' in whole.text and f'3. "{said[2]}" -> face-2' in whole.text
        nothing = list(conversation.turn("what did I tell you about her shoes?"))[-1]
        assert isinstance(nothing, Final) and nothing.text.startswith("Nothing was said about that.")
        assert len(conversation.backend.asked) == asked  # the model was not asked, so it made nothing up


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What did I say about the nose?", True),
        ("do you remember the first man", True),
        ("remind me what we made", True),
        ("Sum up the conversation", True),
        ("what has been said so far?", True),
        ("a man I remember from the bus", False),
        ("make him say cheese", False),
        ("he said he was fifty", False),
    ],
)
def test_only_questions_about_what_was_said_are_taken_for_such(text: str, asks: bool) -> None:
    assert asks_to_recall(text) is asks


def test_a_record_keeps_what_led_to_faces_and_counts_what_it_leaves_out() -> None:
    turns = [Turn(1, "a man with a broken nose", ("face-1",), "A man with a crooked nose.")]
    turns += [Turn(number, "ok", (), "Good.") for number in range(2, 200)]
    turns += [Turn(200, "thinner lips and a longer chin", ("face-2",), "Done.")]
    text = record(turns)
    assert len(text) <= RECORD
    assert text.splitlines()[0].startswith('1. "a man with a broken nose" -> face-1')
    assert "face-2" in text and "(198 more that led to no face)" in text
    long = [Turn(number, "x" * 300, (), "y" * 300) for number in range(1, 120)]
    assert len(record(long)) <= RECORD
