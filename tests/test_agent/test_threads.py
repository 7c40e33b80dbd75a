"""Threads stand side by side, are forked at what was said, and stay below their root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.threads import Threads
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.case import verify_case
from tools.errors import ToolError
from tools.journal import Entry, Journal
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
Make = Callable[..., FaceEstimate]
Script = Callable[..., Any]


@pytest.fixture
def threads(tmp_path: Path) -> Threads:
    return Threads(tmp_path / "threads")


@pytest.fixture
def told(threads: Threads, scripted: Script, estimate: Make) -> Threads:
    """One thread, "first", in which three faces were described."""
    script = [Reply(f"Number {n}. <FACE>", (), (estimate(n),)) for n in (1, 2, 3)]
    with threads.open("first", scripted(script)) as chat:
        for text in ("a man", "a woman", "a child"):
            list(chat.turn(text))
    return threads


def test_a_list_reads_only_journals_that_changed(
    told: Threads, scripted: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.create("second")
    told.list()
    read: list[str] = []
    entries = Journal.entries

    def counted(journal: Journal) -> list[Entry]:
        read.append(journal.path.parent.name)
        return entries(journal)

    monkeypatch.setattr(Journal, "entries", counted)
    told.list()
    assert read == []
    with told.open("second", scripted([Reply("Hello.")])) as chat:
        list(chat.turn("hello"))
    read.clear()
    assert [thread.title for thread in told.list()] == ["hello", "a man"] and set(read) == {"second"}


def test_a_damaged_thread_is_listed_with_what_is_wrong(told: Threads) -> None:
    journal = told.create("second").folder / "journal.jsonl"
    journal.write_text(journal.read_text().replace("opened", "closed"))
    (broken,) = [thread for thread in told.list() if thread.name == "second"]
    assert "was changed after it was written" in broken.problem and len(told.list()) == 2
    with pytest.raises(ToolError, match="was changed"):
        told.get("second")


def test_threads_are_listed_and_go_on(told: Threads, scripted: Script, estimate: Make) -> None:
    with told.open("second", scripted([Reply("Hello.")])) as chat:
        list(chat.turn("hello"))
    assert [thread.name for thread in told.list()] == ["second", "first"]
    first = told.get("first")
    assert (first.title, first.turns, first.faces, first.current) == (
        "a man", 3, ("face-1", "face-2", "face-3"), "face-3",
    )  # fmt: skip
    with told.open("first", scripted([Reply("More. <FACE>", (), (estimate(4),))])) as chat:
        assert len(chat.messages) == 6
        assert list(chat.turn("one more"))[-1].faces == ("face-4",)
    assert told.list()[0].name == "first"


def test_a_fork_is_the_thread_as_it_was(told: Threads, scripted: Script, estimate: Make) -> None:
    assert [said.text for said in told.said("first")] == ["a man", "a woman", "a child"]
    fork = told.fork("first", before=3, new="other")
    assert fork.turns == 2 and fork.faces == ("face-1", "face-2") and fork.current == "face-2"
    assert verify_case(fork.folder).sound and verify_case(told.get("first").folder).sound
    with told.open("other", scripted([Reply("A boy. <FACE>", (), (estimate(5),))])) as chat:
        assert [str(m.text) for m in chat.messages] == [
            "a man",
            "Number 1. <FACE>",
            "a woman",
            "Number 2. <FACE>",
        ]
        assert list(chat.turn("a boy"))[-1].faces == ("face-3",)
        turns = chat.backend.asked[0][0]
        assert [turn.text for turn in turns if turn.role == "user"] == ["a man", "a woman", "a boy"]
    assert len(told.said("first")) == 3 and told.get("first").faces[-1] == "face-3"
    assert told.fork("first", before=4).turns == 3 and told.fork("first", before=1).faces == ()
    with pytest.raises(ToolError, match="before 1 to 4, not before 9"):
        told.fork("first", before=9)


def test_a_fork_knows_of_faces_deleted_since(told: Threads) -> None:
    Workspace(told.get("first").folder).delete("face-1")
    fork = told.fork("first", before=3)
    assert fork.faces == ("face-2",) and verify_case(fork.folder).sound


def test_threads_are_renamed_and_deleted(told: Threads) -> None:
    assert told.rename("first", "Fall 7").turns == 3
    told.create("other")
    with pytest.raises(ToolError, match="already"):
        told.rename("other", "Fall 7")
    told.delete("Fall 7")
    assert [thread.name for thread in told.list()] == ["other"]
    with pytest.raises(ToolError, match="known: other"):
        told.get("Fall 7")


@pytest.mark.parametrize(
    "name", ["../first", "/etc", "..", "a/b", "", ".hidden", "x" * 65, "a\nb", "a\x00", "a\n"]
)
def test_names_cannot_lead_out_of_the_root(told: Threads, name: str) -> None:
    for act in (told.get, told.delete, told.folder, lambda n: told.rename("first", n)):
        with pytest.raises(ToolError, match="cannot name a thread"):
            act(name)


def test_new_threads_get_free_names(threads: Threads) -> None:
    assert [threads.create().name for _ in range(2)] == ["chat-1", "chat-2"]
    with pytest.raises(ToolError, match="already"):
        threads.create("chat-1")
