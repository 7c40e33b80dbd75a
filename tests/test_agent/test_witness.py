"""A witness speaks first and is asked openly; nobody puts words into their mouth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.events import FaceMade, Final, Spoke
from agent.questions import END, GO_ON, LAST, NO_CHANGE, PARTS, RECALL, WARNING, leading_words, questions
from agent.witness import WitnessInterview
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.errors import ToolError
from tools.studio import open_studio
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
Make = Callable[..., FaceEstimate]
Script = Callable[..., Any]


@pytest.fixture
def interview(case: Path, scripted: Script) -> Callable[..., WitnessInterview]:
    return lambda *replies: WitnessInterview(Workspace(case), scripted(replies))


def answer(interview: WitnessInterview, text: str) -> str:
    return str(list(interview.turn(text))[-1].text)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", questions())
def test_no_question_leads(text: str) -> None:
    assert leading_words(text) == ()


@pytest.mark.parametrize(
    ("text", "leading"),
    [
        ("Was his nose broad?", ("broad",)),
        ("Did he wear glasses?", ("glasses",)),
        ("Was the hair blond or dark?", ("blond", "dark")),
        ("How old was she?", ("old",)),
        ("Any scar on the chin?", ("scar",)),
    ],
)
def test_leading_questions_are_seen_as_such(text: str, leading: tuple[str, ...]) -> None:
    assert leading_words(text) == leading
    assert leading_words(text, said=" ".join(leading)) == ()


def test_free_recall_is_recorded_before_any_picture(
    interview: Callable[..., WitnessInterview], estimate: Make, case: Path
) -> None:
    talk = interview(Reply("A man of about 50 with a broad nose. <FACE>", (), (estimate(1),)))
    assert talk.opening().startswith(WARNING) and RECALL in talk.opening()
    assert answer(talk, "A man, fifty or so.") == GO_ON
    assert talk.backend.asked == [] and talk.workspace.handles == ()
    events = list(talk.turn("A flat nose. That is all."))
    assert [type(event) for event in events] == [FaceMade, Spoke, Final]
    assert talk.backend.asked[0][0][0].text == "A man, fifty or so. A flat nose."
    told = [entry.event for entry in talk.workspace.journal.entries()]
    assert told.index("warned") < told.index("recall") < told.index("recalled") < told.index("face")
    record = json.loads((case / "face-1.json").read_text())
    assert record["marked"] and record["speculative"]


def test_what_the_model_understood_is_never_said_to_the_witness(
    interview: Callable[..., WitnessInterview], estimate: Make, call: Script
) -> None:
    spoken_of = replace(estimate(1), code=open_studio().axes.code({"nose width": 0.5, "lip fullness": 0.2}))
    talk = interview(
        Reply("A man with a very hooked nose and a scar on the chin. <FACE>", (), (spoken_of,)),
        Reply("A person with thin lips. <FACE>", (), (estimate(2),)),
        Reply("", (call("edit", face="face-9", changes=[{"slider": "smile", "value": 0.5}]),)),
        Reply("Hello! Describe a beard."),
    )
    said = ("a man, that is all I saw of him", "that is all", "His lips were narrow.", "he smiled", "hm well")
    spoken = [str(event.text) for text in said for event in talk.turn(text) if isinstance(event, Spoke)]
    assert all(leading_words(text, " ".join(said)) == () for text in spoken)
    assert spoken[-1] == NO_CHANGE and "face-3 is the picture" in spoken[-2]
    workspace = talk.workspace
    assert workspace.lineage() == ("face-1", "face-2", "face-3")
    lips = [
        workspace.studio.axes.read(workspace.face(h).estimate.code)["lip fullness"]
        for h in ("face-1", "face-2")
    ]
    assert lips[1] == pytest.approx(-0.5, abs=0.06)
    moved = [change["slider"] for change in workspace.face("face-2").made_by["changes"]]
    assert moved == ["lip fullness"]  # nothing but what was said


def test_open_questions_go_over_the_parts_and_end(
    interview: Callable[..., WitnessInterview], estimate: Make, case: Path, scripted: Script
) -> None:
    talk = interview(Reply("A man. <FACE>", (), (estimate(1),)))
    for text in ("a man", "that's all"):
        answer(talk, text)
    first = answer(talk, "no")
    again = WitnessInterview(Workspace(case), scripted([]))  # after an interruption
    assert again.opening() == first
    asked = [first] + [answer(again, "I don't know") for _ in range(len(PARTS) + 1)]
    assert [part in question for part, question in zip(PARTS, asked, strict=False)] == [True] * len(PARTS)
    assert asked[-2:] == [LAST, END]


def test_an_interview_does_not_begin_in_a_folder_with_faces(
    case: Path, estimate: Make, scripted: Script
) -> None:
    Workspace(case).add(estimate(1), made_by={})
    with pytest.raises(ToolError, match="folder of its own"):
        WitnessInterview(Workspace(case), scripted([]))
