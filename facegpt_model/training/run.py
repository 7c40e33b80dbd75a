"""Start a training stage by name: `facegpt train STAGE --preset NAME [key=value]...`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facegpt_model.training.appearance_run import train_appearance
from facegpt_model.training.config import ConfigError, load_preset
from facegpt_model.training.hearing import HearingStage
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.training.intents import IntentsStage
from facegpt_model.training.landmarks_run import train_landmarks
from facegpt_model.training.looks import train_looks
from facegpt_model.training.loop import begin_run, train
from facegpt_model.training.sight import train_sight
from facegpt_model.training.tower_run import TOWER_STAGES, Progress, silent
from facegpt_model.training.variants_run import train_variants
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, load_base, save_checkpoint

STAGES: dict[str, type[InstructionStage]] = {
    "instruction": InstructionStage,
    "hearing": HearingStage,
    "intents": IntentsStage,
}
WHOLE_STAGES = {  # these make their own data ready
    **TOWER_STAGES,
    "alignment": train_sight,
    "appearance": train_appearance,
    "landmarks": train_landmarks,
    "looks": train_looks,
    "variants": train_variants,
}


def main(
    stage: str,
    preset: str = "cpu",
    overrides: Sequence[str] = (),
    out: Path | None = None,
    report: Callable[[dict[str, float]], None] | None = None,
    progress: Progress = silent,
) -> Path:
    """Train a stage and write its checkpoint; returns the folder of the checkpoint.

    Resumes when `out` (default runs/<stage>-<preset>) holds an unfinished run of the same
    settings. report: told the losses every ten steps; progress: told what is being made ready
    and which share of it, 0..1. Raises ConfigError, AssetError, BadPortraits, BadShards.
    """
    folder = out or Path("runs") / f"{stage}-{preset}"
    if stage in WHOLE_STAGES:
        return WHOLE_STAGES[stage](preset, overrides, folder, report, progress)
    if stage not in STAGES:
        raise ConfigError(f"no stage called {stage!r}; known: {', '.join([*STAGES, *WHOLE_STAGES])}")
    config = load_preset(stage, preset, overrides)
    begin_run(folder, config)
    gpt = load_base()
    module = STAGES[stage](gpt, config)
    if config.start:
        module.begin_from(SHIPPED_CHECKPOINT if config.start == "shipped" else Path(config.start))
    done = train(module, config, folder, report)
    with torch.no_grad():
        gpt.token_rows[module.special] = module.rows
    card: dict[str, object] = {
        "name": "facegpt-smol@5",
        "command": f"facegpt train {stage} --preset {preset} {' '.join(overrides)}".strip(),
        "begun_from": config.start,
        "clause_layer": config.clause_layer,
        "seed": config.seed,
        "steps": done.step,
        "minutes": round(done.seconds / 60, 1),
    }
    save_checkpoint(gpt, folder / "checkpoint", config.lora, card)
    return folder / "checkpoint"
