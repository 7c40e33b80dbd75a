"""Adults drawn at random: sex, age, build and origin, and the macro shape they mean.

Balanced so that all kinds of people occur: half women, half men, ages 18 to 80, any mix of
MakeHuman's three poles of origin. No population's statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import SAMPLE_LIMIT, OpenHead

RACES = ("african", "asian", "caucasian")
SEXES = ("female", "male")
AGES = {"baby": 0.0, "child": 0.1875, "young": 0.5, "old": 1.0}
AGE_YEARS = ((1.0, 0.0), (12.0, 0.1875), (25.0, 0.5), (90.0, 1.0))  # years to MakeHuman's scale
MUSCLES = {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0}
WEIGHTS = {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0}

YOUNGEST, OLDEST = 18.0, 80.0
AGE_SHAPE = (1.3, 1.9)  # of the beta distribution between them: mean 43
SEX_SHAPE = (1.0, 11.0)  # of the distance from the nearer pole: mean 0.08
MUSCLE_SD, WEIGHT_SD = 0.12, 0.18
ORIGIN_SHAPE = 0.35  # of the Dirichlet distribution: mostly one or two poles
PERSON_LIMIT = 7.0  # standard deviations; words and macro shape go further than normal draws
# What men have more of beyond MakeHuman's macro shape, women less, at the ends; slider values.
SEX_SLIDERS = {
    "chin-bones-decr-incr": 0.12,
    "eyebrows-trans-backward-forward": 0.15,
    "neck-scale-horiz-decr-incr": 0.15,
    "mouth-upperlip-volume-decr-incr": -0.12,
    "mouth-lowerlip-volume-decr-incr": -0.10,
    "eye-scale-decr-incr": -0.12,
    "nose-volume-decr-incr": 0.05,
    "own/head-size": 0.12,
}


@dataclass(frozen=True)
class Person:
    """Macro shape: every number in [0, 1]; origin sums to 1 in the order of RACES.

    sex: 0 female, 1 male; age: 0.1875 child, 0.5 young adult, 1 old
    """

    sex: float = 0.5
    age: float = 0.7
    muscle: float = 0.5
    weight: float = 0.5
    origin: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)

    @property
    def years(self) -> float:
        """Age in years, 1 to 90."""
        years, scale = zip(*AGE_YEARS, strict=True)
        return float(np.interp(self.age, scale, years))


def age_of(years: float) -> float:
    """MakeHuman's age in [0, 1] of an age in years."""
    known, scale = zip(*AGE_YEARS, strict=True)
    return float(np.interp(years, known, scale))


def random_person(rng: np.random.Generator) -> Person:
    """An adult: clearly one sex mostly, any mix of origins, average build."""
    away = float(rng.beta(*SEX_SHAPE))
    sex = away if rng.random() < 0.5 else 1.0 - away
    years = YOUNGEST + (OLDEST - YOUNGEST) * float(rng.beta(*AGE_SHAPE))
    origin = rng.dirichlet([ORIGIN_SHAPE] * len(RACES))
    return Person(
        sex=sex,
        age=age_of(years),
        muscle=float(np.clip(rng.normal(0.5, MUSCLE_SD), 0, 1)),
        weight=float(np.clip(rng.normal(0.5, WEIGHT_SD), 0, 1)),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
    )


def macro_names() -> tuple[str, ...]:
    """Names of the macro targets a person is mixed from."""
    plain = [f"macrodetails/{race}-{sex}-{age}" for race in RACES for sex in SEXES for age in AGES]
    build = [
        f"macrodetails/universal-{sex}-{age}-{muscle}-{weight}"
        for sex in SEXES
        for age in AGES
        for muscle in MUSCLES
        for weight in WEIGHTS
    ]
    return tuple(plain + build)


def macro_weights(person: Person) -> dict[str, float]:
    """Weight of each macro target for a person; linear between MakeHuman's anchors."""
    race = dict(zip(RACES, person.origin, strict=True))
    sex = {"female": 1 - person.sex, "male": person.sex}
    age = _between(person.age, AGES)
    muscle, weight = _between(person.muscle, MUSCLES), _between(person.weight, WEIGHTS)
    mixed = {
        f"macrodetails/{r}-{s}-{a}": race[r] * sex[s] * age[a] for r in RACES for s in SEXES for a in AGES
    }
    for s in SEXES:
        for a in AGES:
            for m in MUSCLES:
                for w in WEIGHTS:
                    mixed[f"macrodetails/universal-{s}-{a}-{m}-{w}"] = sex[s] * age[a] * muscle[m] * weight[w]
    return mixed


