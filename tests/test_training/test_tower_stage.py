"""The tower stage: a short run to a checkpoint, resuming after a kill, two processes as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from facegpt_model.data.features import SeenFaces, read_seen
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.training import run
from facegpt_model.training.config import ConfigError, load_config
from facegpt_model.training.tower import TowerConfig, TowerStage
from facegpt_model.training.tower_data import read_faces
from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.vlm.tower import read_tower
from tests.test_training.halves import in_two, learn_half

SMALL = [
    *("held_out=16", "batch_size=8", "width=32", "depth=1", "dropout=0", "feature_noise=0", "ridge=0.1"),
    *("refit_ridge=0.1", "linear_rate=0.1"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of 96 faces without pictures; six coefficients can be read from the embedding."""
    out = tmp_path_factory.mktemp("seen")
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "grid": (256, 4, 4),
        "middle": (128, 8, 8),
        "trunk16": (1,),
        "trunk8": (8, 8, 128),
        "trunk2": (2, 2, 128),
        "blendshapes": (52,),
    }
    tensors = {name: torch.zeros(96, *shape).half() for name, shape in shapes.items()}
    tensors["embedding"] = torch.randn(96, 128, generator=generator).half()
    tensors["points"] = torch.randn(1, 478, 3, generator=generator).half().expand(96, -1, -1).clone()
    identity = 0.1 * torch.randn(96, 150, generator=generator)
    identity[:, :6] = tensors["embedding"][:, :6].float()
    truths = {
        "identity": identity, "expression": torch.zeros(96, 52), "rotation": torch.zeros(96, 3),
        "translation": torch.zeros(96, 3), "focal": torch.ones(96), "points478": torch.zeros(96, 478, 2),
        "person": torch.arange(96),
    }  # fmt: skip
    torch.save({**tensors, **truths, "kind": ["plain", "dressed"] * 48}, out / "00000.pt")
    return out


def stage_of(folder: Path, *overrides: str) -> TowerStage:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    torch.manual_seed(0)
    config = load_config(TowerConfig, "tower", "cpu", [*SMALL, f"faces={folder}", *overrides])
    return TowerStage(head, read_faces(config.faces), config)


