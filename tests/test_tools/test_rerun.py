"""A rerun has the words read and the photos fitted again, and tells whether the same came out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agent.loop import Conversation
from agent.spoken import speak_again
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Backend, BackendError, Reply
from tools.case import entries_of
from tools.digests import code_digest
from tools.edit import EditRequest, SliderChange, edit
from tools.imagine import ImagineRequest, imagine
from tools.reconstruct import reconstruct_person
from tools.replay import Replayed, replay_case
from tools.rerun import Rerun
from tools.workspace import Workspace

PORTRAIT = Path(str(resources.files("facegpt_model"))) / "data" / "examples" / "portrait.jpg"
Make = Callable[..., FaceEstimate]
Script = Callable[..., Any]


@pytest.fixture(autouse=True)
def digests_only(monkeypatch: pytest.MonkeyPatch, numbers_only: None) -> None:
    """No picture and no mesh is written again; numbers are what this is about."""
    monkeypatch.setattr("tools.replay.write_face", lambda folder, face, studio: None)


def silent(doing: str, share: float) -> None:
    """No progress."""


def again(
    case: Path, backend: Backend | None, speaks: Any = None, fails: Exception | None = None
) -> list[Replayed]:
    def opened() -> Backend:
        if fails or backend is None:
            raise fails or AssertionError("no words were to be read")
        return backend

    return replay_case(case, case.parent / "again", silent, Rerun(case, entries_of(case), opened, speaks))


def test_words_are_read_again_and_a_difference_is_told_once(
    case: Path, scripted: Script, estimate: Make
) -> None:
    workspace = Workspace(case)
    reply = Reply("A man. <FACE>", (), (estimate(1),))
    imagine(ImagineRequest(text="a man", seed=3), workspace, scripted([reply]))
    edit(EditRequest(changes=[SliderChange(slider="nose width", value=0.5)]), workspace)
    same, edited = again(case, scripted([reply]))
    assert (same.how, edited.how) == ("rerun", "again") and same.same and edited.same
    assert same.note == "by scripted@1"
    other, edited = again(case, scripted([Reply("A man. <FACE>", (), (estimate(2),))]))
    assert other.how == "rerun" and not other.code and edited.code
    assert replay_case(case, case.parent / "again", silent)[0].how == "numbers"


def test_a_face_spoken_in_a_chat_is_asked_for_as_the_chat_did(
    case: Path, scripted: Script, estimate: Make
) -> None:
    replies = [Reply("A person. <FACE>", (), (estimate(n),)) for n in (1, 2)]
    with Conversation(Workspace(case), scripted(replies)) as conversation:
        list(conversation.turn("somebody"))
        list(conversation.turn("somebody else"))
        asked = conversation.backend.asked
    backend = scripted([replies[0], Reply("x"), replies[1], Reply("x")])
    results = again(case, backend, speak_again)
    assert [result.how for result in results] == ["rerun", "rerun"] and all(r.code for r in results)
    for chat, (turns, tools, faces) in zip(asked, backend.asked[::2], strict=True):
        assert chat[0][-1] == turns[-1] and chat[2] == faces
        assert [tool.name for tool in chat[1]] == [tool.name for tool in tools]


def test_photos_are_fitted_again_together_bit_for_bit(case: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.png"
    Image.open(PORTRAIT).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(second)
    workspace = Workspace(case)
    reconstruct_person([PORTRAIT, second], workspace, quality="fast")
    digests = [code_digest(workspace.face(handle).estimate) for handle in workspace.handles]
    results = again(case, None)
    assert [(r.how, r.code) for r in results] == [("rerun", True)] * 2 and digests[0] != digests[1]
    (case / "photo-2.jpg").unlink()
    gone = again(case, None)
    assert gone[1].how == "numbers" and gone[1].note.startswith("not run again: ") and gone[1].code


def test_what_is_neither_read_nor_fitted_keeps_its_numbers(
    case: Path, estimate: Make, scripted: Script
) -> None:
    Workspace(case).add(estimate(1), made_by={"tool": "sample"})
    (result,) = again(case, None)
    assert result.how == "numbers" and result.note == "neither from words nor from a photo"
    Workspace(case).add(estimate(2), made_by={"tool": "imagine", "text": "a man"})
    with pytest.raises(BackendError, match="no checkpoint"):
        again(case, None, fails=BackendError("no checkpoint"))
