"""facegpt store: the commands say what they did, and one sentence for what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.studio import open_studio
from tools.workspace import Workspace
from ui.cli import app

pytestmark = pytest.mark.usefixtures("numbers_only")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("FACEGPT_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("tools.store.thumbnails.SIDE", 32)

    def invoke(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["store", *map(str, arguments)])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def test_from_demo_to_delete(
    run: Callable[..., Result],
    case: Path,
    scripted: Callable[..., Any],
    estimate: Callable[..., FaceEstimate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "8 synthetic people stored" in run("demo", "--n", 8).stdout
    Workspace(case).add(estimate(1), made_by={})
    added = run("add", case / "face-1.json", "--case", "k-1", "--tag", "mine").stdout
    assert "1 new, 0 stored before, 0 failed; the store holds 9 faces" in added
    told = run("query", case / "face-1.json", "--n", 2, "--out", case / "hits").stdout
    assert "similar shape, not an identification" in told and "distance 0.00: same" in told
    hits = json.loads((case / "hits" / "hits.json").read_text())
    assert hits[0]["facts"]["case"] == "k-1" and (case / "hits" / "similar.png").exists()
    known = hits[0]["id"]
    assert "by nose alone" in run("query", known, "--part", "nose").stdout
    assert "by eyes, brows, nose, mouth, skin alone" in run("query", known, "--any", "jaw").stdout
    imagined = open_studio().axes.code({"masculinity": -0.5})
    reply = Reply("A woman of about 30. <FACE>", (), (FaceEstimate(imagined, None, "text:x", "m@1"),))
    monkeypatch.setattr("ui.services.open_backend", lambda checkpoint=None: scripted([reply]))
    words = run("query", "--text", "a young woman", "--n", 1).stdout
    assert "by what was said (A woman of about 30)" in words and "looks like a woman" in words
    info = run("info").stdout
    assert "9 faces of openhead@2" in info and "tags: demo 8, mine 1" in info
    assert "deleted 1 face" in run("delete", "--case", "k-1", "--yes").stdout
    assert "rebuilt 8 faces" in run("rebuild").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("query",), "say what to look for"),
        (("query", "f0", "--looks", "boy"), "--looks: input should be"),
        (("query", "f0"), "holds no face 'f0'"),
        (("query", "nowhere.json"), "there is no file nowhere.json"),
        (("delete",), "name the faces to delete"),
        (("delete", "--case", "John Smith", "--yes"), "nobody's name"),
        (("import", "nowhere"), "there is no file nowhere"),
        (("export", "--out", "x.jsonl"), "store is empty"),
        (("info", "--url", "http://127.0.0.1:9"), "no face store answers"),
    ],
)
def test_one_sentence_for_what_goes_wrong(
    run: Callable[..., Result], arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*arguments, code=2)
    assert sentence in result.stderr and "Traceback" not in result.output
