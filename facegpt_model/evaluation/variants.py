"""Do variants keep what was said and vary in the rest as people do? The sampler beside plain conditioning.

Statements are made of people never learned from: sex, mostly age, and what is most notable of
them, in the three degrees that words have. "kept": every said slider reads as in the given
face, and its measurement is within half a millimetre or a sixth of what the slider moves it.
"spread": standard deviation of measurements that the said hardly touches, over that of people
of that sex and age. "calibration" says exactly what such a person is and asks where the person
lies among the draws: shares within central intervals, and CRPS in millimetres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import People, sample_people
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.likely import Said, drawn_like, numbers_of, reading_row, said_rows
from facegpt_model.semantics.measurements import measure
from facegpt_model.semantics.probes import probes
from facegpt_model.semantics.words import SEX_VALUE, Degree, age_value
from facegpt_model.vlm.variants import draw_variant

Draw = Callable[[FaceCode, Said, OpenHead, Axes, int], FaceCode]
METHODS: dict[str, Draw] = {"conditioning": drawn_like, "learned": draw_variant}
READS_WITHIN = 0.15  # of a slider
MM_WITHIN, SHARE_WITHIN = 0.5, 1 / 6  # mm, or of what 1 of the slider moves
UNTOUCHED = 0.15  # share of a measurement's variance that the said may explain
INTERVALS = (0.5, 0.8, 0.9)
DRAWS, CROWD, SEED = 20, 1200, 77
NOTABLE = 12  # sliders of a person from which the said ones are drawn


@dataclass(frozen=True)
class Score:
    """One method's figures.

    kept: share of draws with every said slider kept; kept_each: the same slider by slider; spread:
    median ratio over statements and measurements; spread_low, spread_high: 10th and 90th percentile
    of the measurements' ratios; nearest: distance to the nearest other draw over that among people;
    coverage: share of people within each central interval; crps, crps_prior: mm, of the draws and of
    people of that sex and age; unlike: energy distance of those draws to people, over women's to men
    """

    method: str
    statements: int
    draws: int
    kept: float
    kept_each: float
    spread: float
    spread_low: float
    spread_high: float
    nearest: float
    coverage: dict[str, float]
    crps: float
    crps_prior: float
    unlike: float


@dataclass(frozen=True)
class Statement:
    """What is said of a person: sliders with values in words' degrees, sex and age beside them."""

    said: Said
    values: dict[str, float]


def evaluate_variants(
    head: OpenHead,
    axes: Axes,
    count: int,
    methods: Sequence[str] = tuple(METHODS),
    progress: Callable[[str, float], None] = lambda doing, share: None,
) -> list[Score]:
    """Score the methods on `count` statements."""
    generator = torch.Generator().manual_seed(SEED)
    people = sample_people(head, CROWD, generator)
    numbers, crowd_mm = numbers_of(people.code), _millimetres(head, people.code)
    statements = [_statement(people, person, axes, generator) for person in range(count)]
    scores = []
    for place, method in enumerate(methods):
        draw = METHODS[method]
        kept, each, ratios, near, inside, crps, prior, exacts = [], [], [], [], [], [], [], []
        for number, statement in enumerate(statements):
            alike = _alike(people, statement.said, beside=number)
            start = axes.code(statement.values)
            seeds = range(number * DRAWS, (number + 1) * DRAWS)
            drawn = _drawn(draw, start, statement.said, head, axes, seeds)
            ok = _kept(start, drawn, statement.said, head, axes)
            kept.append(ok.all(1).double().mean())
            each.append(ok.double().mean())
            free = _untouched(numbers, crowd_mm, statement.said, head, axes)
            ratios.append(
                torch.where(free, _millimetres(head, drawn).std(0) / crowd_mm[alike].std(0), torch.nan)
            )
            near.append(_nearest(numbers_of(drawn)) / _nearest(numbers[alike][:DRAWS]))
            exact = _drawn(draw, people.code[number], statement.said, head, axes, seeds)
            exacts.append(numbers_of(exact))
            draws, truth = _millimetres(head, exact), crowd_mm[number]
            inside.append(torch.where(free[:, None], _inside(draws, truth), torch.nan))
            crps.append(torch.where(free, _crps(draws, truth), torch.nan))
            prior.append(torch.where(free, _crps(crowd_mm[alike], truth), torch.nan))
            progress(f"{method}: statements", (place + (number + 1) / count) / len(methods))
        measured = torch.stack(ratios)
        by_measure = measured.nanmedian(0).values
        by_measure = by_measure[~by_measure.isnan()]
        shares = torch.stack(inside).flatten(0, 1).nanmean(0).tolist()
        scores.append(
            Score(
                method,
                count,
                count * DRAWS,
                float(torch.stack(kept).mean()),
                float(torch.stack(each).mean()),
                float(measured.nanmedian()),
                float(by_measure.quantile(0.1)),
                float(by_measure.quantile(0.9)),
                float(torch.stack(near).median()),
                {f"{share:.0%}": found for share, found in zip(INTERVALS, shares, strict=True)},
                float(torch.stack(crps).nanmean()),
                float(torch.stack(prior).nanmean()),
                _unlike(torch.cat(exacts), people),
            )
        )
    return scores