def test_a_short_run_learns_and_writes_a_tower(folder: Path, tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []
    settings = [*SMALL, f"faces={folder}", "steps=30", "learning_rate=3e-3", "warmup_steps=2", "ema=0.9"]
    out = run.main("tower", "cpu", settings, tmp_path, lines.append)
    assert lines[-1]["shape"] < lines[0]["shape"]
    tower, _ = read_tower(out)
    card = json.loads((out / "tower.json").read_text())["card"]
    assert card["faces"] == 80 and card["held_out_r2"]["all"] > 0.1
    faces = read_seen(folder)
    with torch.no_grad():
        mean = tower(faces.features(torch.arange(80, 96))).mean
    stage = stage_of(folder)
    assert stage.metric.explained(mean, faces.identity[80:]) == pytest.approx(
        card["held_out_r2"]["all"], abs=0.01
    )


def test_faces_must_be_named_and_be_enough(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give faces=FOLDER"):
        run.main("tower", "gpu", [], tmp_path)
    with pytest.raises(ConfigError, match="batchsize"):
        run.main("tower", "cpu", ["batchsize=3"], tmp_path)
    with pytest.raises(ValueError, match="too few to keep 60"):
        stage_of(folder, "held_out=60")


def test_the_average_follows_the_weights(folder: Path) -> None:
    stage = stage_of(folder, "ema=0.5").train()
    before = stage.average.weights["linear.bias"].clone()
    with torch.no_grad():
        stage.tower.linear.bias.add_(1.0)
    stage(stage.batch(torch.arange(8)))
    torch.testing.assert_close(stage.average.weights["linear.bias"], before + 0.5)
    state = {name: tensor.clone() for name, tensor in stage.trainable().items()}
    other = stage_of(folder)
    other.restore(state)
    other.finish()
    torch.testing.assert_close(other.tower.asks, state["average.asks"])


def test_the_end_of_a_run_refits_weighs_and_calibrates(folder: Path) -> None:
    stage = stage_of(folder, "correction=0.25", "refit_ridge=3.0")
    with torch.no_grad():
        stage.average.weights["correct.weight"].normal_()
    drawn = stage.average.weights["correct.weight"].clone()
    stage.finish()
    torch.testing.assert_close(stage.tower.correct.weight, 0.25 * drawn)
    apart = stage_of(folder, "ridge=3.0")
    torch.testing.assert_close(stage.tower.linear.weight, apart.tower.linear.weight)
    index = torch.arange(80, 96)
    with torch.no_grad():
        reading = stage.tower(stage.faces.features(index))
    missed = ((reading.mean - stage.faces.identity[index]) / reading.std).square().mean().sqrt()
    assert float(missed) == pytest.approx(1, abs=0.05)
    again = stage.tower.doubt.bias.clone()
    stage.finish()  # a run killed at its very end does this twice
    torch.testing.assert_close(stage.tower.doubt.bias, again)


def test_one_command_goes_from_nothing_to_a_tower(tmp_path: Path) -> None:
    told: list[str] = []
    run.main("tower", "tiny", [], tmp_path, progress=lambda doing, share: told.append(doing))
    tower, offset = read_tower(tmp_path / "checkpoint")
    card = json.loads((tmp_path / "checkpoint" / "tower.json").read_text())["card"]
    assert card["faces"] == 24 and card["drawn"][0]["seed"] == 5 and card["steps"] == 4
    assert tower.settings.width == 32 and float(offset.abs().max()) == 0
    assert any("drawing faces" in line for line in told) and any("looking" in line for line in told)
    drawn = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*/5/*")}
    assert len(drawn) == 3  # a shard, its order, what was seen of it
    run.main("tower", "tiny", [], tmp_path)
    assert {file: file.stat().st_mtime_ns for file in drawn if file.name != "order.json"} == {
        file: when for file, when in drawn.items() if file.name != "order.json"
    }


def test_several_folders_are_one_set(folder: Path) -> None:
    both: SeenFaces = read_faces(f"{folder},{folder}")
    assert both.seen.trunk16.shape == (192, 0)  # not read by the tower, half of all memory
    assert len(both) == 192 and both.kinds[96:98] == ("plain", "dressed")
    seen = both.features(torch.tensor([96, 1]))
    assert isinstance(seen, FrozenFeatures) and seen.embedding.dtype == torch.float32
    torch.testing.assert_close(seen.embedding[0], both.features(torch.tensor([0])).embedding[0])


def test_a_killed_run_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    settings = [*SMALL, f"faces={folder}", "steps=400", "save_minutes=0.0001"]
    code = (
        "from pathlib import Path\nfrom facegpt_model.training import run\n"
        f"run.main('tower', 'cpu', {settings!r}, Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})
    log = tmp_path / "log.jsonl"
    try:
        for _ in range(6000):
            if log.is_file() and log.read_text().count("\n") >= 3:
                break
            time.sleep(0.1)
        else:
            pytest.fail("the run never began")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    killed_at = torch.load(tmp_path / "resume.pt", weights_only=True)["progress"]["step"]
    assert 20 <= killed_at < 400
    assert not (tmp_path / "checkpoint").exists()
    run.main("tower", "cpu", settings, tmp_path)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps[-1] == 400
    after = [step for step in steps if step > killed_at]
    assert after == sorted(set(after)) and len(steps) <= 43  # nothing began again from the first step
    assert (tmp_path / "checkpoint" / "tower.safetensors").is_file()


def learn(rank: int, folder: str, meeting: str, results: str) -> None:
    """One of two processes."""
    stage = stage_of(Path(folder)).train()
    batch = stage.batch(torch.arange(8 * rank, 8 * rank + 8))
    learn_half(stage, batch, stage.tower.correct.weight, rank, meeting, results)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(folder: Path, tmp_path: Path) -> None:
    halves = in_two("tests.test_training.test_tower_stage", folder, tmp_path)
    stage = stage_of(folder).train()
    total = torch.stack(list(stage(stage.batch(torch.arange(16))).values())).sum()
    total.backward()
    torch.testing.assert_close((halves[0]["loss"] + halves[1]["loss"]) / 2, total.detach())
    gradient = stage.tower.correct.weight.grad
    assert gradient is not None and float(gradient.abs().max()) > 0
    for half in halves:
        torch.testing.assert_close(half["gradient"], gradient, atol=1e-6, rtol=1e-4)


def test_a_run_depends_on_its_seed_and_not_on_what_was_drawn_before(folder: Path, tmp_path: Path) -> None:
    towers = []
    for before in (1, 2):
        torch.manual_seed(before)
        settings = [*SMALL, f"faces={folder}", "steps=2"]
        out = run.main("tower", "cpu", settings, tmp_path / str(before))
        towers.append(read_tower(out)[0].state_dict())
    for name, tensor in towers[0].items():
        torch.testing.assert_close(tensor, towers[1][name], rtol=0, atol=0, msg=name)
