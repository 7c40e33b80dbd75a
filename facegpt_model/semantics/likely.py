"""Faces that go with what was said: the said stays, everything else is drawn as people vary.

People of the said sex, age and origin are drawn (morphable/people.py) and moved so that what
was said is as in the given face: z' = z + K A (z0 - z), with A the said sliders' directions, what
reads them from a face (Axes.weights) and the gradients of their measurements (probes.py),
K = S A^T (A S A^T)^-1 and S the covariance of such people, shape and colour each for itself. For
Gaussian numbers that is exact conditioning; people are near to Gaussian, and the guard against
folded skin comes after it, so it is an approximation, and draws that came out unlike people or
lost what was said are drawn again. People are those of our own generator, so the spread is no
population's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from facegpt_model.appearance.parameters import NAMES, Appearance
from facegpt_model.appearance.sampling import sample_appearance
from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import PERSON_LIMIT, Person, age_of, random_person, sample_people
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.probes import probes
from facegpt_model.semantics.words import AGE_SPAN, MIDDLE_AGE

CROWD = 384  # people from which the covariance is taken
CROWD_SEED = 20
YEARS_SPREAD = 3.0  # standard deviation around a said age
ORIGIN_SAID = 0.8  # share of a said origin
POLES = {"african appearance": 0, "east asian appearance": 1, "european appearance": 2}
DRAWN = {"hair": "hair", "facial_hair": "facial hair", "glasses": "glasses"}  # worn things that vary
HAIR_OF_SKIN = frozenset(("baldness",))  # sliders of hair that are painted, not grown
RIDGE = 1e-6
NOTHING = 1e-9
ALIKE = 0.05  # standard deviation of a row below which people are the same there
RULES = 4  # rows of one slider at most
WHOLE = ("masculinity", "age")  # of the whole face; one measurement, such as the nose's length, is not theirs
PEOPLE_NOISE = 0.45  # sd of what sliders leave unexplained in people, as Axes.read finds it
TRIES = 8  # draws for one face
ODDEST = 0.99  # share of people that are nearer to the mean in what was not said
SLACK = 0.3  # standard deviations of people by which the guard may move what was said


@dataclass(frozen=True)
class Said:
    """What was said of a face: sex ("man", "woman" or "person"), age in years, names of sliders."""

    sex: str = "person"
    years: int | None = None
    sliders: tuple[str, ...] = ()

    def person(self, rng: np.random.Generator) -> Person:
        """A random person of this sex, age and origin."""
        drawn = random_person(rng)
        away = min(drawn.sex, 1.0 - drawn.sex)
        sex = {"man": 1.0 - away, "woman": away}.get(self.sex, drawn.sex)
        age = drawn.age if self.years is None else age_of(float(rng.normal(self.years, YEARS_SPREAD)))
        origin = np.array(drawn.origin)
        for name, pole in POLES.items():
            if name in self.sliders:
                origin = (1 - ORIGIN_SAID) * origin + ORIGIN_SAID * np.eye(len(POLES))[pole]
        african, asian, caucasian = map(float, origin)
        return replace(drawn, sex=float(sex), age=min(max(age, 0.3), 1.0), origin=(african, asian, caucasian))

    @property
    def fixed(self) -> tuple[str, ...]:
        """All sliders that stay, sex and age among them."""
        sex = ("masculinity",) if self.sex != "person" else ()
        age = ("age",) if self.years is not None else ()
        return tuple(dict.fromkeys((*sex, *age, *self.sliders)))


def drawn_like(
    code: FaceCode, said: Said, head: OpenHead, axes: Axes, seed: int, spread: float = 1.0
) -> FaceCode:
    """Another face that fits what was said as the one face of `code` does, by conditioning alone.

    It is what the learned sampler (vlm/variants.py) is compared with. spread as in `settled`.
    """
    start, fixed = numbers_of(code), fixed_by(said, head, axes)

    def propose(generator: torch.Generator) -> Proposal:
        people = sample_people(head, 1, generator, said.person)
        drawn = numbers_of(people.code)
        return Proposal(drawn + fixed.correction(start - drawn), people.sex, people.years)

    return settled(code, said, head, axes, fixed, propose, seed, spread)


@dataclass(frozen=True)
class Proposal:
    """A draw: (1, D) numbers, (1,) sex from 0 woman to 1 man and (1,) years of who it shows."""

    numbers: Tensor
    sex: Tensor
    years: Tensor


def settled(
    code: FaceCode,
    said: Said,
    head: OpenHead,
    axes: Axes,
    fixed: Fixed,
    propose: Callable[[torch.Generator], Proposal],
    seed: int,
    spread: float = 1.0,
) -> FaceCode:
    """The first draw that is a plausible face and says what `code` says, or the best of TRIES.

    spread: [0, 1], 0 the face itself, 1 as far as people of that kind differ; hair, beard and
    glasses nobody spoke of are drawn from a spread of 0.5. The expression stays.
    """
    generator = torch.Generator().manual_seed(seed)
    start = numbers_of(code)
    best, least = code, math.inf
    for _ in range(TRIES):
        drawn = propose(generator)
        moved = start + spread * (drawn.numbers - start)
        worn = code.appearance
        if worn.shape[1] and spread >= 0.5:
            worn = _worn(code, said, axes, drawn, generator)
        made = with_numbers(code, moved, worn, head, axes)
        fault = fixed.fault(numbers_of(made), start)
        if fault < least:
            best, least = made, fault
        if fault <= 1:
            break
    return best


@dataclass(frozen=True)
class Fixed:
    """A (C, D): what stays; gain (D, C): how much of each number a change of it takes.

    spread: (C,) of people along the rows; furthest: length of what was not said in the shape of
    an odd person, standard deviations
    """

    rows: Tensor
    gain: Tensor
    spread: Tensor
    furthest: float
    shape: int

    def correction(self, offset: Tensor) -> Tensor:
        """(1, D) likeliest change of all numbers that makes the fixed ones change as `offset` does."""
        return (self.gain @ (self.rows @ offset.T)).T

    def unsaid(self, numbers: Tensor) -> Tensor:
        """(B,) length of the shape without what the fixed ones explain, standard deviations."""
        return (numbers - (numbers @ self.rows.T) @ self.gain.T)[:, : self.shape].norm(dim=1)

    def fault(self, numbers: Tensor, start: Tensor) -> float:
        """How far (1, D) numbers are from a plausible face that says what `start` says; good up to 1."""
        lost = (self.rows @ (numbers - start).T)[:, 0].abs() / self.spread
        lost = lost[self.spread > ALIKE]  # where such people do not differ, nothing was drawn
        odd = float(self.unsaid(numbers)) / self.furthest
        return max(odd, float(lost.amax()) / SLACK if len(lost) else 0.0)


def fixed_by(said: Said, head: OpenHead, axes: Axes) -> Fixed:
    """What was said, fixed for people of the said sex, age and origin."""
    origin = tuple(name for name in said.sliders if name in POLES)
    crowd, covariance = _crowd(head, replace(said, sliders=origin))
    return fixed_among(said_rows(said, head, axes), crowd, covariance, head.layout.identity)


def fixed_among(rows: Tensor, people: Tensor, covariance: Tensor, shape: int) -> Fixed:
    """(C, D) unit rows, fixed for (N, D) people of this (D, D) covariance; shape: numbers that are shape."""
    taken = rows @ covariance @ rows.T
    spread = taken.diagonal().sqrt()
    ridge = RIDGE * taken.diagonal().mean() if len(rows) else torch.zeros(())
    taken = taken + ridge * torch.eye(len(rows), dtype=torch.float64)
    gain = torch.linalg.solve(taken, rows @ covariance).T
    fixed = Fixed(rows, gain, spread, math.inf, shape)
    return replace(fixed, furthest=float(fixed.unsaid(people).quantile(ODDEST)))


def said_rows(said: Said, head: OpenHead, axes: Axes) -> Tensor:
    """(C, D) rows of all said sliders."""
    return torch.cat([_no_rows(axes), *(slider_rows(name, head, axes) for name in said.fixed)])


@lru_cache(maxsize=256)
def slider_rows(name: str, head: OpenHead, axes: Axes) -> Tensor:
    """(R, D) unit rows that hold one slider, R up to RULES.

    Its direction, shape and colours each for itself: of the sum, women's lack of beard would make
    up for a shape that is hardly a woman's; what reads it from a shape; its measurement's gradient,
    but for sex and age, whose colours are held one by one.
    """
    direction = numbers_of(axes.layout.unpack(axes.directions[axes.row(name)][None]))[0]
    shape = torch.arange(len(direction)) < axes.layout.identity
    found = [direction * shape]
    if name in WHOLE:  # grey hair is no exchange for wrinkles
        found += list(torch.diag(direction * ~shape))
    else:
        found.append(direction * ~shape)
    if found[0].norm() > NOTHING:
        found.append(reading_row(name, axes) * shape)
    if name in probes() and name not in WHOLE:
        found.append(_gradient(name, head))
    kept = [row / row.norm() for row in found if row.norm() > NOTHING]
    return torch.stack(kept) if kept else _no_rows(axes)


def reading_row(name: str, axes: Axes) -> Tensor:
    """(D,) what the numbers of a person are multiplied by to read a slider."""
    return numbers_of(axes.layout.unpack(_weights(axes)[axes.row(name)][None]))[0]


@lru_cache(maxsize=4)
def _weights(axes: Axes) -> Tensor:
    return axes.weights(PEOPLE_NOISE)


def _no_rows(axes: Axes) -> Tensor:
    return torch.zeros(0, axes.layout.identity + axes.layout.albedo, dtype=torch.float64)


@lru_cache(maxsize=256)
def _gradient(name: str, head: OpenHead) -> Tensor:
    code = head.mean_code()
    identity = code.identity.clone().requires_grad_()
    value = probes()[name].measure(head, head.vertices(replace(code, identity=identity)))
    (slope,) = torch.autograd.grad(value.sum(), identity)
    return torch.cat([slope[0], torch.zeros(code.albedo.shape[1])]).double()


@lru_cache(maxsize=16)
def _crowd(head: OpenHead, said: Said) -> tuple[Tensor, Tensor]:
    """(N, D) people as `said` draws them, and their (D, D) covariance, shape and colour each for itself."""
    generator = torch.Generator().manual_seed(CROWD_SEED)
    crowd = numbers_of(sample_people(head, CROWD, generator, said.person).code)
    covariance = torch.cov(crowd.T)
    shape = torch.arange(len(covariance)) < head.layout.identity
    covariance = covariance * (shape[:, None] == shape)
    ridge = RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    return crowd, covariance + ridge


def numbers_of(code: FaceCode) -> Tensor:
    """(B, D) what is drawn: identity and albedo, in double precision."""
    return torch.cat([code.identity, code.albedo], dim=1).double()


def with_numbers(code: FaceCode, numbers: Tensor, worn: Tensor, head: OpenHead, axes: Axes) -> FaceCode:
    """The face of `code` with (1, D) other numbers, mended where skin folds, and another worn row."""
    identity, albedo = numbers.float().split([code.identity.shape[1], code.albedo.shape[1]], dim=1)
    whole = head.guard.whole(identity, PERSON_LIMIT)
    made = replace(code, identity=whole, albedo=albedo, appearance=worn)
    return axes.bounded(axes.layout.pack(made))


def said_parts(said: Said, axes: Axes) -> frozenset[str]:
    """Which of DRAWN somebody spoke of."""
    layout = axes.layout
    parts = set()
    for name in said.sliders:
        row = layout.unpack(axes.directions[axes.row(name)][None]).appearance[0]
        moved = {NAMES[index] for index in row.nonzero().flatten().tolist()}
        parts |= {part for part, prefix in DRAWN.items() if any(n.startswith(f"{prefix} ") for n in moved)}
        parts |= {"hair"} if name in HAIR_OF_SKIN else set()
    return frozenset(parts)


def _worn(code: FaceCode, said: Said, axes: Axes, who: Proposal, generator: torch.Generator) -> Tensor:
    drawn = sample_appearance(1, 2 * who.sex - 1, (who.years - MIDDLE_AGE) / AGE_SPAN, generator)
    own, other = Appearance.of(code.appearance[0]), Appearance.of(drawn[0])
    fresh = {part: getattr(other, part) for part in DRAWN if part not in said_parts(said, axes)}
    return replace(own, **fresh).row()
