"""The sampler of variants: a flow that draws p(code | what was said), small and quick.

It starts from a Gaussian draw of people that says the same (semantics/likely.py) and moves it,
in a few steps, to where people really are: sexes apart, colours that go with origins, nothing
that only straight lines between people would give. Flow matching teaches it (training/
variants.py). Every step is taken without what would change the said, so that stays exact however
the network errs; untrained, it moves nothing and is the Gaussian draw.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.likely import (
    CROWD,
    POLES,
    YEARS_SPREAD,
    Fixed,
    Proposal,
    Said,
    fixed_among,
    numbers_of,
    reading_row,
    said_rows,
    settled,
)
from facegpt_model.semantics.words import AGE_SPAN, MIDDLE_AGE

SHIPPED_FLOW = Path(__file__).with_name("checkpoints") / "face-variants"
FORMAT = 1
SEXES = ("woman", "man")
PERSON = len(SEXES) + 2 + len(POLES)  # numbers of a condition that tell of the person as a whole
TIMES = 4  # numbers that tell of the time
EXACT = ("mean", "root", "reader")  # kept in full precision


@dataclass(frozen=True)
class FlowSettings:
    """Sizes: numbers of a face that are drawn, sliders that may be said, width and depth of the network."""

    numbers: int
    sliders: tuple[str, ...]
    width: int = 192
    depth: int = 3


class VariantFlow(nn.Module):
    """Velocity of faces on their way from a Gaussian draw (time 0) to people (time 1)."""

    mean: Tensor
    root: Tensor
    reader: Tensor

    def __init__(self, settings: FlowSettings) -> None:
        super().__init__()
        self.settings = settings
        size = settings.numbers
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("root", torch.eye(size))  # of the covariance of people, lower triangle
        self.register_buffer("reader", torch.zeros(2, size + 1))  # sex 0..1 and years from numbers and a 1
        sizes = [size + TIMES + PERSON + 2 * len(settings.sliders), *[settings.width] * settings.depth]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.out = nn.Linear(settings.width, size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def covariance(self) -> Tensor:
        """(D, D) of people, double."""
        root = self.root.double()
        return root @ root.T

    def forward(self, numbers: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """(B, D) what the network adds to the velocity.

        numbers: (B, D) code numbers; time: (B, 1) in [0, 1]; condition: (B, C) of `condition`
        """
        standard = (numbers - self.mean) / self.root.norm(dim=1)
        turn = torch.pi * time
        first = torch.cat([standard, time, time.square(), turn.cos(), turn.sin(), condition], dim=1)
        hidden = nn.functional.silu(self.layers[0](first))
        for layer in self.layers[1:]:
            hidden = hidden + nn.functional.silu(layer(hidden))
        return self.out(hidden) * self.root.norm(dim=1)

    def condition(self, said: Said, readings: Tensor, years: Tensor) -> Tensor:
        """(B, C): who was said, and which sliders with their readings.

        readings: (B, K) of the settings' sliders; years: (B,), used if an age was said
        """
        person = torch.zeros(len(readings), PERSON)
        if said.sex in SEXES:
            person[:, SEXES.index(said.sex)] = 1.0
        if said.years is not None:
            person[:, 2], person[:, 3] = 1.0, (years - MIDDLE_AGE) / AGE_SPAN
        for name, pole in POLES.items():
            person[:, 4 + pole] = float(name in said.sliders)
        told = set(said.fixed)
        mask = torch.tensor([float(name in told) for name in self.settings.sliders])
        return torch.cat([person, mask.expand_as(readings), mask * readings], dim=1)

    def sexes_and_years(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) sex from 0 woman to 1 man and (B,) years, as faces of such numbers look."""
        sex, years = (numbers.float() @ self.reader[:, :-1].T + self.reader[:, -1]).T
        return sex.clamp(0, 1), years.clamp(18, 90)


