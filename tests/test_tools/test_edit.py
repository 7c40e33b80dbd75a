"""Editing: the asked slider moves the asked measurement, the old face stays, refusals help."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from facegpt_model.face import FaceEstimate
from tools.describe import DescribeRequest, describe
from tools.edit import EditRequest, SliderChange, edit, parse_changes
from tools.errors import ToolError
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


@pytest.fixture
def workspace(case: Path, estimate: Callable[..., FaceEstimate]) -> Workspace:
    workspace = Workspace(case)
    workspace.add(estimate(1), made_by={"tool": "test"})
    return workspace


def moved(**sliders: float) -> EditRequest:
    changes = [SliderChange(slider=name.replace("_", " "), value=value) for name, value in sliders.items()]
    return EditRequest(changes=changes)


@pytest.mark.parametrize("amount", [0.5, -0.5])
def test_the_stated_millimetres_are_those_of_the_files(workspace: Workspace, amount: float) -> None:
    old = (workspace.folder / "face-1.json").read_bytes()
    outcome = edit(moved(nose_width=amount), workspace)
    assert outcome.faces == ("face-2",)
    assert (workspace.folder / "face-1.json").read_bytes() == old
    told = re.search(r"nose width ([+-]\d+\.\d) mm", outcome.text)
    assert told, outcome.text
    width = [
        json.loads((workspace.folder / f"face-{n}.json").read_text())["measurements"]["nose_width"]
        for n in (1, 2)
    ]
    assert float(told[1]) == pytest.approx(width[1] - width[0], abs=0.051)
    assert float(told[1]) * amount > 0


def test_an_edit_remembers_where_it_came_from(workspace: Workspace) -> None:
    edit(moved(smile=0.4), workspace)
    face = workspace.face("face-2")
    assert face.parent == "face-1" and face.estimate.source == "edit:face-1" and face.speculative
    assert face.made_by["changes"] == [{"slider": "smile", "value": 0.4}]
    assert torch.equal(face.estimate.code.identity, workspace.face("face-1").estimate.code.identity)


def test_an_older_face_can_be_edited_by_its_handle(workspace: Workspace) -> None:
    edit(moved(nose_width=0.5), workspace)
    edit(moved(smile=0.4).model_copy(update={"face": "face-1"}), workspace)
    assert workspace.lineage("face-3") == ("face-1", "face-3")


def test_there_and_back_gives_the_face_again(workspace: Workspace) -> None:
    edit(moved(nose_width=0.5, jaw_strength=-0.3), workspace)
    edit(moved(nose_width=-0.5, jaw_strength=0.3), workspace)
    codes = [workspace.face(handle).estimate.code for handle in ("face-1", "face-3")]
    assert torch.allclose(codes[0].identity, codes[1].identity, atol=1e-4)


def test_the_same_slider_twice_adds_up(workspace: Workspace) -> None:
    twice = EditRequest(changes=[SliderChange(slider="nose width", value=0.25)] * 2)
    edit(twice, workspace)
    edit(moved(nose_width=0.5).model_copy(update={"face": "face-1"}), workspace)
    codes = [workspace.face(handle).estimate.code.identity for handle in ("face-2", "face-3")]
    assert torch.allclose(codes[0], codes[1])


def test_a_limit_is_told_and_no_change_is_refused(workspace: Workspace) -> None:
    assert "limit" not in edit(moved(open_mouth=0.9), workspace).text
    assert "Part of it met a limit." in edit(moved(open_mouth=0.9), workspace).text
    with pytest.raises(
        ToolError, match=r"face-3 is at the limit .*open mouth \+0\.50.* nothing would change"
    ):
        edit(moved(open_mouth=0.5), workspace)


def test_an_unknown_slider_names_close_ones(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="no slider called 'nose widht'; did you mean nose width"):
        edit(moved(nose_widht=0.5), workspace)
    with pytest.raises(ToolError, match="moves by -1 to 1"):
        edit(EditRequest(changes=[SliderChange(slider="nose width", value=0.8)] * 2), workspace)
    assert workspace.handles == ("face-1",)


def test_requests_are_checked() -> None:
    with pytest.raises(ValidationError):
        SliderChange(slider="smile", value=1.5)
    with pytest.raises(ValidationError):
        EditRequest(changes=[])
    with pytest.raises(ValidationError):
        EditRequest.model_validate({"changes": [{"slider": "smile", "value": 0.5}], "colour": "red"})


def test_settings_are_read_or_refused() -> None:
    request = parse_changes(["nose width=+0.5", "smile = -0.25"])
    assert [(change.slider, change.value) for change in request.changes] == [
        ("nose width", 0.5),
        ("smile", -0.25),
    ]
    for bad in ("smile", "smile=lots", "smile=2", "smile=nan"):
        with pytest.raises(ToolError, match="cannot read the setting"):
            parse_changes([bad])


def test_a_description_tells_words_and_millimetres(workspace: Workspace) -> None:
    edit(moved(nose_width=0.9), workspace)
    text = describe(DescribeRequest(), workspace).text
    assert re.match(r"face-2: .*; .*nose width \d+ mm", text)
    assert "nose" in text.split(";")[0]
