"""Alignment: images to <FACE> with the language model frozen, in closed form.

The projector is a fixed random rotation, scaled so low that the frozen layers answer nearly
linearly; the reading of the hidden state at <FACE> is ridge regression on codes that the tower
read of synthetic faces. Takes seconds, so it is done again for every checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.training.config import ConfigError, LoopConfig, load_config
from facegpt_model.training.loop import begin_run
from facegpt_model.training.tower_data import read_faces
from facegpt_model.training.tower_run import command, openhead
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint
from facegpt_model.vlm.sight import Sight, face_states, save_sight
from facegpt_model.vlm.tower import SHIPPED_TOWER, read_tower

BATCH = 128


class SightConfig(LoopConfig, frozen=True, extra="forbid"):
    """Settings of the alignment stage."""

    faces: str = Field("", description="folders of seen synthetic faces, by commas")
    count: PositiveInt = Field(2048, description="of these, the first are used")
    held_out: PositiveInt = Field(256, description="of those, the last are kept for the measure")
    start: str = Field("shipped", description="folder of the language model's checkpoint, or 'shipped'")
    loudness: PositiveFloat = Field(0.03, description="length of what is added, of <FACE>'s own embedding")
    ridge: PositiveFloat = Field(1e-4, description="of the reading, in variances of one standardised state")


@torch.no_grad()
def align(gpt: FaceGPT, codes: Tensor, config: SightConfig) -> tuple[Sight, float]:
    """Sight from (N, I) codes of the tower, and its person-specific agreement (R²) with those held out.

    Raises ConfigError when there are too few codes to solve for the reading.
    """
    tower_codes, held = codes[: -config.held_out], codes[-config.held_out :]
    hidden = gpt.token_rows.shape[1]
    if len(tower_codes) < hidden:
        raise ConfigError(f"{len(codes)} faces are too few; at least {hidden + config.held_out} are needed")
    sight = Sight(codes.shape[1], hidden).eval()
    generator = torch.Generator().manual_seed(config.seed)
    rotation, _ = torch.linalg.qr(torch.randn(hidden, codes.shape[1], generator=generator))
    length = config.loudness * gpt.token_rows[gpt.face_id].norm() / codes.shape[1] ** 0.5
    sight.lift.copy_((length * rotation.T).half().float())  # as it is stored
    sight.code_mean.copy_(tower_codes.mean(0))
    sight.code_scale.copy_(tower_codes.std(0).clamp_min(1e-4))
    states = _states(gpt, sight, tower_codes)
    sight.state_mean.copy_(states.mean(0))
    sight.state_scale.copy_(states.std(0).clamp_min(1e-9))
    x = ((states - sight.state_mean) / sight.state_scale).double()
    y = ((tower_codes - sight.code_mean) / sight.code_scale).double()
    gram = x.T @ x + config.ridge * len(x) * torch.eye(hidden, dtype=x.dtype)
    sight.read.weight.copy_(torch.linalg.solve(gram, x.T @ y).T)
    sight.read.bias.zero_()
    told = sight(_states(gpt, sight, held))
    return sight, ShapeMetric(openhead()).explained(told, held)


def _states(gpt: FaceGPT, sight: Sight, codes: Tensor) -> Tensor:
    model = gpt.model.model.language_model
    parts = [face_states(model, gpt.tokenizer, sight.shown(part)) for part in codes.split(BATCH)]
    return torch.cat(parts)


def train_sight(
    preset: str,
    overrides: Sequence[str],
    folder: Path,
    report: Callable[[dict[str, float]], None] | None,
    progress: Callable[[str, float], None],
) -> Path:
    """Find sight for a checkpoint and write it beside it; returns the checkpoint's folder."""
    config = load_config(SightConfig, "alignment", preset, overrides)
    if not config.faces:
        raise ConfigError("the alignment stage needs faces=FOLDER (facegpt data see)")
    begin_run(folder, config)
    target = SHIPPED_CHECKPOINT if config.start == "shipped" else Path(config.start)
    progress("reading what the tower says of synthetic faces", 0.0)
    faces = read_faces(config.faces)
    tower, _ = read_tower(SHIPPED_TOWER)
    index = torch.arange(min(config.count, len(faces)))
    with torch.no_grad():
        codes = torch.cat([tower(faces.features(part)).mean for part in index.split(256)])
    progress("speaking them through the language model", 0.5)
    sight, agreed = align(load_checkpoint(target), codes, config)
    told = command("alignment", preset, overrides)
    save_sight(sight, target, {"command": told, "faces": len(codes), "held_out_r2": round(agreed, 4)})
    if report is not None:
        report({"step": 1, "seconds": 0.0, "rate": 0.0, "agreement": agreed})
    return target
