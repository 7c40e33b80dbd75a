"""The command line: quick help, and one clear sentence with exit code 2 for everything expected."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from facegpt_model.face import FaceEstimate
from tools.workspace import Workspace
from ui.cli import app

COMMANDS = (
    "chat", "demo", "imagine", "reconstruct", "edit", "render", "describe", "export", "doctor", "assets",
    "train", "evaluate", "models", "convert", "data",
)  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(result: Result) -> str:
    """The one sentence of a refused command."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("facegpt: "), result.stderr
    return lines[0]


@pytest.fixture
def face(case: Path, estimate: Callable[..., FaceEstimate], numbers_only: None) -> Path:
    Workspace(case).add(estimate(1), made_by={"tool": "test"})
    return case / "face-1.json"


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ui.cli import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'numba', 'transformers', 'langchain', 'PIL', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0 and "Usage" in result.output


@pytest.mark.parametrize(("text", "told"), [("", "the text is empty"), ("x" * 20_000, "20,000 characters")])
@pytest.mark.parametrize("command", ["imagine", "chat"])
def test_bad_texts(tmp_path: Path, command: str, text: str, told: str) -> None:
    arguments = (text,) if command == "imagine" else ("--say", text)
    assert told in refusal(run(command, *arguments, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["imagine", "chat", "demo"])
def test_a_missing_checkpoint(tmp_path: Path, command: str) -> None:
    said = {"imagine": ("a man",), "chat": ("--say", "a man"), "demo": ()}[command]
    told = refusal(run(command, *said, "--checkpoint", tmp_path / "no-such-model", "--out", tmp_path / "out"))
    assert "no-such-model" in told


def test_photos_that_are_none(tmp_path: Path) -> None:
    notes = tmp_path / "notes.jpg"
    notes.write_text("these are notes")
    wall = tmp_path / "wall.png"
    Image.new("RGB", (200, 200), "grey").save(wall)
    out = tmp_path / "out"
    assert "notes.jpg is not a picture" in refusal(run("reconstruct", notes, "--out", out))
    assert "no face" in refusal(run("reconstruct", wall, "--out", out)).lower()
    assert "there is no file" in refusal(run("reconstruct", tmp_path / "missing.jpg", "--out", out))
    assert "notes.jpg is not a picture" in refusal(run("chat", "--photo", notes, "--say", "hi", "--out", out))


def test_a_batch_lists_its_failures_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_text("no")
    Image.new("RGB", (200, 200), "grey").save(folder / "b.png")
    result = run("reconstruct", folder, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "2 of 2 photos gave no face" in result.stderr and "b.png" in result.stderr


def test_an_unknown_slider_names_close_ones(face: Path, case: Path) -> None:
    told = refusal(run("edit", face, "--set", "nose widht=+0.5", "--out", case))
    assert "did you mean nose width" in told
    assert "cannot read the setting" in refusal(run("edit", face, "--set", "smile=a lot", "--out", case))
    assert "say what to change" in refusal(run("edit", face, "--out", case))
    assert Workspace(case).handles == ("face-1",)


@pytest.mark.parametrize("command", ["edit", "render", "describe", "export"])
def test_files_that_are_no_faces(tmp_path: Path, command: str) -> None:
    extra = {
        "edit": ("--set", "smile=0.5", "--out", tmp_path / "out"),
        "render": ("--out", tmp_path / "a.png"),
        "describe": (),
        "export": ("--out", tmp_path / "a.glb"),
    }[command]
    (tmp_path / "face.json").write_text("{]")
    assert "not valid JSON" in refusal(run(command, tmp_path / "face.json", *extra))
    assert "there is no file" in refusal(run(command, tmp_path / "missing.json", *extra))


def test_an_out_folder_that_cannot_be_written(face: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for arguments in (
        ("imagine", "a man", "--out", tmp_path / "taken"),
        ("edit", face, "--set", "smile=0.5", "--out", tmp_path / "taken"),
        ("render", face, "--out", tmp_path / "taken" / "face.png"),
        ("render", face, "--turntable", "--out", tmp_path / "taken" / "face.webp"),
        ("render", face, "--sheet", "--out", tmp_path / "taken" / "face.png"),
        ("export", face, "--out", tmp_path / "taken" / "face.glb"),
        ("export", face, "--out", tmp_path / "taken" / "face.obj"),
    ):
        assert "cannot write to" in refusal(run(*arguments))


def test_export_and_render_refuse_unknown_suffixes(face: Path, tmp_path: Path) -> None:
    assert "let the name end in .glb" in refusal(run("export", face, "--out", tmp_path / "face.fbx"))
    assert "let the name end in .png" in refusal(run("render", face, "--out", tmp_path / "face.txt"))
    turntable = ("render", face, "--turntable")
    assert "let the name end in .webp or .gif" in refusal(run(*turntable, "--out", tmp_path / "face.png"))
    assert "let the name end in .png" in refusal(run("render", face, "--sheet", "--out", tmp_path / "a.gif"))


def test_export_refuses_axes_it_cannot_write(face: Path, tmp_path: Path) -> None:
    glb = ("export", face, "--out", tmp_path / "face.glb")
    assert "did you mean nose width" in refusal(run(*glb, "--axes", "nose widht"))
    assert "'eye colour' changes colour or hair, not shape" in refusal(run(*glb, "--axes", "eye colour"))
    assert "name the sliders" in refusal(run(*glb, "--axes", " , "))
    obj = ("export", face, "--out", tmp_path / "face.obj")
    assert "a .obj file holds no morph targets" in refusal(run(*obj, "--axes", "nose width"))
    assert "a .obj file holds no morph targets" in refusal(run(*obj, "--quantised"))
    assert not list(tmp_path.glob("face.*"))


def test_render_refuses_options_that_contradict(face: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "turn.webp")
    assert "ask for one of them" in refusal(run("render", face, "--turntable", "--sheet", *out))
    assert "leave out --yaw" in refusal(run("render", face, "--turntable", "--yaw", "30", *out))
    assert "leave out --pitch" in refusal(run("render", face, "--sheet", "--pitch", "30", *out))
    fast = ("--frames", "100", "--seconds", "1")
    assert "take at most 50 frames" in refusal(run("render", face, "--turntable", *fast, *out))


def test_a_corrupt_asset_is_told_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facegpt_model import assets

    monkeypatch.setenv("FACEGPT_HOME", str(tmp_path))
    place = next(status.path for status in assets.status() if status.name == "face_landmarker")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"damaged")
    result = run("assets")
    assert result.exit_code == 0 and "corrupt" in result.stdout and "missing" in result.stdout
    assert "facegpt assets --fetch face_landmarker" in refusal(run("assets", "--verify"))
    assert "no-such" in refusal(run("assets", "--fetch", "no-such"))
