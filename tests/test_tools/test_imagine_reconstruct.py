"""Words and photos become faces; what is no description or no photo is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.errors import ToolError
from tools.imagine import ImagineRequest, checked_text, imagine
from tools.reconstruct import (
    ReconstructRequest,
    photos_in,
    reconstruct,
    reconstruct_many,
    reconstruct_person,
    show_photo,
)
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("small_pictures")
PORTRAIT = Path(str(resources.files("facegpt_model"))) / "data" / "examples" / "portrait.jpg"


def test_words_become_a_speculative_face(
    case: Path, estimate: Callable[..., FaceEstimate], scripted: Callable[..., Any]
) -> None:
    backend = scripted([Reply("A man. <FACE>", (), (estimate(1),))])
    workspace = Workspace(case)
    outcome = imagine(ImagineRequest(text="  a man  "), workspace, backend)
    assert outcome.faces == ("face-1",) and "A man. <FACE>" in outcome.text and "speculative" in outcome.text
    assert backend.asked[0][0][0].text == "a man"
    assert json.loads((case / "face-1.json").read_text())["made_by"]["understood"] == "A man. <FACE>"


@pytest.mark.parametrize(
    ("text", "told"), [("", "empty"), (" \n ", "empty"), ("x" * 20_000, "20,000 characters; at most 4,000")]
)
def test_bad_texts_never_reach_the_model(
    case: Path, scripted: Callable[..., Any], text: str, told: str
) -> None:
    backend = scripted([])
    with pytest.raises(ToolError, match=told):
        imagine(ImagineRequest(text=text), Workspace(case), backend)
    assert not backend.asked


def test_half_characters_of_a_broken_terminal_are_replaced() -> None:
    assert checked_text(" a man \udcff ") == "a man ?"


def test_a_model_that_makes_no_face_is_told(case: Path, scripted: Callable[..., Any]) -> None:
    with pytest.raises(ToolError, match="made no face"):
        imagine(ImagineRequest(text="hello"), Workspace(case), scripted([Reply("Hello!")]))


def test_a_portrait_becomes_a_face_with_an_overlay(case: Path) -> None:
    workspace = Workspace(case)
    heard: list[float] = []
    outcome = reconstruct(
        ReconstructRequest(photo=show_photo(PORTRAIT, workspace)),
        workspace,
        lambda doing, share: heard.append(share),
    )
    assert "fitted by optimisation (landmarks, skin and light), not by the language model" in outcome.text
    assert heard and min(heard) >= 0 and max(heard) <= 1
    face = workspace.face("face-1")
    assert not face.speculative and face.estimate.source.startswith("photo:")
    assert face.made_by["faces_seen"] == 1 and 0 < face.made_by["landmark_error_percent"] < 6
    overlay = Image.open(case / "overlay.png")
    width, height = Image.open(PORTRAIT).size
    assert overlay.size == (6 * width, 2 * height)  # photo, overlay and model at twice the size
    assert (case / "face-1-overlay.png").read_bytes() == (case / "overlay.png").read_bytes()


def test_a_batch_goes_on_after_bad_photos(case: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("these are notes")
    empty = tmp_path / "wall.png"
    Image.new("RGB", (256, 256), "grey").save(empty)
    results = list(reconstruct_many([text, empty, PORTRAIT], Workspace(case)))
    assert [bool(result.outcome) for result in results] == [False, False, True]
    assert "notes.jpg is not a picture" in results[0].error
    assert "no face" in results[1].error.lower()


def test_a_batch_goes_on_where_it_stopped(case: Path) -> None:
    list(reconstruct_many([PORTRAIT], Workspace(case), quality="fast"))
    (again,) = reconstruct_many([PORTRAIT], Workspace(case), quality="fast")
    assert again.outcome and again.outcome.faces == ("face-1",) and "made before" in again.outcome.text
    (other,) = reconstruct_many([PORTRAIT], Workspace(case))  # by the other method
    assert other.outcome and other.outcome.faces == ("face-2",)


def test_photos_of_one_person_make_faces_of_one_shape(case: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.png"
    Image.open(PORTRAIT).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(second)
    workspace = Workspace(case)
    outcome = reconstruct_person([PORTRAIT, second], workspace, quality="fast")
    one, two = (workspace.face(handle).estimate.code.identity for handle in outcome.faces)
    assert torch.equal(one, two) and "one person" in outcome.text
    with pytest.raises(ToolError, match="two photos"):
        reconstruct_person([PORTRAIT], workspace)


def test_folders_are_read_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "readme.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in photos_in([tmp_path, Path("x.jpg")])] == ["a.jpg", "b.PNG", "x.jpg"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolError, match="no picture in"):
        photos_in([tmp_path / "empty"])
