"""Starting a server: what is checked before, what is told when it fails."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from facegpt_model.serving import launch
from facegpt_model.serving.backend import BackendError, CheckpointError
from facegpt_model.serving.export import CARD


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / CARD).write_text(json.dumps({"format": 1, "name": "facegpt@test"}))
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_stands_in_the_way_is_told_first(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.check(launch.ServeSettings(model=model, port=free_port())) == "facegpt@test"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BackendError, match=f"port {port} .* choose another with --port"):
            launch.check(launch.ServeSettings(model=model, port=port))
    monkeypatch.setattr(launch, "free_memory_gib", lambda: 1.0)
    with pytest.raises(BackendError, match=r"too little memory: .* 3\.6 GiB and 1\.0 GiB are free"):
        launch.check(launch.ServeSettings(model=model, port=free_port()))
    with pytest.raises(CheckpointError, match="export-checkpoint"):
        launch.check(launch.ServeSettings(model=model.parent))


def test_available_memory_is_what_the_system_says() -> None:
    assert launch.free_memory_gib("MemTotal: 1 kB\nMemAvailable:    3145728 kB\n") == 3.0


def test_the_interpreter_is_found_or_its_absence_told(tmp_path: Path) -> None:
    python = tmp_path / ".venv-serve" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    assert launch.serving_python({}, tmp_path) == python
    with pytest.raises(BackendError, match="make serve-cpu"):
        launch.serving_python({"FACEGPT_SERVE_PYTHON": str(tmp_path / "none")})


def test_the_key_is_not_on_the_command_line(model: Path, tmp_path: Path) -> None:
    settings = launch.ServeSettings(model=model)
    line = launch.command(settings, Path("python"), "facegpt@test")
    environment = launch.environment(settings, tmp_path, "secret")
    assert environment["VLLM_API_KEY"] == "secret" and not any("secret" in word for word in line)
    assert environment["VLLM_PLUGINS"] == "facegpt,facegpt_face"
    assert "--logprobs-mode=raw_logits" in line and "OMP_NUM_THREADS" not in environment


def test_a_server_that_ends_while_starting_is_told_with_its_error(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'x.py:3] ValueError: no such weights'\nexit 1\n")
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setitem(os.environ, "FACEGPT_SERVE_PYTHON", str(python))
    with pytest.raises(BackendError, match="ended while it started: ValueError: no such weights"):
        launch.start(launch.ServeSettings(model=model, port=free_port()), tmp_path / "cache")


def test_what_a_server_started_goes_with_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, worker = tmp_path / "python", tmp_path / "worker"
    python.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {worker}\nexit 1\n")
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setitem(os.environ, "FACEGPT_SERVE_PYTHON", str(python))
    with pytest.raises(BackendError, match="ended while it started"):
        launch.start(launch.ServeSettings(model=model, port=free_port()), tmp_path / "cache")
    state = Path(f"/proc/{int(worker.read_text())}/stat")
    until = time.monotonic() + 20
    while (
        state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    ):  # ended, not yet collected
        assert time.monotonic() < until, "the worker lives on"
        time.sleep(0.01)
