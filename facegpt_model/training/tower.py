"""The tower stage (a): synthetic faces whose codes are known exactly.

Features of the frozen nets are read from disk. The linear reading starts from its closed form;
the transformer learns what that leaves, measured as a surface in code space, and how much
doubt remains. A slow average of the weights is what is kept. At the end the linear reading is
found again with all faces, the correction is weighted, and the doubt is calibrated on faces
kept apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from facegpt_model.data.features import FEATURES, SeenFaces
from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.training.average import Average
from facegpt_model.training.config import LoopConfig
from facegpt_model.training.linear import calibrate_doubt, learn_linear, learn_scales
from facegpt_model.training.parts import part_of, rates
from facegpt_model.training.tower_data import DrawnSet
from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.vlm.tower import FaceTower, TowerSettings


class TowerConfig(LoopConfig, frozen=True, extra="forbid"):
    """Settings of the tower stage."""

    batch_size: PositiveInt = 64
    draw: tuple[DrawnSet, ...] = Field(default=(), description="sets of faces the run draws for itself")
    faces: str = Field(default="", description="folders of seen faces, by commas, instead of drawing any")
    portraits: str = Field(
        default="", description="folder of portraits: behind drawn faces, and for the offset of photographs"
    )
    held_out: PositiveInt = Field(default=512, description="last faces, kept for the measure of a run")
    width: PositiveInt = 128
    depth: PositiveInt = 2
    dropout: NonNegativeFloat = 0.1
    ridge: NonNegativeFloat = Field(default=1.0, description="strength of the closed form it starts from")
    feature_noise: NonNegativeFloat = Field(default=0.1, description="of standardised features")
    code_weight: NonNegativeFloat = Field(default=0.02, description="squared error of each coefficient")
    doubt_weight: NonNegativeFloat = Field(
        default=0.02, description="likelihood of the truth under the doubt"
    )
    linear_rate: NonNegativeFloat = Field(
        default=0.1, description="of the linear reading, times learning_rate"
    )
    ema: NonNegativeFloat = Field(default=0.995, description="of the average of weights that is kept")
    refit_ridge: NonNegativeFloat = Field(default=1.5, description="of the closed form found at the end")
    correction: NonNegativeFloat = Field(
        default=0.4,
        description="weight of the transformer's correction at the end: it knows our own people best",
    )
    offset_portraits: PositiveInt = Field(default=72, description="portraits looked at for the offset")
    offset_share: NonNegativeFloat = Field(
        default=0.5, description="share of the mean answer for portraits that is taken off"
    )


@dataclass(frozen=True)
class TowerBatch:
    """Features of B faces and their (B, I) codes."""

    seen: FrozenFeatures
    identity: Tensor

    def to(self, device: torch.device) -> TowerBatch:
        """The same on another device."""
        seen = FrozenFeatures(**{name: getattr(self.seen, name).to(device) for name in FEATURES})
        return TowerBatch(seen, self.identity.to(device))


class TowerStage(nn.Module):
    """A tower with its faces; forward gives the losses of a batch."""

    def __init__(self, head: OpenHead, faces: SeenFaces, config: TowerConfig) -> None:
        super().__init__()
        if len(faces) <= 2 * config.held_out:
            raise ValueError(f"{len(faces)} faces are too few to keep {config.held_out} for the measure")
        self.config, self.faces = config, faces
        self.count = len(faces) - config.held_out
        self.metric = ShapeMetric(head)
        settings = TowerSettings(head.layout.identity, config.width, config.depth, dropout=config.dropout)
        self.tower = FaceTower(settings)
        own = faces.identity[: self.count]
        learn_scales(self.tower, faces, torch.arange(self.count))
        learn_linear(self.tower, faces, torch.arange(self.count), config.ridge)
        spread = self.metric(own, own.mean(0)).mean()
        self.register_buffer("spread", spread, persistent=False)
        self.average = Average(self.tower.named_parameters(), config.ema)

    def batches(self, rng: random.Random) -> Iterator[TowerBatch]:
        """Endless random batches of the faces that are learned from."""
        while True:
            yield self.batch(torch.tensor(rng.sample(range(self.count), self.config.batch_size)))

    def batch(self, index: Tensor) -> TowerBatch:
        """Some faces by number."""
        return TowerBatch(self.faces.features(index), self.faces.identity[index])

    def forward(self, batch: TowerBatch) -> dict[str, Tensor]:
        """shape: share of the people's spread that is missed; code; doubt."""
        config, batch = self.config, batch.to(self.tower.places.device)
        self.tower.noise = config.feature_noise if self.training else 0.0
        reading = self.tower(batch.seen)
        left = (batch.identity - reading.mean.detach()) / reading.std
        doubt = 0.5 * left.square() + reading.std.log()
        losses = {
            "shape": self.metric(reading.mean, batch.identity).mean() / self.spread,
            "code": config.code_weight * F.mse_loss(reading.mean, batch.identity),
            "doubt": config.doubt_weight * doubt.mean(),
        }
        if self.training:
            self.average.follow(self.tower.named_parameters())
        return losses

    def parameter_groups(self) -> list[dict[str, object]]:
        """The transformer at the plain rate, the linear reading slowly."""
        return rates(self.tower.parameters(), (self.tower.linear.parameters(), self.config.linear_rate))

    @torch.no_grad()
    def finish(self) -> None:
        """The averaged weights become the tower's; then refit, weight of the correction, and calibration."""
        self.average.give(self.tower.named_parameters())
        self.tower.eval()
        self.tower.noise = 0.0
        learn_linear(self.tower, self.faces, torch.arange(self.count), self.config.refit_ridge)
        self.tower.correct.weight.mul_(self.config.correction)
        self.tower.correct.bias.mul_(self.config.correction)
        calibrate_doubt(self.tower, self.faces, torch.arange(self.count, len(self.faces)))

    @torch.no_grad()
    def explained(self) -> dict[str, float]:
        """Person-specific R² on the faces kept apart, all and by kind."""
        self.tower.eval()
        self.tower.noise = 0.0
        index = torch.arange(self.count, len(self.faces))
        mean = torch.cat([self.tower(self.faces.features(part)).mean for part in index.split(128)])
        true = self.faces.identity[index]
        kinds = [self.faces.kinds[k] for k in index.tolist()]
        found = {"all": self.metric.explained(mean, true)}
        for kind in sorted(set(kinds)):
            rows = torch.tensor([k == kind for k in kinds])
            if rows.sum() > 1:
                found[kind] = self.metric.explained(mean[rows], true[rows])
        return found

    def trainable(self) -> dict[str, Tensor]:
        """Weights, scales and the average."""
        return {
            **{f"tower.{name}": tensor for name, tensor in self.tower.state_dict().items()},
            **{f"average.{name}": tensor for name, tensor in self.average.state().items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set that state."""
        self.tower.load_state_dict(part_of(state, "tower."))
        self.average.restore(part_of(state, "average."))
