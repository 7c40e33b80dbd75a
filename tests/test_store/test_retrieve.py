"""Retrieving: similar shapes with reasons, by face, part and statement; nobody is identified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.semantics.words import parse
from tools.errors import ToolError
from tools.retrieve import BringRequest, Question, RetrieveRequest, bring, retrieve, said_readings, search
from tools.store.face_store import FaceStore
from tools.store.opening import open_store
from tools.store.records import NewFace
from tools.studio import open_studio
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
Make = Callable[..., NewFace]
STUDIO = open_studio()


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.store.thumbnails.SIDE", 32)


def test_hits_come_with_reasons_and_pictures(case: Path, store: FaceStore, new_face: Make) -> None:
    workspace = Workspace(case)
    workspace.add(FaceEstimate(new_face(4).code, None, "photo:abc", "fit@1"), made_by={}, speculative=False)
    outcome = retrieve(RetrieveRequest(count=2), workspace, store)
    assert "similar shape, not an identification" in outcome.text
    assert "distance 0.00: same" in outcome.text and "same nose" in outcome.text and " mm " in outcome.text
    assert outcome.files == ("similar-face-1.png",)
    assert Image.open(case / "similar-face-1.png").width == 64
    hit = store.query(new_face(4).code, 1)[0].face
    kept = store.thumbnail(hit.id)
    drawn = kept.stat().st_mtime_ns
    retrieve(RetrieveRequest(count=1), workspace, store)
    assert kept.stat().st_mtime_ns == drawn  # not drawn twice
    brought = bring(BringRequest(id=hit.id), workspace, store)
    assert brought.faces == ("face-2",)
    assert torch.equal(workspace.face("face-2").estimate.code.identity, hit.code.identity)


def test_a_part_query_tells_of_that_part_only(store: FaceStore, new_face: Make) -> None:
    code = new_face(6).code
    found = search(store, STUDIO, Question(code, parts={"nose": code}, count=3))
    assert found[0].words == "same nose"
    assert all("jaw" not in row.words and "mouth" not in row.words for row in found)


def test_a_statement_is_searched_by_what_it_said(store: FaceStore) -> None:
    said = parse("A man of about 60 with a broad nose.")
    assert said is not None
    code = STUDIO.axes.code({"masculinity": 0.6, "age": 0.5, "nose width": 0.5})
    found = search(store, STUDIO, Question(code, said=said, count=30))
    assert {row.hit.face.facts.looks for row in found} == {"man"}
    assert abs(found[0].hit.face.facts.years - 60) < abs(found[-1].hit.face.facts.years - 60)
    assert "a broad nose" in found[0].words
    readings = said_readings(STUDIO, said, code)
    years = readings.readers[1] @ STUDIO.head.layout.pack(found[0].hit.face.code)[0].numpy()
    assert 60 + years - readings.targets[1] == pytest.approx(found[0].hit.face.facts.years, abs=0.1)


def test_a_statement_without_sliders_is_searched_by_the_whole_face(store: FaceStore) -> None:
    said = parse("A woman.")
    found = search(store, STUDIO, Question(STUDIO.axes.code({}), said=said, count=2))
    assert found[0].hit.face.facts.looks == "woman" and "jaw" in found[0].words


def test_refusals_say_what_would_be_right(
    case: Path, store: FaceStore, tmp_path: Path, new_face: Make
) -> None:
    workspace = Workspace(case)
    workspace.add(FaceEstimate(new_face(0).code, None, "text:x", "m@1"), made_by={})
    with pytest.raises(ToolError, match="no stored face fits tag nobody; tags in the store: even, odd"):
        retrieve(RetrieveRequest(tags=["nobody"]), workspace, store)
    with pytest.raises(ToolError, match="holds no face 'f0'"):
        bring(BringRequest(id="f0"), workspace, store)
    with (
        open_store(tmp_path / "empty", STUDIO) as empty,
        pytest.raises(ToolError, match="facegpt store demo"),
    ):
        retrieve(RetrieveRequest(), workspace, empty)
