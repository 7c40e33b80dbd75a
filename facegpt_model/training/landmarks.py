"""The stage of the dense landmarks: synthetic faces whose every point is known exactly.

What the frozen nets see is read from disk. The linear reading of all points together starts from
its closed form; then everything learns by the likelihood of the true places under the
predicted ones and their doubt. An average of the weights is kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from facegpt_model.data.dense_faces import DenseFaces, read_dense_faces
from facegpt_model.losses.likelihood import place_surprise
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.training.average import Average
from facegpt_model.training.config import LoopConfig
from facegpt_model.training.parts import part_of, rates
from facegpt_model.vlm.dense_points import (
    JAW,
    LANDMARKS,
    DenseInput,
    DensePointNet,
    DensePoints,
    DenseSettings,
    face_size,
)

EYES = (33, 263)  # outer corners
SCALES_FROM = 2000  # faces whose maps tell mean and deviation


class LandmarksConfig(LoopConfig, frozen=True, extra="forbid"):
    """Settings of the stage."""

    batch_size: PositiveInt = 48
    faces: str = Field(default="", description="folder of seen faces (see_shards), several by commas")
    files: NonNegativeInt = Field(default=0, description="at most so many of their files; 0 is all")
    held_out: PositiveInt = Field(default=512, description="last faces, kept for the measure of a run")
    vertices: PositiveInt = 320
    rank: PositiveInt = Field(default=48, description="ways in which all points move together")
    channels: PositiveInt = 48
    width: PositiveInt = 64
    ridge: NonNegativeFloat = Field(default=1.0, description="strength of the closed form it starts from")
    feature_noise: NonNegativeFloat = Field(default=0.1, description="of standardised features")
    linear_rate: NonNegativeFloat = Field(
        default=0.1, description="of the linear reading, times learning_rate"
    )
    ema: NonNegativeFloat = Field(default=0.995, description="of the average of weights that is kept")


@dataclass(frozen=True)
class LandmarksBatch:
    """What is seen of B faces and the true places (B, P, 2)."""

    seen: DenseInput
    places: Tensor


class LandmarksStage(nn.Module):
    """The net with its faces; forward gives the loss of a batch."""

    def __init__(self, head: OpenHead, config: LandmarksConfig) -> None:
        super().__init__()
        settings = DenseSettings(config.vertices, config.rank, config.channels, config.width)
        self.config, self.net = config, DensePointNet(settings)
        self.net.choose(head)
        folders = [Path(folder) for folder in config.faces.split(",")]
        self.faces: DenseFaces = read_dense_faces(folders, head, self.net.vertex, config.files)
        self.count = len(self.faces) - config.held_out
        if self.count <= config.held_out:
            raise ValueError(f"{len(self.faces)} faces are too few to keep {config.held_out} for the measure")
        self._begin(config.ridge)
        self.average = Average(self.net.named_parameters(), config.ema, early=10)

    @torch.no_grad()
    def _begin(self, ridge: float) -> None:
        """Scales, the ways in which points move together, and the closed form that reads them."""
        net, faces = self.net, self.faces
        few = torch.arange(min(self.count, SCALES_FROM))
        net.map_scale.learn(faces.trunk16[few[::8]].float().flatten(0, 2))
        net.map8_scale.learn(faces.trunk8[few[::8]].float().flatten(0, 2))
        vector = faces.vector[: self.count].float()
        net.vector_scale.learn(vector)
        x = net.vector_scale(vector)
        points = faces.points[: self.count].float()
        offset = ((faces.places[: self.count] - net.start(points)) / face_size(points)).flatten(1)
        mean = offset.mean(0)
        net.mean.copy_(mean.unflatten(0, (-1, 2)))
        centred = offset - mean
        _, ways = torch.linalg.eigh(centred.T @ centred)
        ways = ways[:, -self.config.rank :]
        known = centred @ ways
        scale = known.std(0)
        net.basis.copy_((ways * scale).T.unflatten(1, (-1, 2)))
        gram = x.T @ x + ridge * len(x) * torch.eye(x.shape[1])
        net.coarse.weight.copy_(torch.linalg.solve(gram, x.T @ (known / scale)).T)

    def batches(self, rng: random.Random) -> Iterator[LandmarksBatch]:
        """Endless random batches of the faces that are learned from."""
        while True:
            yield self.batch(torch.tensor(rng.sample(range(self.count), self.config.batch_size)))

    def batch(self, index: Tensor) -> LandmarksBatch:
        """Some faces by number, on the net's device."""
        device = self.net.mean.device
        seen = self.faces.input(index)
        moved = DenseInput(*(getattr(seen, n).to(device) for n in ("vector", "trunk16", "trunk8", "points")))
        return LandmarksBatch(moved, self.faces.places[index].to(device))

    def forward(self, batch: LandmarksBatch) -> dict[str, Tensor]:
        """surprise: negative log likelihood of a point, in units of the face's size."""
        if self.training:
            self.average.follow(self.net.named_parameters())
        self.net.noise = self.config.feature_noise if self.training else 0.0
        found = self.net(batch.seen)
        size = face_size(batch.seen.points)[..., 0]
        return {"surprise": place_surprise(found.places, found.doubt, batch.places, size).mean()}

    def parameter_groups(self) -> list[dict[str, object]]:
        """Everything at the plain rate, the linear reading slowly."""
        return rates(self.net.parameters(), (self.net.coarse.parameters(), self.config.linear_rate))

    def finish(self) -> None:
        """The averaged weights become the net's."""
        self.average.follow(self.net.named_parameters())
        self.average.give(self.net.named_parameters())

    @torch.no_grad()
    def missed(self) -> dict[str, float]:
        """Median errors on the faces kept apart, percent of the distance between the outer eye corners.

        For landmarks, vertices and jaw line: as detected, and found; `honest` is the root mean square of
        errors over their doubts, 1 when doubts are right.
        """
        self.net.eval()
        self.net.noise = 0.0
        index = torch.arange(self.count, len(self.faces))
        found = [self.net(self.faces.input(part)) for part in index.split(64)]
        all_found = DensePoints(torch.cat([f.places for f in found]), torch.cat([f.doubt for f in found]))
        true, points = self.faces.places[index], self.faces.points[index].float()
        eyes = (true[:, EYES[0]] - true[:, EYES[1]]).norm(dim=1).clamp_min(0.25 * face_size(points)[:, 0, 0])
        away = all_found.places - true
        errors = away.norm(dim=2) / eyes[:, None] * 100
        detected = (self.net.start(points) - true).norm(dim=2) / eyes[:, None] * 100
        groups = {
            "landmarks": slice(0, LANDMARKS),
            "vertices": slice(LANDMARKS, -JAW),
            "jaw": slice(-JAW, None),
        }
        table = {f"{name}_detected": float(detected[:, part].median()) for name, part in groups.items()}
        table |= {name: float(errors[:, part].median()) for name, part in groups.items()}
        table["honest"] = float((away / all_found.doubt[..., None]).square().mean().sqrt())
        return table

    def trainable(self) -> dict[str, Tensor]:
        """Weights, scales and the average."""
        return {
            **{f"net.{name}": tensor for name, tensor in self.net.state_dict().items()},
            **{f"average.{name}": tensor for name, tensor in self.average.state().items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set that state."""
        self.net.load_state_dict(part_of(state, "net."))
        self.average.restore(part_of(state, "average."))
