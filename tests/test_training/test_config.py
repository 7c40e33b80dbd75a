"""Presets, overrides, and the schedule of the one loop."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor, nn

from facegpt_model.training.config import ConfigError, StageConfig, load_preset
from facegpt_model.training.instruction import Replay
from facegpt_model.training.loop import Progress, learning_rate, train


class LineStage(nn.Module):
    """Learns y = 3x; small enough to test the loop itself."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1))
        self.finished = 0

    def parameter_groups(self) -> list[dict[str, object]]:
        return [{"params": [self.slope], "rate_factor": 1.0}]

    def batches(self, rng: Random) -> Iterator[Tensor]:
        while True:
            yield torch.tensor([rng.uniform(-1, 1) for _ in range(8)])

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        return {"fit": ((self.slope - 3) * batch).square().mean()}

    def finish(self) -> None:
        self.finished += 1

    def trainable(self) -> dict[str, Tensor]:
        return {"slope": self.slope.data}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.slope.data.copy_(state["slope"])


def config(**changes: object) -> StageConfig:
    return StageConfig(steps=60, learning_rate=0.3, warmup_steps=2, precision="fp32", **changes)


def test_the_loop_learns_logs_and_finishes(tmp_path: Path) -> None:
    stage = LineStage()
    progress = train(stage, config(), tmp_path)
    assert progress.step == 60 and stage.finished == 1
    assert abs(float(stage.slope.detach()) - 3) < 0.2
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40, 50, 60]
    assert lines[-1]["fit"] < lines[0]["fit"]


def test_a_run_resumes_where_it_stopped(tmp_path: Path) -> None:
    train(LineStage(), config(max_minutes=0).model_copy(update={"steps": 20}), tmp_path)
    again = LineStage()
    progress = train(again, config(), tmp_path)
    assert progress.step == 60
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 30, 40, 50, 60]


def test_a_loss_that_explodes_stops_the_run(tmp_path: Path) -> None:
    stage = LineStage()
    stage.slope.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="step 0"):
        train(stage, config(), tmp_path)


def test_the_rate_warms_up_and_comes_down() -> None:
    settings = StageConfig(steps=100, learning_rate=1.0, warmup_steps=10, final_share=0.1)
    rates = [learning_rate(settings, Progress(step)) for step in range(100)]
    assert rates[0] == pytest.approx(0.1, abs=0.01)
    assert max(rates) == pytest.approx(rates[10], abs=0.05)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_wall_time_ends_a_run_too() -> None:
    settings = StageConfig(steps=1000, max_minutes=1)
    assert Progress(10, 30.0).share(settings) == pytest.approx(0.5)
    assert Progress(10, 90.0).share(settings) == 1.0


def test_overrides_reach_nested_settings() -> None:
    made = load_preset("instruction", "tiny", ["steps=7", "lora.rank=3"])
    assert made.steps == 7 and made.lora.rank == 3


@pytest.mark.parametrize(
    ("preset", "overrides", "words"),
    [
        ("cpu", ["stepz=7"], "stepz"),
        ("cpu", ["steps=-1"], "steps"),
        ("cpu", ["steps"], "key=value"),
        ("huge", [], "no preset 'huge'"),
    ],
)
def test_wrong_settings_are_named(preset: str, overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_preset("instruction", preset, overrides)


def test_replay_keeps_the_newest() -> None:
    replay = Replay(3)
    replay.add(torch.arange(4.0)[:, None], torch.arange(4.0)[:, None])
    replay.add(torch.tensor([[9.0]]), torch.tensor([[9.0]]))
    assert replay.states.flatten().tolist() == [2, 3, 9]
    states, values = replay.sample(50)
    assert torch.equal(states, values) and set(states.flatten().tolist()) <= {2, 3, 9}
