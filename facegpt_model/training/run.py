"""Start a training stage by name: `facegpt train STAGE --preset NAME [key=value]...`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facegpt_model.training.config import ConfigError, StageConfig, load_preset
from facegpt_model.training.hearing import HearingStage
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.training.loop import train
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, load_base, save_checkpoint

STAGES = {"instruction": InstructionStage, "hearing": HearingStage}


def main(
    stage: str,
    preset: str = "cpu",
    overrides: Sequence[str] = (),
    out: Path | None = None,
    report: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Train a stage and write its checkpoint; returns the folder of the checkpoint.

    Resumes when `out` (default runs/<stage>-<preset>) holds an unfinished run of the same
    settings. Raises ConfigError, AssetError.
    """
    if stage not in STAGES:
        raise ConfigError(f"no stage called {stage!r}; known: {', '.join(STAGES)}")
    config = load_preset(stage, preset, overrides)
    folder = out or Path("runs") / f"{stage}-{preset}"
    _same_settings(folder, config)
    torch.set_num_threads(config.threads)
    gpt = load_base()
    module = STAGES[stage](gpt, config)
    if config.start:
        module.begin_from(SHIPPED_CHECKPOINT if config.start == "shipped" else Path(config.start))
    progress = train(module, config, folder, report)
    with torch.no_grad():
        gpt.token_rows[module.special] = module.rows
    card: dict[str, object] = {
        "name": "facegpt-smol@2",
        "command": f"facegpt train {stage} --preset {preset} {' '.join(overrides)}".strip(),
        "begun_from": config.start,
        "clause_layer": config.clause_layer,
        "seed": config.seed,
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
    }
    save_checkpoint(gpt, folder / "checkpoint", config.lora, card)
    return folder / "checkpoint"


def _same_settings(folder: Path, config: StageConfig) -> None:
    file = folder / "config.json"
    settings = config.model_dump(mode="json")
    if file.exists() and (folder / "resume.pt").exists() and json.loads(file.read_text()) != settings:
        raise ConfigError(f"{folder} holds a run with other settings; choose another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=1) + "\n")
