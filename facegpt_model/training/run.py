"""Start a training stage by name: `facegpt train STAGE --preset NAME [key=value]...`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.training.config import ConfigError, LoopConfig, load_config, load_preset
from facegpt_model.training.hearing import HearingStage
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.training.loop import train
from facegpt_model.training.tower import TowerConfig, TowerStage, read_faces
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, load_base, save_checkpoint
from facegpt_model.vlm.tower import save_tower

STAGES = {"instruction": InstructionStage, "hearing": HearingStage}
TOWER = "tower"


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
    if stage == TOWER:
        return _train_tower(preset, overrides, out, report)
    if stage not in STAGES:
        raise ConfigError(f"no stage called {stage!r}; known: {', '.join([*STAGES, TOWER])}")
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


def _train_tower(
    preset: str,
    overrides: Sequence[str],
    out: Path | None,
    report: Callable[[dict[str, float]], None] | None,
) -> Path:
    """Train the vision tower on seen synthetic faces; the folder of its checkpoint."""
    config = load_config(TowerConfig, TOWER, preset, overrides)
    if not config.faces:
        raise ConfigError("the tower learns from seen faces: give faces=FOLDER (facegpt data see)")
    folder = out or Path("runs") / f"{TOWER}-{preset}"
    _same_settings(folder, config)
    torch.set_num_threads(config.threads)
    head = load()
    if not isinstance(head, OpenHead):
        raise ConfigError("the tower is trained for openhead@2")
    stage = TowerStage(head, read_faces(config.faces), config)
    begun = stage.explained()
    progress = train(stage, config, folder, report)
    card: dict[str, object] = {
        "name": "face-tower@2",
        "command": f"facegpt train {TOWER} --preset {preset} {' '.join(overrides)}".strip(),
        "faces": stage.count,
        "seed": config.seed,
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "held_out_r2": {name: round(value, 3) for name, value in stage.explained().items()},
        "held_out_r2_of_closed_form": {name: round(value, 3) for name, value in begun.items()},
    }
    save_tower(stage.tower, torch.zeros(head.layout.identity), folder / "checkpoint", card)
    return folder / "checkpoint"


def _same_settings(folder: Path, config: LoopConfig) -> None:
    file = folder / "config.json"
    settings = config.model_dump(mode="json")
    if file.exists() and (folder / "resume.pt").exists() and json.loads(file.read_text()) != settings:
        raise ConfigError(f"{folder} holds a run with other settings; choose another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=1) + "\n")
