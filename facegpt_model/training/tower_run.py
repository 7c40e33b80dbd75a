"""From data to the file that ships: `facegpt train tower`.

Each stage is one function that makes its data ready, runs the one loop, and writes RUN/checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.training.config import ConfigError, load_config
from facegpt_model.training.loop import begin_run, train
from facegpt_model.training.tower import TowerConfig, TowerStage
from facegpt_model.training.tower_codes import read_codes
from facegpt_model.training.tower_data import draw_faces, mean_answer, portraits_of, read_faces
from facegpt_model.training.tower_photos import PhotoConfig, PhotoStage
from facegpt_model.vlm.tower import SHIPPED_TOWER, read_tower, save_tower

Report = Callable[[dict[str, float]], None]
Progress = Callable[[str, float], None]
NAME = "face-tower@2"


def silent(doing: str, share: float) -> None:
    """Report nothing."""


def train_tower(
    preset: str, overrides: Sequence[str], folder: Path, report: Report | None, progress: Progress
) -> Path:
    """Stage (a): draw, look, closed form, correction, refit, offset, calibration; the checkpoint's folder."""
    config = load_config(TowerConfig, "tower", preset, overrides)
    portraits = Path(config.portraits) if config.portraits else None
    if not config.faces and not config.draw:
        raise ConfigError("the tower learns from faces: give faces=FOLDER (facegpt data see) or sets to draw")
    begin_run(folder, config)
    head = openhead()
    faces = read_faces(config.faces) if config.faces else draw_faces(config.draw, portraits, folder, progress)
    progress("reading in closed form", 0.0)
    stage = TowerStage(head, faces, config)
    begun = stage.explained()
    done = train(stage, config, folder, report)
    offset = torch.zeros(head.layout.identity)
    if portraits is not None:
        photos = portraits_of(portraits, folder / "portraits", config.offset_portraits, progress)
        offset = config.offset_share * mean_answer(stage.tower, photos)
    card: dict[str, object] = {
        "name": NAME,
        "command": command("tower", preset, overrides),
        "faces": stage.count,
        "drawn": [wanted.model_dump() for wanted in config.draw] if not config.faces else config.faces,
        "seed": config.seed,
        "steps": done.step,
        "minutes": round(done.seconds / 60, 1),
        "held_out_r2": rounded(stage.explained()),
        "held_out_r2_of_closed_form": rounded(begun),
        "offset_mm": round(float((offset @ stage.metric.root.cpu()).norm()), 2),
    }
    save_tower(stage.tower, offset, folder / "checkpoint", card)
    return folder / "checkpoint"


def train_photos(
    preset: str, overrides: Sequence[str], folder: Path, report: Report | None, progress: Progress
) -> Path:
    """Stages (b) and (c): the autoencoder of portraits, beside synthetic faces; the checkpoint's folder."""
    config = load_config(PhotoConfig, "photos", preset, overrides)
    for name, where in (("faces", "facegpt data see"), ("portraits", "facegpt data prepare")):
        if not getattr(config, name):
            raise ConfigError(f"the photo stage needs {name}=FOLDER ({where})")
    begin_run(folder, config)
    head = openhead()
    photos = portraits_of(Path(config.portraits), folder / "portraits", None, progress)
    codes = read_codes(Path(config.codes), head, photos) if config.codes else None
    tower, _ = read_tower(SHIPPED_TOWER if config.start == "shipped" else Path(config.start))
    progress("reading synthetic faces", 0.0)
    stage = PhotoStage(head, tower, read_faces(config.faces), photos, codes, config)
    begun = stage.explained()
    done = train(stage, config, folder, report)
    offset = config.offset_share * mean_answer(stage.tower, photos)
    card: dict[str, object] = {
        "name": NAME,
        "command": command("photos", preset, overrides),
        "begun_from": config.start,
        "portraits": len(stage.train_photos),
        "pseudo_codes": 0 if codes is None else int(codes.known.sum()),
        "seed": config.seed,
        "steps": done.step,
        "minutes": round(done.seconds / 60, 1),
        "before": rounded(begun),
        "after": rounded(stage.explained()),
    }
    save_tower(stage.tower, offset, folder / "checkpoint", card)
    return folder / "checkpoint"


def openhead() -> OpenHead:
    """The head model that towers are trained for; ConfigError for another."""
    head = load()
    if not isinstance(head, OpenHead):
        raise ConfigError("the tower is trained for openhead@2")
    return head


def command(stage: str, preset: str, overrides: Sequence[str]) -> str:
    """The command line of a run."""
    return f"facegpt train {stage} --preset {preset} {' '.join(overrides)}".strip()


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Three digits are told."""
    return {name: round(value, 3) for name, value in values.items()}


TOWER_STAGES: dict[str, Callable[[str, Sequence[str], Path, Report | None, Progress], Path]] = {
    "tower": train_tower,
    "photos": train_photos,
}
