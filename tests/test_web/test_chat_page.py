"""The chat page: what a visitor sees and what becomes of what they do."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import BackendError, Reply
from tests.test_web.conftest import words
from ui.web.message_view import values
from ui.web.message_view import words as shown_words
from ui.web.take_home import parcel
from ui.web.thread_list import report

pytestmark = pytest.mark.usefixtures("quick_files")
Make = Callable[..., FaceEstimate]
Any_ = Callable[..., Any]


def a_man(estimate: Make, seed: int = 1) -> Reply:
    return Reply("A man of about 40. <FACE>", (), (estimate(seed),))


def wider(call: Any_) -> Reply:
    return Reply("", (call("edit", face="", changes=[{"slider": "nose width", "value": 0.5}]),))


def test_a_newcomer_begins_with_a_starter_and_changes_the_face(
    desk: Any_, page: Any_, estimate: Make, call: Any_
) -> None:
    at_desk = desk(a_man(estimate), wider(call))
    app = page()
    assert not app.exception and "Describe a face" in words(app)
    app.button(key="starter-1").click().run()
    (thread,) = at_desk.threads.list()
    assert at_desk.turn(thread.name).wait(300)
    app.run()
    assert not app.exception and "A man of about 40." in words(app)
    assert app.session_state["thread"] == thread.name and "FACE" not in words(app)
    app.chat_input[0].set_value("a broader nose").run()
    assert at_desk.turn(thread.name).wait(300)
    app.run()
    assert "towards a broad nose (nose width +0.50)" in words(app)
    (step,) = [box for box in app.expander if "nose width" in box.label]
    assert "Changed the face" in step.label and "+0.50" in step.label and step.label.endswith(" s")
    assert at_desk.threads.get(thread.name).current == "face-2"
    app.button(key="step-undo").click().run()
    assert at_desk.threads.get(thread.name).current == "face-1"
    app.button(key="step-redo").click().run()
    assert at_desk.threads.get(thread.name).current == "face-2"


def test_a_conversation_is_there_again_after_a_restart(desk: Any_, page: Any_, estimate: Make) -> None:
    first = desk(a_man(estimate))
    assert first.say(first.threads.create("case").name, "a man of forty").wait(300)
    first.close()
    desk()
    app = page("case")
    assert "A man of about 40." in words(app) and "a man of forty" in words(app)
    assert app.button(key="open-case").label.startswith("a man of forty")


def test_what_was_said_can_be_said_differently_in_a_copy(desk: Any_, page: Any_, estimate: Make) -> None:
    at_desk = desk(a_man(estimate), a_man(estimate, 2), a_man(estimate, 3))
    assert at_desk.say(at_desk.threads.create("case").name, "a man").wait(300)
    app = page("case")
    app.text_area(key="edit-case-1").set_value("a bald man").run()
    app.button(key="say-case-1").click().run()
    assert at_desk.turn("case-fork-1").wait(300)
    assert [said.text for said in at_desk.threads.said("case-fork-1")] == ["a bald man"]
    assert [said.text for said in at_desk.threads.said("case")] == ["a man"]
    app.run()
    app.button(key="regenerate").click().run()
    assert at_desk.turn("case-fork-1-fork-1").wait(300)
    assert [said.text for said in at_desk.threads.said("case-fork-1-fork-1")] == ["a bald man"]


def test_errors_are_sentences_and_bugs_are_incidents(
    desk: Any_, page: Any_, caplog: pytest.LogCaptureFixture
) -> None:
    at_desk = desk(BackendError("the model is asleep"), KeyError("secret detail"))
    name = at_desk.threads.create("case").name
    assert at_desk.say(name, "a man").wait(300)
    app = page("case")
    assert [error.value for error in app.error] == ["the model is asleep"]
    assert at_desk.say(name, "a woman").wait(300)
    app.run()
    (told,) = [error.value for error in app.error]
    assert "secret detail" not in told and "Incident" in told
    incident = told.partition("Incident ")[2][:8]
    assert f"incident {incident}" in caplog.text and "secret detail" in caplog.text
    assert not app.exception


def test_thumbs_are_kept_with_the_message(desk: Any_, page: Any_, estimate: Make) -> None:
    at_desk = desk(a_man(estimate))
    assert at_desk.say(at_desk.threads.create("case").name, "a man").wait(300)
    message = at_desk.chat("case").messages[-1].id
    app = page("case")
    app.feedback(key=f"like-{message}").set_value(1).run()
    entries = at_desk.chat("case").workspace.journal.entries()
    assert [e.data for e in entries if e.event == "feedback"] == [{"message": message, "liked": True}]
    app.run()
    entries = at_desk.chat("case").workspace.journal.entries()
    assert sum(e.event == "feedback" for e in entries) == 1


def test_threads_are_found_renamed_and_deleted(desk: Any_, page: Any_) -> None:
    at_desk = desk()
    for name in ("apple", "pear"):
        at_desk.threads.create(name)
    app = page("pear")
    app.text_input(key="find").set_value("appl").run()
    keys = [button.key for button in app.button]
    assert "open-apple" in keys and "open-pear" not in keys
    app.text_input(key="find").set_value("").run()
    app.text_input(key="name-pear").set_value("plum").run()
    app.button(key="rename-pear").click().run()
    assert {thread.name for thread in at_desk.threads.list()} == {"apple", "plum"}
    assert app.session_state["thread"] == "plum"
    app.button(key="delete-plum").click().run()
    assert [thread.name for thread in at_desk.threads.list()] == ["apple"]


def test_a_parcel_holds_transcript_journal_picture_and_mesh(desk: Any_, estimate: Make) -> None:
    at_desk = desk(a_man(estimate))
    thread = at_desk.threads.create("case")
    assert at_desk.say("case", "a man").wait(300)
    names = zipfile.ZipFile(io.BytesIO(parcel(thread.folder))).namelist()
    wanted = {"transcript.json", "journal.jsonl", "face-1.png", "face-1.glb", "face-1.json"}
    assert {f"case/{name}" for name in wanted} <= set(names)
    told = report(at_desk.threads.get("case")).decode()
    assert "a man" in told and "face-1" in told
    assert not [name for name in names if "sqlite" in name or ".lock" in name]


def test_what_people_and_models_say_is_never_markup() -> None:
    assert shown_words("![x](http://a/b) <FACE> *b*") == "!\\[x\\](http://a/b)  \\*b\\*"
    assert values({"face": "", "changes": [{"slider": "smile", "value": -0.25}]}) == "smile -0.25"
    assert values({"face": "face-2", "yaw": 30, "pitch": 0}) == "face face-2, yaw 30, pitch 0"
