"""Sliders: what they are called, what a move means and where it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from facegpt_model.face import FaceEstimate
from facegpt_model.semantics.axes import axis_list
from facegpt_model.serving.backend import Reply
from tests.test_web.conftest import words
from ui.web import face_panel
from ui.web.server import panel_mesh

pytestmark = pytest.mark.usefixtures("quick_files")
Make = Callable[..., FaceEstimate]
Any_ = Callable[..., Any]


@pytest.fixture
def with_face(desk: Any_, estimate: Make) -> Any:
    at_desk = desk(Reply("A man. <FACE>", (), (estimate(1),)))
    at_desk.threads.create("case")
    assert at_desk.say("case", "a man").wait(300)
    return at_desk


def test_every_slider_is_in_a_part_with_words_for_both_ends() -> None:
    groups = face_panel.groups({"nose width": 0.3})
    names = [slider["name"] for group in groups for slider in group["sliders"]]
    assert sorted(names) == sorted(axis.name for axis in axis_list())
    nose = next(group for group in groups if group["part"] == "nose")["sliders"]
    (width,) = [slider for slider in nose if slider["name"] == "nose width"]
    assert (width["low"], width["high"], width["value"]) == ("a narrow nose", "a broad nose", 0.3)
    assert all(slider["low"] and slider["high"] for group in groups for slider in group["sliders"])


def test_a_moved_slider_is_an_edit_told_in_the_conversation(with_face: Any, page: Any_) -> None:
    before = with_face.chat("case").workspace.face()
    assert face_panel.move("case", "nose width", 0.0, 0.3).wait(300)
    case = with_face.chat("case").workspace
    assert case.current == "face-2"
    record = with_face.chat("case").messages
    assert [type(message).__name__ for message in record[-4:]] == [
        "HumanMessage", "AIMessage", "ToolMessage", "AIMessage",
    ]  # fmt: skip
    told = str(record[-1].text)
    assert told.startswith("A little more towards a broad nose: nose width +") and " mm" in told
    assert case.face().parent == before.handle
    app = page("case")
    assert "A little more towards a broad nose" in words(app) and not app.exception


def test_a_surprise_keeps_locked_sliders_and_becomes_current(with_face: Any) -> None:
    case = with_face.chat("case").workspace
    assert face_panel.surprise("case", case, "face-1", ["nose width"]).wait(300)
    assert case.current == "face-2"
    made_by = case.face().made_by
    assert made_by["tool"] == "variants" and "nose width" in made_by["kept"]


def test_the_panels_mesh_has_a_target_for_every_shape_slider(with_face: Any) -> None:
    content = panel_mesh(with_face, "case", "face-1")
    assert content[:4] == b"glTF"
    for axis in axis_list():
        assert (f'"{axis.name}"'.encode() in content) or axis.kind != "identity"
