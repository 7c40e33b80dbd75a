"""From seen faces to a dense-landmark net: `facegpt train landmarks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facegpt_model.training.config import ConfigError, load_config
from facegpt_model.training.landmarks import LandmarksConfig, LandmarksStage
from facegpt_model.training.loop import begin_run, train
from facegpt_model.training.tower_run import Progress, Report, command, openhead, rounded
from facegpt_model.vlm.dense_points import save_dense_points

NAME = "dense-points@1"


def train_landmarks(
    preset: str, overrides: Sequence[str], folder: Path, report: Report | None, progress: Progress
) -> Path:
    """Closed form, then the one loop; the folder of the checkpoint."""
    config = load_config(LandmarksConfig, "landmarks", preset, overrides)
    if not config.faces:
        raise ConfigError("landmarks are learned from seen faces: give faces=FOLDER (facegpt data see)")
    begin_run(folder, config)
    progress("reading in closed form", 0.0)
    stage = LandmarksStage(openhead(), config)
    begun = stage.missed()
    done = train(stage, config, folder, report)
    card: dict[str, object] = {
        "name": NAME,
        "command": command("landmarks", preset, overrides),
        "faces": stage.count,
        "seed": config.seed,
        "steps": done.step,
        "minutes": round(done.seconds / 60, 1),
        "held_out_percent_of_eyes": rounded(stage.missed()),
        "held_out_of_closed_form": rounded(begun),
    }
    save_dense_points(stage.net, folder / "checkpoint", card)
    return folder / "checkpoint"
