"""Faces of other head models: converting them, and what tools say when a model lacks something."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from facegpt_model.face import FaceEstimate
from tools.convert import ConvertRequest, convert
from tools.errors import ToolError
from tools.studio import open_studio, open_studio_of
from tools.workspace import Workspace
from ui.cli import app


@pytest.fixture
def home_with_ict(ict_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A FACEGPT_HOME in which only ICT is installed."""
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "ict").symlink_to(ict_sample, target_is_directory=True)
    monkeypatch.setenv("FACEGPT_HOME", str(home))
    return home


@pytest.fixture
def face(case: Path, estimate: Callable[..., FaceEstimate], numbers_only: None) -> Path:
    Workspace(case).add(estimate(1), made_by={"tool": "test"})
    return case / "face-1.json"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_there_and_back_and_every_command_on_a_foreign_face(
    home_with_ict: Path, face: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # real files from here on
    monkeypatch.setenv("FACEGPT_HOME", str(home_with_ict))
    monkeypatch.setattr("tools.face_files.PICTURE_SIZE", 64)
    out = tmp_path / "ict"
    told = run("convert", face, "--to", "ict", "--out", out)
    assert told.exit_code == 0, (told.output, told.exception)
    assert "face-1 in ict-face@1: the inner face lies" in told.output
    assert {"face-1.json", "face-1.png", "face-1.obj"} <= {path.name for path in out.iterdir()}
    record = json.loads((out / "face-1.json").read_text())
    assert record["basis"] == "ict-face@1" and len(record["identity"]) == 3
    error = record["made_by"]["error_mm"]
    assert error["mean"] < error["aligned_only"] and error["median"] < error["p95"]
    assert record["speculative"] and len(record["landmarks68"]) == 68 and record["description"] == ""
    assert Image.open(out / "face-1.png").getbbox() is not None

    foreign = out / "face-1.json"
    assert open_studio_of(foreign).head.basis == "ict-face@1"
    assert "no words, as ict-face@1 knows none; face width" in run("describe", foreign).output
    assert run("render", foreign, "--size", 64, "--out", tmp_path / "a.png").exit_code == 0
    assert "3 named morph targets" in run("export", foreign, "--out", tmp_path / "a.glb").output
    refused = run("export", foreign, "--axes", "all", "--out", tmp_path / "a.glb")
    assert refused.exit_code == 2 and "ict-face@1 has no named sliders" in refused.stderr
    refused = run("edit", foreign, "--set", "nose width=+0.5", "--out", tmp_path / "edited")
    assert refused.exit_code == 2 and refused.stderr.count("\n") == 1
    assert (
        "made for ict-face@1" in refused.stderr
        and "facegpt convert FACE.json --to openhead" in refused.stderr
    )

    back = convert(foreign, ConvertRequest(to="openhead"), tmp_path / "back")
    assert {"face-1.json", "face-1.png", "face-1.glb", "face-1.obj"} <= set(back.files)
    words = json.loads((tmp_path / "back" / "face-1.json").read_text())["description"]
    assert words.startswith("A ") and "basis" not in words


def test_refusals(home_with_ict: Path, face: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="is a face of openhead@2 already"):
        convert(face, ConvertRequest(to="openhead"), tmp_path)
    refused = run("convert", face, "--to", "flame2020", "--out", tmp_path / "x")
    assert refused.exit_code == 2 and "generic_model.pkl is not in" in refused.stderr
    refused = run("convert", face, "--to", "flaem2020", "--out", tmp_path / "x")
    assert refused.exit_code == 2 and "did you mean flame2020?" in refused.stderr
    assert not (tmp_path / "x").exists()
    with pytest.raises(ToolError, match="ict-face@1 has no named sliders"):
        _ = open_studio("ict").axes


def test_models_lists_what_is_here_and_how_to_get_the_rest(home_with_ict: Path) -> None:
    told = run("models").output
    assert "ict-face@1         installed" in told and "MIT, Copyright (c) 2020 USC" in told
    assert "bfm@2009           missing" in told and "01_MorphableModel.mat" in told
    assert str(home_with_ict / "models" / "bfm2009") in told and "openhead@2         installed" in told