def draw_variant(
    code: FaceCode,
    said: Said,
    head: OpenHead,
    axes: Axes,
    seed: int,
    spread: float = 1.0,
    temperature: float = 1.0,
    flow: VariantFlow | None = None,
) -> FaceCode:
    """Another face that fits what was said as the one face of `code` does.

    spread: [0, 1], how far on the way from that face to the draw; temperature: above 0, below 1 nearer
    to the middle of such faces, above 1 odder ones; flow: default the shipped one
    """
    flow = flow or shipped_flow()
    start = numbers_of(code)
    fixed = _fixed(flow, said, head, axes)
    readings = (start @ _reading_rows(flow, axes).T).float()

    def propose(generator: torch.Generator) -> Proposal:
        years = torch.zeros(1)
        if said.years is not None:
            years = said.years + YEARS_SPREAD * torch.randn(1, generator=generator)
        told = flow.condition(said, readings, years)
        numbers = flow_draw(flow, fixed, start, told, generator, temperature)
        sex, aged = flow.sexes_and_years(numbers)
        if said.sex in SEXES:
            sex = torch.full((1,), float(SEXES.index(said.sex)))
        return Proposal(numbers, sex, years if said.years is not None else aged)

    return settled(code, said, head, axes, fixed, propose, seed, spread)


def condition_of(code: FaceCode, said: Said, axes: Axes, flow: VariantFlow | None = None) -> Tensor:
    """(1, C): what the sampler is told of a face of which this was said; its age is the one said."""
    flow = flow or shipped_flow()
    readings = (numbers_of(code) @ _reading_rows(flow, axes).T).float()
    return flow.condition(said, readings, torch.full((1,), float(said.years or 0)))


@lru_cache(maxsize=16)
def _fixed(flow: VariantFlow, said: Said, head: OpenHead, axes: Axes) -> Fixed:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(CROWD, flow.settings.numbers, generator=generator).double()
    people = flow.mean.double() + noise @ flow.root.double().T
    return fixed_among(said_rows(said, head, axes), people, flow.covariance, head.layout.identity)


@lru_cache(maxsize=2)
def _reading_rows(flow: VariantFlow, axes: Axes) -> Tensor:
    return torch.stack([reading_row(name, axes) for name in flow.settings.sliders])


@torch.no_grad()
def flow_draw(
    flow: VariantFlow,
    fixed: Fixed,
    start: Tensor,
    condition: Tensor,
    generator: torch.Generator,
    temperature: float = 1.0,
    steps: int = 8,
) -> Tensor:
    """(B, D) double: draws that have what is fixed as the (1, D) start has it.

    condition: (B, C); temperature: spread of the Gaussian draws, 0 all in the middle; steps: of
    the midpoint rule, each asks the network twice
    """
    mean, size = flow.mean.double(), len(condition)
    noise = torch.randn(size, len(mean), generator=generator).double() @ flow.root.double().T
    centre = mean + fixed.correction(start - mean)
    x = centre + temperature * (noise - fixed.correction(noise))

    def velocity(x: Tensor, time: float) -> Tensor:
        now = torch.full((size, 1), time)
        learned = flow(x.float(), now, condition).double()
        return drift(time) * (x - centre) + learned - fixed.correction(learned)

    width = 1 / steps
    for step in range(steps):
        half = x + width / 2 * velocity(x, step * width)
        x = x + width * velocity(half, (step + 0.5) * width)
    return x


def drift(time: float | Tensor) -> float | Tensor:
    """Velocity over distance from the centre, if people were Gaussian: what the network need not learn."""
    return (2 * time - 1) / (time**2 + (1 - time) ** 2)


def save_flow(flow: VariantFlow, folder: Path, card: dict[str, object]) -> None:
    """Write flow.safetensors, its network in half precision, and flow.json with sizes and the model card."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: (t if name in EXACT else t.half()).contiguous() for name, t in flow.state_dict().items()}
    save_file(tensors, folder / "flow.safetensors")
    about = {"format": FORMAT, "settings": asdict(flow.settings), "card": card}
    (folder / "flow.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_flow(folder: Path) -> VariantFlow:
    """A saved flow in float32; raises OSError when there is none."""
    about = json.loads((folder / "flow.json").read_text(encoding="utf-8"))
    settings = {**about["settings"], "sliders": tuple(about["settings"]["sliders"])}
    flow = VariantFlow(FlowSettings(**settings))
    flow.load_state_dict({name: t.float() for name, t in load_file(folder / "flow.safetensors").items()})
    return flow.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def shipped_flow() -> VariantFlow:
    """The flow in the package."""
    return read_flow(SHIPPED_FLOW)


def sayable(axes: Axes) -> tuple[str, ...]:
    """Sliders that move a number the flow draws: shape and skin, not expression, hair or things worn."""
    layout = axes.layout
    parts = layout.unpack(axes.directions)
    moves = (parts.identity.abs().sum(1) + parts.albedo.abs().sum(1)) > 0
    return tuple(name for name, is_moving in zip(axes.names, moves.tolist(), strict=True) if is_moving)