def _between(value: float, anchors: Mapping[str, float]) -> dict[str, float]:
    """Linear interpolation weights of `value` among named anchors in rising order."""
    names, places = list(anchors), np.array(list(anchors.values()))
    rows = np.eye(len(names))
    return {name: float(np.interp(value, places, rows[i])) for i, name in enumerate(names)}


@dataclass(frozen=True)
class People:
    """B adults and what was drawn for each.

    code: neutral faces; sex: (B,) 0 female to 1 male; years: (B,); origin: (B, 3) in the order of RACES
    """

    code: FaceCode
    sex: Tensor
    years: Tensor
    origin: Tensor


def sample_people(
    head: OpenHead,
    count: int,
    generator: torch.Generator | None = None,
    person: Callable[[np.random.Generator], Person] = random_person,
) -> People:
    """Random adults, each with a sex, an age and a mix of origins, and colours that go with them.

    person: draws one of them; random_person for anybody

    Shape is the macro shape of a random person plus local sliders and asymmetry, as when the
    model was built, so sexes and ages are clearer than in independent normal numbers.
    """
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    persons = [person(rng) for _ in range(count)]
    mixtures = [macro_weights(drawn) for drawn in persons]
    weights = [[mixture[name] for name in head.macro_names] for mixture in mixtures]
    identity = head.macro_start + torch.tensor(weights).reshape(count, -1) @ head.macro_identity
    sex = torch.tensor([person.sex for person in persons])
    identity = identity + _local_shape(head, sex, generator)
    odd = antisymmetric(head)
    identity[:, odd] = torch.randn(count, int(odd.sum()), generator=generator).clamp(
        -SAMPLE_LIMIT, SAMPLE_LIMIT
    )
    identity = head.guard.whole(identity, PERSON_LIMIT)
    years = torch.tensor([person.years for person in persons])
    origin = torch.tensor([person.origin for person in persons]).reshape(count, len(RACES))
    albedo = head.sample_albedo(count, generator, _colouring(sex, years, origin, generator))
    expression = torch.zeros(count, head.layout.expression)
    return People(FaceCode(identity, expression, albedo, head.basis), sex, years, origin)


def _local_shape(head: OpenHead, sex: Tensor, generator: torch.Generator | None) -> Tensor:
    """(B, K) identity of random sliders; a slider's two ends are words that end in - and +."""
    drawn_words = [
        word for word, spread in zip(head.target_names, head.target_spread, strict=True) if spread > 0
    ]
    stems = list(dict.fromkeys(word[:-1] for word in drawn_words))
    draws = dict(zip(stems, torch.randn(len(stems), len(sex), generator=generator), strict=True))
    more = {name.removeprefix("own/"): value for name, value in SEX_SLIDERS.items()}
    identity = torch.zeros(len(sex), head.layout.identity)
    for word in drawn_words:
        row = head.target_names.index(word)
        value = draws[word[:-1]] * head.target_spread[row] + (2 * sex - 1) * more.get(word[:-1], 0.0)
        one_sided = value if word.endswith("+") else -value
        identity += one_sided.clamp(0.0, 1.0)[:, None] * head.target_identity[row]
    return identity


def antisymmetric(head: OpenHead) -> Tensor:
    """(K,) bool: components that make the two sides of a face differ."""
    image = head.identity_basis[:, head.mirror] * torch.tensor([-1.0, 1.0, 1.0])
    return (image * head.identity_basis).sum((1, 2)) < 0


def _colouring(
    sex: Tensor, years: Tensor, origin: Tensor, generator: torch.Generator | None
) -> dict[str, Tensor]:
    """What sex, age and origin say about the colours, as draws for OpenHead.sample_albedo."""
    noise = torch.randn(5, len(sex), generator=generator)
    african, asian, caucasian = origin.T
    return {
        "melanin": 1.7 * african - 0.3 * asian - 0.9 * caucasian + 0.5 * noise[0],
        "skin age": (years - 45.0) / 16.0 + 0.4 * noise[1],
        "beard shadow": torch.where(sex > 0.5, 0.2 + 0.8 * noise[2], torch.full_like(sex, -SAMPLE_LIMIT)),
        "brow thickness": (sex - 0.5) * 1.2 + 0.6 * noise[3],
        "hair lightness": noise[4] - 1.5 * asian,
    }
