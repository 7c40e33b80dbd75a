"""The commands do their work; the chat model follows a script, everything else is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tools.face_files import write_face
from tools.workspace import Workspace
from ui.cli import app

pytestmark = pytest.mark.usefixtures("numbers_only")
Make = Callable[..., FaceEstimate]


def run(*arguments: object, typed: str | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


@pytest.fixture
def follow(scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Let the commands talk with a script instead of the embedded model."""

    def install(*replies: Reply | Exception) -> Any:
        backend = scripted(replies)
        monkeypatch.setattr("ui.services.open_backend", lambda checkpoint=None: backend)
        return backend

    return install


def edit_call(call: Callable[..., Any], **sliders: float) -> Reply:
    changes = [{"slider": name.replace("_", " "), "value": value} for name, value in sliders.items()]
    return Reply("", (call("edit", face="", changes=changes),))


def test_imagine_writes_a_face_and_says_so(case: Path, follow: Callable[..., Any], estimate: Make) -> None:
    backend = follow(Reply("A man of about 50. <FACE>", (), (estimate(1),)))
    result = run("imagine", "an old man", "--out", case)
    assert "A man of about 50. <FACE>" in result.stdout
    assert f"wrote {case / 'face-1.glb'}" in result.stdout.replace("\n", "")
    assert backend.asked[0][0][0].text == "an old man"