def table(scores: Sequence[Score]) -> list[str]:
    """Rows of a Markdown table."""
    intervals = " / ".join(f"{share:.0%}" for share in INTERVALS)
    rows = [
        "| method | said kept, all of a draw | each | spread of the unsaid (10th to 90th percentile) "
        f"| nearest draw | people within {intervals} | CRPS mm (people of that sex, age) | unlike people |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for s in scores:
        covered = " / ".join(f"{found:.0%}" for found in s.coverage.values())
        rows.append(
            f"| {s.method} | {s.kept:.1%} | {s.kept_each:.1%} | {s.spread:.2f} ({s.spread_low:.2f} to "
            f"{s.spread_high:.2f}) | {s.nearest:.2f} | {covered} | {s.crps:.2f} ({s.crps_prior:.2f}) "
            f"| {s.unlike:.2f} |"
        )
    return rows


def _statement(people: People, person: int, axes: Axes, generator: torch.Generator) -> Statement:
    """Sex, mostly the age, and one to five of what is most notable of a person."""

    def uniform() -> float:
        return float(torch.rand((), generator=generator))

    sex = "man" if people.sex[person] > 0.5 else "woman"
    years = round(float(people.years[person])) if uniform() < 0.7 else None
    number = numbers_of(people.code)[person]
    read = {name: float(number @ reading_row(name, axes)) for name in probes()}
    read = {name: v for name, v in read.items() if axes[name].minimum <= v <= axes[name].maximum}
    told = sorted((n for n in read if n not in ("masculinity", "age")), key=lambda n: -abs(read[n]))[:NOTABLE]
    values = {"masculinity": SEX_VALUE[sex]}
    if years is not None:
        values["age"] = age_value(years)
    for place in torch.randperm(len(told), generator=generator)[: 1 + int(5 * uniform())].tolist():
        value = read[told[place]]
        degree = Degree.of(abs(value))
        if degree is not None:
            values[told[place]] = degree.value * (1 if value > 0 else -1)
    sliders = tuple(name for name in values if name not in ("masculinity", "age"))
    return Statement(Said(sex, years, sliders), values)


def _drawn(
    draw: Draw, start: FaceCode, said: Said, head: OpenHead, axes: Axes, seeds: Sequence[int]
) -> FaceCode:
    """A face for each seed, in one code; statements have seeds of their own, or one luck would rule all."""
    codes = [draw(start, said, head, axes, seed) for seed in seeds]
    parts = [[getattr(code, part) for code in codes] for part in ("identity", "expression", "albedo")]
    identity, expression, albedo = (torch.cat(part) for part in parts)
    return FaceCode(identity, expression, albedo, start.basis)


def _millimetres(head: OpenHead, code: FaceCode) -> Tensor:
    """(B, M) measurements of the neutral faces."""
    found = []
    for identity in code.identity.split(64):
        plain = FaceCode(
            identity,
            torch.zeros(len(identity), head.layout.expression),
            torch.zeros(len(identity), head.layout.albedo),
            code.basis,
        )
        found.append(torch.stack(list(measure(head.landmarks68(head.vertices(plain))).values()), dim=1))
    return torch.cat(found).double()


def _kept(start: FaceCode, drawn: FaceCode, said: Said, head: OpenHead, axes: Axes) -> Tensor:
    """(B, K) bool: which said sliders are as in the start."""
    found = []
    for name in said.fixed:
        row = reading_row(name, axes)
        ok = ((numbers_of(drawn) - numbers_of(start)) @ row).abs() <= READS_WITHIN
        if name in said.sliders:  # of sex and age as a whole one measurement tells little
            probe = probes()[name]

            def mm(code: FaceCode) -> Tensor:
                return probe.measure(head, head.vertices(code.neutral()))  # noqa: B023

            moved = mm(axes.shift(start, {name: -0.5 if axes[name].maximum == 0 else 0.5})) - mm(start)
            within = max(MM_WITHIN, 2 * SHARE_WITHIN * abs(float(moved)))
            ok = ok & ((mm(drawn) - mm(start)).abs() <= within)
        found.append(ok)
    return torch.stack(found, dim=1)


def _alike(people: People, said: Said, beside: int) -> Tensor:
    """(N,) bool: people of the said sex, within eight years of a said age, without that one."""
    alike = (people.sex > 0.5) == (said.sex == "man")
    if said.years is not None:
        alike &= (people.years - said.years).abs() <= 8
    alike[beside] = False
    return alike


def _untouched(numbers: Tensor, crowd_mm: Tensor, said: Said, head: OpenHead, axes: Axes) -> Tensor:
    """(M,) bool: measurements of which the said sliders explain little among people of one sex."""
    rows = said_rows(Said(sliders=said.sliders), head, axes)
    told = numbers @ rows.T
    told, mm = told - told.mean(0), crowd_mm - crowd_mm.mean(0)
    fitted = told @ torch.linalg.lstsq(told, mm, driver="gelsd").solution
    return fitted.var(0) / mm.var(0) < UNTOUCHED


def _nearest(numbers: Tensor) -> Tensor:
    apart = torch.cdist(numbers, numbers)
    return (apart + torch.diag(torch.full((len(numbers),), torch.inf).double())).min(1).values.median()


def _inside(draws: Tensor, truth: Tensor) -> Tensor:
    """(M, I) 1 where the truth lies within a central interval of the draws."""
    rank = (draws < truth).double().mean(0)
    rank = (rank * len(draws) + 0.5) / (len(draws) + 1)
    return torch.stack([((rank - 0.5).abs() <= share / 2).double() for share in INTERVALS], dim=1)


def _crps(draws: Tensor, truth: Tensor) -> Tensor:
    """(M,) mm; the fair estimate, whatever the number of draws."""
    size = len(draws)
    apart = (draws[:, None] - draws[None]).abs().sum((0, 1)) / (size * (size - 1))
    return (draws - truth).abs().mean(0) - apart / 2


def _unlike(drawn: Tensor, people: People) -> float:
    """Energy distance between draws for exact statements and people, as a share of that of women to men.

    What is said of people at random, drawn from again, gives people again if the draws are right.
    """
    numbers = numbers_of(people.code)
    scale, man = numbers.std(0), people.sex > 0.5
    apart = _energy(numbers[man] / scale, numbers[~man] / scale)
    return float(_energy(drawn / scale, numbers / scale) / apart)


def _energy(one: Tensor, other: Tensor) -> Tensor:
    def inner(x: Tensor) -> Tensor:
        return torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))

    return 2 * torch.cdist(one, other).mean() - inner(one) - inner(other)
