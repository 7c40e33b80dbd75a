"""Workflows: the examples of the docs, resuming, errors, and that nothing leads out of their folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from agent.workflow_file import filled, inside, read_workflow
from agent.workflows import WorkflowRun
from facegpt_model import layout
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.errors import ToolError
from tools.face_files import Face, face_record
from tools.studio import Studio
from tools.writing import write_text
from ui.cli import app

DOCS = Path(__file__).parents[2] / "docs" / "workflows"
Make = Callable[..., FaceEstimate]
Script = Callable[..., Any]


@pytest.fixture(autouse=True)
def flat_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces get their JSON and a picture of one colour."""

    def write(folder: Path, face: Face, studio: Studio) -> None:
        write_text(folder / f"{face.handle}.json", layout.dumps(face_record(face, studio)))
        Image.new("RGBA", (32, 32), "red").save(folder / f"{face.handle}.png")

    monkeypatch.setattr("tools.workspace.write_face", write)


@pytest.fixture
def follow(scripted: Script, estimate: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def install(*texts: str) -> Any:
        replies = [
            Reply(f"{text} <FACE>" if text else "Hm.", (), (estimate(n),) if text else ())
            for n, text in enumerate(texts)
        ]
        backend = scripted(replies)
        monkeypatch.setattr("ui.services.open_backend", lambda checkpoint=None: backend)
        return backend

    return install


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def write(folder: Path, text: str) -> Path:
    path = folder / "flow.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "said", "faces", "file"),
    [
        ("descriptions", ("A woman.", "A man.", "A man."), 3, "sheet.png"),
        ("witness-array", ("A man of about 50 with a broad nose.",), 7, "children.png"),
        ("expressions", ("A woman with freckles.",), 4, "face-4.obj"),
    ],
)
def test_the_examples_of_the_docs_run(
    name: str, said: tuple[str, ...], faces: int, file: str, case: Path, follow: Callable[..., Any]
) -> None:
    follow(*said)
    assert "dry run" in run(DOCS / f"{name}.yaml", "--out", case, "--dry-run").stdout and not case.exists()
    result = run(DOCS / f"{name}.yaml", "--out", case, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["ok"] and told == json.loads((case / "results.json").read_text())
    assert len(list(case.glob("face-*.json"))) == faces and (case / file).is_file()
    follow()  # everything was done: no model is asked
    again = json.loads(run(DOCS / f"{name}.yaml", "--out", case, "--json").stdout)
    assert all(step["again"] == step["calls"] for step in again["steps"].values())
    assert len(list(case.glob("face-*.json"))) == faces


def test_a_failed_call_is_told_and_made_again_later(case: Path, follow: Callable[..., Any]) -> None:
    follow("A woman.", "", "A man.")
    result = run(DOCS / "descriptions.yaml", "--out", case)
    assert result.exit_code == 2 and "1 call failed, the first: the model made no face" in result.stderr
    assert len(list(case.glob("face-*.json"))) == 2 and (case / "sheet.png").is_file()  # on_error: continue
    backend = follow("An old man.")
    assert run(DOCS / "descriptions.yaml", "--out", case).exit_code == 0
    assert [turn.text for turns, _, _ in backend.asked for turn in turns] == [
        "an old man with a hooked nose, thin lips and grey hair"
    ]


def test_an_error_stops_where_it_should(tmp_path: Path, follow: Callable[..., Any]) -> None:
    flow = write(
        tmp_path,
        "name: x\nsteps:\n- {id: a, tool: describe, for: {items: [1, 2]}}\n- {id: b, tool: history}\n",
    )
    result = run(flow, "--out", tmp_path / "out", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 2 and told["steps"]["a"]["calls"] == 1 and "b" not in told["steps"]


def test_calls_in_processes_share_the_case(tmp_path: Path, estimate: Make) -> None:
    from tools.workspace import Workspace

    Workspace(tmp_path / "out").add(estimate(1), made_by={})
    flow = write(
        tmp_path,
        "name: x\nsteps:\n- {id: a, tool: render, workers: 2, for: {items: [-30, 30]}, "
        "with: {face: face-1, yaw: '${item}', size: 64}}\n",
    )
    workflow = read_workflow(flow, {})
    told = WorkflowRun(workflow, tmp_path, tmp_path / "out", _no_backend).run(lambda doing, share: None)
    assert told["ok"] and told["steps"]["a"]["files"] == ["face-1-yaw-30.png", "face-1-yaw+30.png"]
    assert Workspace(tmp_path / "out").journal.verify() == 4


def _no_backend() -> Any:
    raise AssertionError("no model is needed")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: [", "not valid YAML"),
        ("name: x\nsteps: []", "steps"),
        ("name: x\nstops: 1\nsteps: [{id: a, tool: undo}]", "stops"),
        ("name: x\nsteps: [{id: a, tool: fly}]", "no tool called 'fly'"),
        ("name: x\nsteps: [{id: a, tool: delete, with: {face: face-1}}]", "approval"),
        ("name: x\nsteps: [{id: a, tool: render, with: {jaw: 3}}]", "takes no 'jaw'"),
        ("name: x\nsteps: [{id: a, tool: render, with: {yaw: 300}}]", "yaw"),
        ("name: x\nsteps: [{id: a, tool: render, with: {yaw: '${vars.turn}'}}]", "vars.turn"),
        ("name: x\nsteps: [{id: a, tool: undo}, {id: a, tool: redo}]", "id of its own"),
        ("name: x\nsteps: [{id: a, tool: undo, for: {table: ../secret.csv}}]", "outside"),
        ("name: x\nsteps: [{id: a, tool: undo, for: {folder: /etc}}]", "outside"),
        ("name: x\nsteps: [{id: a, tool: undo, for: {folder: ., match: ../*}}]", "plain pattern"),
        ("name: x\nsteps: [{id: a, tool: photo, with: {file: ../me.jpg}}]", "outside"),
        ("name: x\nsteps: [{id: a, tool: photo, with: {file: me.jpg}}]", "no file"),
        ("name: !!python/object/apply:os.system ['true']\nsteps: []", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    result = run(write(tmp_path, text), "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 2 and told in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_links_cannot_lead_out_either(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "link").symlink_to(tmp_path)
    with pytest.raises(ToolError, match="outside"):
        inside(tmp_path / "flows", "link/secret.csv")


def test_values_keep_their_type_and_nothing_is_run() -> None:
    known = {"vars": {"n": 3, "code": "${vars.n}"}, "item": {"a b": "x"}}
    assert filled("${vars.n}", known) == 3 and filled("n=${vars.n}", known) == "n=3"
    assert filled("${vars.code}", known) == "${vars.n}"  # what was put in is not looked at again
    assert filled("${1+1} $(ls) {vars}", known) == "${1+1} $(ls) {vars}"


def test_variables_are_set_from_outside(tmp_path: Path) -> None:
    flow = write(
        tmp_path, "name: x\nvars: {yaw: 0}\nsteps: [{id: a, tool: render, with: {yaw: '${vars.yaw}'}}]"
    )
    assert read_workflow(flow, {"yaw": "30"}).vars == {"yaw": 30}
    with pytest.raises(ToolError, match="no variable 'jaw'"):
        read_workflow(flow, {"jaw": "30"})