def test_variants_of_a_text_come_with_a_sheet(
    case: Path, follow: Callable[..., Any], estimate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(Reply("A man of about 50. <FACE>", (), (estimate(1),)))
    monkeypatch.setattr("tools.workspace.write_face", write_face)
    monkeypatch.setattr("tools.face_files.PICTURE_SIZE", 32)
    told = run("imagine", "an old man", "--variants", 2, "--out", case).stdout
    assert "face-2: variants of face-1; kept: masculinity, age" in told
    assert Image.open(case / "variants-of-face-1.png").size == (512, 282)


def test_edit_by_slider_and_in_words(
    case: Path, tmp_path: Path, follow: Callable[..., Any], estimate: Make, call: Callable[..., Any]
) -> None:
    Workspace(case).add(estimate(1), made_by={})
    backend = follow(edit_call(call, smile=0.3))
    run("edit", case / "face-1.json", "let him smile", "--set", "nose width=+0.5", "--out", tmp_path / "new")
    assert Workspace(tmp_path / "new").lineage("face-3") == ("face-1", "face-2", "face-3")
    record = json.loads((tmp_path / "new" / "face-3.json").read_text())
    assert record["made_by"]["changes"] == [{"slider": "smile", "value": 0.3}]
    offered = backend.asked[0][1]
    assert [tool.name for tool in offered] == ["edit"]
    assert offered[0].parameters["properties"]["face"]["enum"] == ["face-2"]


def test_words_that_are_no_change_are_told(case: Path, follow: Callable[..., Any], estimate: Make) -> None:
    Workspace(case).add(estimate(1), made_by={})
    follow(Reply("Hello!"))
    result = CliRunner().invoke(app, ["edit", str(case / "face-1.json"), "hello", "--out", str(case)])
    assert result.exit_code == 2 and "--set 'nose width=+0.5'" in result.stderr


def test_render_describe_export(case: Path, tmp_path: Path, estimate: Make) -> None:
    Workspace(case).add(estimate(1), made_by={})
    face = case / "face-1.json"
    run("render", face, "--yaw", 30, "--size", 96, "--out", tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size == (96, 96)
    told = run("describe", face).stdout
    assert "nose width" in told and "Speculative" in told
    assert "77 named morph targets" in run("export", face, "--out", tmp_path / "a.glb").stdout
    small = run(
        "export", face, "--axes", "nose width, chin length", "--quantised", "--out", tmp_path / "b.glb"
    )
    assert "54 named morph targets" in small.stdout
    assert (tmp_path / "b.glb").stat().st_size < 0.4 * (tmp_path / "a.glb").stat().st_size
    told = run("export", face, "--out", tmp_path / "new" / "a.obj").stdout
    assert (tmp_path / "new" / "a.obj").read_text().startswith("#")
    assert all(f"{tmp_path / 'new' / name}: belongs to it" in told for name in ("a.mtl", "a-face.png"))


def test_turntable_and_sheet(case: Path, tmp_path: Path, estimate: Make) -> None:
    Workspace(case).add(estimate(1), made_by={})
    face = case / "face-1.json"
    turn = tmp_path / "new" / "turn.webp"
    told = run(
        "render", face, "--turntable", "--frames", 3, "--seconds", 1, "--size", 64, "--out", turn
    ).stdout
    assert "drawing the turn" in told and "3 frames of 64 x 64 pixels, 1 s a turn" in told
    assert Image.open(turn).n_frames == 3
    run("render", face, "--sheet", "--size", 64, "--out", tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").width == 4 * 64


def test_a_scripted_chat_streams_and_keeps_its_record(
    case: Path, follow: Callable[..., Any], estimate: Make, call: Callable[..., Any]
) -> None:
    follow(Reply("A man. <FACE>", (), (estimate(1),)), edit_call(call, smile=0.3))
    out = run("chat", "--say", "a man", "--say", "let him smile", "--out", case).stdout
    for said in (
        "you      a man",
        "FaceGPT  A man. <FACE>",
        "edit smile +0.3",
        "done face-2 made from face-1",
    ):
        assert said in out, out
    assert "wrote" not in out  # the three files of a face are told with the face
    assert out.index("face-1.png") < out.index("let him smile") < out.index("Here is face-2: ")
    assert len(json.loads((case / "transcript.json").read_text())["messages"]) == 6


def test_the_interactive_chat_knows_its_commands_and_survives_mistakes(
    case: Path, follow: Callable[..., Any], estimate: Make
) -> None:
    follow(Reply("<FACE>", (), (estimate(1),)), Reply("<FACE>", (), (estimate(2),)))
    lines = [
        "/undo",
        "/faces",
        "a man",
        "another",
        "/undo",
        "/faces",
        "/redo",
        "/photo nowhere.jpg",
        "/what",
        "/quit",
    ]
    out = run("chat", "--out", case, typed="\n".join(lines)).stdout
    for said in (
        "nothing to undo",
        "no face yet",
        "face-1 is current again",
        "* face-1",
        "face-2 is current again",
        "there is no file nowhere",
    ):
        assert said in out, out
    assert out.count("/photo PATH") == 2


def test_chosen_faces_are_varied_bred_and_deleted_by_command(
    case: Path, follow: Callable[..., Any], estimate: Make
) -> None:
    follow(Reply("A man. <FACE>", (), (estimate(1),)))
    lines = [
        "a man",
        "/variants 2",
        "/breed face-2 face-3",
        "/delete face-2",
        "n",
        "/delete face-2",
        "y",
        "/faces",
    ]
    out = run("chat", "--thread", "one", "--root", case, typed="\n".join(lines)).stdout
    assert "variants of face-1" in out and "children of face-2, face-3" in out
    assert out.count("face-2 was deleted") == 1 and not (case / "one" / "face-2.json").exists()
    assert "one " in run("threads", "list", "--root", case).stdout
    assert "  1  a man" in run("threads", "show", "one", "--root", case).stdout
    assert "1 turn and 6 faces" in run("threads", "fork", "one", "--before", 2, "--root", case).stdout
    run("threads", "rename", "one", "two", "--root", case)
    result = CliRunner().invoke(app, ["threads", "delete", "two", "--root", str(case)], input="n\n")
    assert result.exit_code == 2 and (case / "two").is_dir()
    run("threads", "delete", "two", "--yes", "--root", case)
    assert not (case / "two").exists()


def test_a_witness_is_warned_first_and_the_case_stays_theirs(
    case: Path, follow: Callable[..., Any], estimate: Make
) -> None:
    follow(Reply("A man of about 50. <FACE>", (), (estimate(1),)))
    said = ("--say", "a man around fifty", "--say", "that is all")
    out = run("chat", "--witness", *said, "--out", case).stdout
    assert (
        out.index("Before we begin")
        < out.index("a man around fifty")
        < out.index("face-1 is a first picture")
    )
    result = CliRunner().invoke(app, ["chat", "--say", "hello", "--out", str(case)])
    assert result.exit_code == 2 and "--witness" in result.stderr


def test_the_interactive_chat_ends_with_its_input_and_goes_on_later(
    case: Path, follow: Callable[..., Any], estimate: Make
) -> None:
    follow(Reply("<FACE>", (), (estimate(1),)), Reply("Hello again."))
    run("chat", "--out", case, typed="a man\n")
    assert "going on with" in run("chat", "--out", case, typed="hello\n").stdout


def test_the_demo_plays_its_script_twice_but_never_over_a_real_case(
    tmp_path: Path, follow: Callable[..., Any], estimate: Make, call: Callable[..., Any]
) -> None:
    def script() -> list[Reply]:
        return [
            Reply("A man. <FACE>", (), (estimate(1),)),
            edit_call(call, nose_width=0.5, smile=0.3),
            Reply("", (call("reconstruct", photo="photo-1"),)),
            Reply("", (call("export", face="face-3", format="glb"),)),
        ]

    out = tmp_path / "demo"
    for _ in range(2):
        follow(*script())
        told = run("demo", "--out", out).stdout
        assert "facegpt chat" in told and f"wrote {out / 'overlay.png'}" in told
    faces = {f"face-{n}.json" for n in (1, 2, 3)}
    expected = faces | {"face-3.glb", "overlay.png", "transcript.json", "journal.jsonl"}
    assert expected <= {path.name for path in out.iterdir()}
    assert not (out / "face-4.json").exists()
    case = tmp_path / "case"
    Workspace(case).add(estimate(1), made_by={})
    result = CliRunner().invoke(app, ["demo", "--out", str(case)])
    assert result.exit_code == 2 and "no demo" in result.stderr and (case / "face-1.json").exists()


def test_a_demo_that_makes_no_face_fails(tmp_path: Path, follow: Callable[..., Any]) -> None:
    follow(Reply("Sorry."))
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "demo")])
    assert result.exit_code == 2 and "did not make the model imagine" in result.stderr
