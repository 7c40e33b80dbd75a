"""Variants, breeding, more and less, branches and arrays in a case, and that a replay repeats them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from facegpt_model.face import FaceEstimate
from tools.adjust import AdjustRequest, adjust
from tools.array import ArrayRequest, array
from tools.branch import GoToRequest, HistoryRequest, go_to, history
from tools.breed import BreedRequest, breed
from tools.digests import code_digest
from tools.edit import EditRequest, SliderChange, edit
from tools.errors import ToolError
from tools.replay import replay_case
from tools.said import said_of
from tools.studio import open_studio
from tools.variants import VariantsRequest, variants
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
UNDERSTOOD = "A man of about 50 with a broad nose. <FACE>"


@pytest.fixture
def workspace(case: Path) -> Workspace:
    """One face made from words."""
    space = Workspace(case)
    code = space.studio.axes.code({"masculinity": 0.75, "age": 0.12, "nose width": 0.5})
    made_by = {"tool": "imagine", "text": "x", "understood": UNDERSTOOD, "attributes": ["a broad nose"]}
    space.add(FaceEstimate(code, None, "text:x", "m@1"), made_by=made_by)
    return space


def move(workspace: Workspace, **sliders: float) -> None:
    changes = [SliderChange(slider=name.replace("_", " "), value=value) for name, value in sliders.items()]
    edit(EditRequest(changes=changes), workspace)


def sliders(workspace: Workspace, handle: str) -> dict[str, float]:
    return workspace.studio.axes.read(workspace.face(handle).estimate.code)


def test_variants_keep_words_and_edits_and_can_be_replayed(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(workspace, chin_length=0.4)
    said = said_of(workspace.face("face-2"), workspace)
    assert (said.sex, said.years, said.sliders) == ("man", 50, ("nose width", "chin length"))
    outcome = variants(VariantsRequest(count=2, seed=3), workspace)
    assert outcome.faces == ("face-3", "face-4") and workspace.current == "face-2"
    assert "kept: masculinity, age, nose width, chin length" in outcome.text
    widths = [
        workspace.studio.measurements(workspace.face(f"face-{n}").estimate.code)["nose_width"]
        for n in (2, 3, 4)
    ]
    assert max(widths) - min(widths) < 0.3
    children = breed(BreedRequest(faces=["face-3", "face-4"], count=1), workspace)
    assert children.faces == ("face-5",) and workspace.face("face-5").parent == "face-3"
    monkeypatch.setattr("tools.replay.write_face", lambda *_: None)
    monkeypatch.setattr("tools.replay.file_digest", lambda path: "")
    results = replay_case(workspace.folder, tmp_path / "again", lambda doing, share: None)
    assert [(r.how, r.code) for r in results] == [("numbers", True)] + [("again", True)] * 4
    digests = {code_digest(workspace.face(handle).estimate) for handle in workspace.handles}
    assert len(digests) == 5


def test_variants_refuse_what_makes_no_sense(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="did you mean nose width"):
        variants(VariantsRequest(keep=["nose widht"]), workspace)
    photo = workspace.face().estimate
    workspace.add(photo, made_by={"tool": "reconstruct"}, speculative=False)
    with pytest.raises(ToolError, match="nothing of it was left unsaid"):
        variants(VariantsRequest(), workspace)
    assert variants(VariantsRequest(count=1, spread=0.3), workspace).faces == ("face-3",)
    with pytest.raises(ToolError, match="at least two different"):
        breed(BreedRequest(faces=["face-1", "face-1"]), workspace)


def test_more_less_and_back_keep_everything_else(workspace: Workspace) -> None:
    move(workspace, smile=0.4, eye_size=-0.2)
    adjust(AdjustRequest(how="more"), workspace)
    adjust(AdjustRequest(how="less", sliders=["smile"], amount=0.25), workspace)
    values = [sliders(workspace, f"face-{n}") for n in (1, 2, 3, 4)]
    assert [v["smile"] for v in values] == pytest.approx([0, 0.4, 0.6, 0.55], abs=0.02)
    assert [v["eye size"] for v in values] == pytest.approx([0, -0.2, -0.3, -0.3], abs=0.02)
    adjust(AdjustRequest(how="back", sliders=["smile"], to="face-1"), workspace)
    now = sliders(workspace, "face-5")
    assert now["smile"] == pytest.approx(0, abs=0.01) and now["eye size"] == pytest.approx(-0.3, abs=0.02)
    assert now["nose width"] == pytest.approx(0.5, abs=0.02)


def test_adjusting_says_what_is_missing(workspace: Workspace) -> None:
    for request, told in (
        (AdjustRequest(how="more"), "nothing was changed on the way"),
        (AdjustRequest(how="back", sliders=["smile"]), "no face before face-1"),
        (AdjustRequest(how="more", sliders=["smiel"]), "did you mean smile"),
        (AdjustRequest(how="back", sliders=["smile"], to="face-1"), "already are"),
    ):
        with pytest.raises(ToolError, match=told):
            adjust(request, workspace)


def test_history_shows_branches(workspace: Workspace) -> None:
    move(workspace, smile=0.4)
    go_to(GoToRequest(face="face-1"), workspace)
    move(workspace, nose_width=-0.5)
    lines = history(HistoryRequest(), workspace).text.splitlines()
    assert lines == [
        "  face-1: imagine x",
        "    face-2: edit smile +0.40",
        "*   face-3: edit nose width -0.50",
    ]


def test_an_array_shows_the_faces_and_overwrites_none(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match=r"face-1\.png is not there"):
        array(ArrayRequest(), workspace)
    Image.new("RGBA", (64, 64), "red").save(workspace.folder / "face-1.png")
    outcome = array(ArrayRequest(faces=["face-1", "face-1", "face-1"], name="all"), workspace)
    assert outcome.files == ("all.png",) and Image.open(workspace.folder / "all.png").width == 512
    with pytest.raises(ToolError, match="choose another name"):
        array(ArrayRequest(name="face-1"), workspace)


def test_a_copied_face_remembers_what_was_said(workspace: Workspace, tmp_path: Path) -> None:
    away = Workspace(tmp_path / "away", open_studio())
    brought = away.bring(workspace.folder / "face-1.json")
    assert said_of(brought, away).sliders == ("nose width",)
