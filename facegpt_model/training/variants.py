"""The variants stage: people of our own generator, of whom something is said, teach the flow.

Each example is a random person; some sliders, and often sex, age and origin, are taken as said. As
words push a face further than people go, some said sliders are moved first. The start is a
Gaussian draw that says the same; the flow learns the way from there to the person.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import antisymmetric, sample_people
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.likely import POLES, RIDGE, RULES, reading_row, slider_rows
from facegpt_model.semantics.words import AGE_SPAN, MIDDLE_AGE
from facegpt_model.training.average import Average
from facegpt_model.training.config import LoopConfig
from facegpt_model.training.parts import part_of, rates
from facegpt_model.vlm.variants import SHIPPED_FLOW, FlowSettings, VariantFlow, drift, read_flow, sayable

BLOCK = 500  # people drawn at a time
CLEAR_ORIGIN = 0.6  # share of a pole from which an origin may be said
SLOTS = 10  # sliders said of one person at most, sex and age among them


class VariantsConfig(LoopConfig, frozen=True, extra="forbid"):
    """Settings of the variants stage."""

    people: PositiveInt = Field(default=24_000, description="drawn once and kept in the run's folder")
    batch_size: PositiveInt = 256
    starts: PositiveInt = Field(default=4, description="draws that begin the way to each person of a batch")
    width: PositiveInt = 192
    depth: PositiveInt = 3
    sex_said: NonNegativeFloat = Field(default=0.8, description="share of examples whose sex is said")
    age_said: NonNegativeFloat = Field(default=0.5, description="the same for the age")
    origin_said: NonNegativeFloat = Field(default=0.2, description="the same for a clear origin")
    pushed: NonNegativeFloat = Field(default=0.5, description="share of said sliders that words push further")
    start: str = Field(
        default="", description="folder of a flow to begin from, 'shipped' for the one in the package"
    )
    ema: NonNegativeFloat = Field(default=0.999, description="of the average of weights that is kept")


@dataclass(frozen=True)
class Drawn:
    """N people: (N, D) numbers, (N,) sex, (N,) years, (N, 3) origin."""

    numbers: Tensor
    sex: Tensor
    years: Tensor
    origin: Tensor


@dataclass(frozen=True)
class FlowBatch:
    """B people of whom something is said, and M places from which a draw may come to each.

    start: (B, M, D); person: (B, D); centre: (B, D), the middle of such draws; rows, gain: (B, R, D),
    what is held; condition: (B, C), what the network reads
    """

    start: Tensor
    person: Tensor
    centre: Tensor
    rows: Tensor
    gain: Tensor
    condition: Tensor

    def to(self, device: torch.device) -> FlowBatch:
        """The same on another device."""
        return FlowBatch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


def draw_people(
    head: OpenHead, count: int, seed: int, folder: Path, report: Callable[[str, float], None]
) -> Drawn:
    """People for a run, kept in folder/people.npz; drawn only if they are not there."""
    file = folder / "people.npz"
    if file.is_file():
        kept = np.load(file)
        if len(kept["sex"]) >= count:
            return Drawn(*(torch.from_numpy(kept[name][:count]) for name in Drawn.__dataclass_fields__))
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for begin in range(0, count, BLOCK):
        people = sample_people(head, min(BLOCK, count - begin), generator)
        numbers = torch.cat([people.code.identity, people.code.albedo], dim=1)
        parts.append((numbers, people.sex, people.years, people.origin))
        report("drawing people", min(1.0, (begin + BLOCK) / count))
    drawn = Drawn(*(torch.cat(part).float() for part in zip(*parts, strict=True)))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(file, **{name: tensor.numpy() for name, tensor in vars(drawn).items()})
    return drawn


class VariantsStage(nn.Module):
    """A flow with its people; forward gives the loss of a batch."""

    def __init__(self, head: OpenHead, axes: Axes, people: Drawn, config: VariantsConfig) -> None:
        super().__init__()
        self.config, self.people = config, people
        self.sliders = sayable(axes)
        size = people.numbers.shape[1]
        self.flow = VariantFlow(FlowSettings(size, self.sliders, config.width, config.depth))
        if config.start:
            begun = read_flow(SHIPPED_FLOW if config.start == "shipped" else Path(config.start))
            self.flow.load_state_dict(begun.state_dict())
        self._learn_people(head)
        self.average = Average(self.flow.named_parameters(), config.ema)
        self._tables(head, axes)
        self.flip = torch.ones(size)  # a face in the mirror: the same sides' difference, turned round
        self.flip[: head.layout.identity][antisymmetric(head)] = -1.0

    @torch.no_grad()
    def _learn_people(self, head: OpenHead) -> None:
        """Mean and covariance, shape and colour each for itself, and how sex and age are read."""
        numbers = self.people.numbers.double()
        covariance = torch.cov(numbers.T)
        shape = torch.arange(len(covariance)) < head.layout.identity
        covariance = covariance * (shape[:, None] == shape)
        covariance += RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
        self.flow.mean.copy_(numbers.mean(0))
        self.flow.root.copy_(torch.linalg.cholesky(covariance))
        ones = torch.cat([numbers, torch.ones(len(numbers), 1, dtype=torch.float64)], dim=1)
        wanted = torch.stack([self.people.sex, self.people.years], dim=1).double()
        gram = ones.T @ ones + 1e-3 * len(ones) * torch.eye(ones.shape[1], dtype=torch.float64)
        self.flow.reader.copy_(torch.linalg.solve(gram, ones.T @ wanted).T)

    def _tables(self, head: OpenHead, axes: Axes) -> None:
        """Rows of every slider (one more, empty, for none) and what conditioning on them needs."""
        size = self.people.numbers.shape[1]
        rows = torch.zeros(len(self.sliders) + 1, RULES, size, dtype=torch.float64)
        directions = torch.zeros(len(self.sliders) + 1, size)
        readings = torch.zeros(len(self.sliders), size, dtype=torch.float64)
        ends = torch.zeros(len(self.sliders), 2)
        parts = axes.layout.unpack(axes.directions)
        plain = torch.cat([parts.identity, parts.albedo], dim=1)
        for place, name in enumerate(self.sliders):
            own = slider_rows(name, head, axes)
            rows[place, : len(own)] = own
            directions[place] = plain[axes.row(name)]
            readings[place] = reading_row(name, axes)
            ends[place] = torch.tensor([axes[name].minimum, axes[name].maximum])
        flat = rows.flatten(0, 1)
        taken = flat @ self.flow.covariance
        self.rows, self.directions, self.readings, self.ends = rows, directions, readings, ends
        self.taken, self.gram = taken, taken @ flat.T

    def batches(self, rng: random.Random) -> Iterator[FlowBatch]:
        """Endless random batches."""
        generator = torch.Generator().manual_seed(rng.randrange(2**62))
        while True:
            yield self.batch(generator)

    def batch(self, generator: torch.Generator) -> FlowBatch:
        """Random people of whom something is said."""
        config, people = self.config, self.people
        size, none = config.batch_size, len(self.sliders)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator)

        index = torch.randint(len(people.sex), (size,), generator=generator)
        person = people.numbers[index] * torch.where(uniform(size, 1) < 0.5, self.flip, 1.0)
        sex, years, origin = people.sex[index], people.years[index], people.origin[index]
        count = (uniform(size) ** 1.5 * (SLOTS - 2)).round()
        said = torch.randint(none, (size, SLOTS), generator=generator)
        said[torch.arange(SLOTS) >= count[:, None] + 2] = none
        has_sex, has_age = uniform(size) < config.sex_said, uniform(size) < config.age_said
        sex_place, age_place = self.sliders.index("masculinity"), self.sliders.index("age")
        said[(said == sex_place) | (said == age_place)] = none
        said[:, 0] = torch.where(has_sex, sex_place, none)
        said[:, 1] = torch.where(has_age, age_place, none)
        clear = origin.max(dim=1)
        told = (clear.values > CLEAR_ORIGIN) & (uniform(size) < config.origin_said)
        poles = torch.tensor([self.sliders.index(name) for name in POLES])
        for pole, place in enumerate(poles.tolist()):
            said[said == place] = none
            said[:, 2] = torch.where(told & (clear.indices == pole), place, said[:, 2])
        said = _once(said, none)
        ends = torch.cat([self.ends, torch.zeros(1, 2)])[said]
        pushes = ends[..., 0] + (ends[..., 1] - ends[..., 0]) * uniform(size, SLOTS)
        pushes = torch.where(uniform(size, SLOTS) < config.pushed, pushes, 0.0)
        pushes[:, 0] = (2 * sex - 1) * (0.7 * uniform(size) - 0.1)
        pushes[:, 1] = 0.15 * torch.randn(size, generator=generator)
        person = (person + torch.einsum("bs,bsd->bd", pushes, self.directions[said])).double()

        slots = (said[..., None] * RULES + torch.arange(RULES)).flatten(1)
        rows = self.rows.flatten(0, 1)[slots]
        taken = self.gram[slots[:, :, None], slots[:, None, :]]
        least = RIDGE * taken.diagonal(dim1=1, dim2=2)
        least = torch.where(least > 0, least.clamp_min(1e-9), 1.0)
        gain = torch.linalg.solve(taken + torch.diag_embed(least), self.taken[slots])
        mean, root = self.flow.mean.double(), self.flow.root.double()
        noise = torch.randn(size, config.starts, len(mean), generator=generator).double()
        noise = mean + noise @ root.T
        start = noise + _corrected(person[:, None] - noise, rows, gain)
        centre = mean + _corrected((person - mean)[:, None], rows, gain)[:, 0]

        mask = torch.zeros(size, none + 1).scatter_(1, said, 1.0)[:, :none]
        readings = (person @ self.readings.T).float()
        who = torch.zeros(size, 4)
        who[:, 0], who[:, 1] = has_sex * (sex < 0.5), has_sex * (sex >= 0.5)
        who[:, 2], who[:, 3] = has_age, has_age * (years - MIDDLE_AGE) / AGE_SPAN
        condition = torch.cat([who, mask[:, poles], mask, mask * readings], dim=1)
        return FlowBatch(start, person, centre, rows.float(), gain.float(), condition)

    def forward(self, batch: FlowBatch) -> dict[str, Tensor]:
        """flow: mean squared error of the velocity in the standard deviations of people."""
        scale = self.flow.root.norm(dim=1)
        batch = batch.to(scale.device)
        way = batch.person[:, None] - batch.start
        time = torch.rand(*way.shape[:2], 1, device=scale.device)
        at = (batch.start + time * way).float()
        told = batch.condition[:, None].expand(-1, way.shape[1], -1)
        learned = self.flow(at.flatten(0, 1), time.flatten(0, 1), told.flatten(0, 1)).view_as(at)
        learned = learned - _corrected(learned, batch.rows, batch.gain)
        wanted = way.float() - drift(time) * (at - batch.centre[:, None].float())
        if self.training:
            self.average.follow(self.flow.named_parameters())
        return {"flow": ((learned - wanted) / scale).square().mean()}

    def parameter_groups(self) -> list[dict[str, object]]:
        """All at the plain rate."""
        return rates(self.flow.parameters())

    @torch.no_grad()
    def finish(self) -> None:
        """The averaged weights become the flow's."""
        self.average.give(self.flow.named_parameters())

    def trainable(self) -> dict[str, Tensor]:
        """Weights and their average."""
        return {
            **{f"flow.{name}": tensor for name, tensor in self.flow.state_dict().items()},
            **{f"average.{name}": tensor for name, tensor in self.average.state().items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set that state."""
        self.flow.load_state_dict(part_of(state, "flow."))
        self.average.restore(part_of(state, "average."))


def _corrected(offset: Tensor, rows: Tensor, gain: Tensor) -> Tensor:
    """(B, M, D) likeliest changes that change the (B, R, D) rows as the (B, M, D) offsets do."""
    return offset @ rows.transpose(1, 2) @ gain


def _once(said: Tensor, none: int) -> Tensor:
    """(B, S) sliders, each kept where it stands first; the others become `none`."""
    for place in range(1, said.shape[1]):
        doubled = (said[:, :place] == said[:, place : place + 1]).any(1)
        said[doubled, place] = none
    return said
