"""The appearance stage: read-outs of what people wear, from portraits labelled by eye, in closed form.

Ridge regression of answers on looks (wearing/look.py), one strength per question; strengths and
calibration come from five folds of people among those that are learned from. People kept for
tests (fitting/portraits.py) are only used to say how good the result is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facegpt_model.data.worn_labels import ANSWERS, WornLabels
from facegpt_model.wearing.look import PARTS
from facegpt_model.wearing.readouts import (
    MIDDLE_YEARS,
    OUTPUTS,
    YEARS,
    ReadOuts,
    columns,
    logits,
    standardised,
)

STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS = 5
AGE = "age"
LEAST_SCALE = 1e-3  # of a part's own spread; a number that never changes has no scale
CALIBRATION_STEPS, CALIBRATION_RIDGE = 60, 1e-3
BINS = 10  # of the calibration error


@dataclass(frozen=True)
class LabelledLooks:
    """N labelled looks.

    vectors: (N, VECTOR); labels, people: N each; kept: (N,) bool, kept for tests
    """

    vectors: Tensor
    labels: Sequence[WornLabels]
    people: Sequence[str]
    kept: Tensor


@dataclass(frozen=True)
class Score:
    """How good the answers to one question are, on people that were not learned from.

    photos: how many; right: share of likeliest answers that are right; majority: share of the
    commonest answer; balanced: mean share over the answers that occur, choosing by probability
    over how common an answer is; by_chance: 1 / how many occur; calibration: mean difference
    between probability and share, over ten bins
    """

    photos: int
    right: float
    majority: float
    balanced: float
    by_chance: float
    calibration: float


def learn(data: LabelledLooks) -> ReadOuts:
    """Read-outs from the people who are not kept for tests."""
    rows = ~data.kept
    wanted, mean_answer = _targets(data, rows)
    vectors, wanted = data.vectors[rows].float(), wanted[rows]
    mean, scale = _scales(vectors)
    looks = standardised(vectors, mean, scale)
    share = torch.cat([torch.full((n,), (n * len(PARTS)) ** -0.5) for n in PARTS.values()])
    looks = looks * share  # every part of the look weighs the same
    gram = looks @ looks.T
    fold = torch.tensor([_fold(data.people[i]) for i in rows.nonzero()[:, 0].tolist()])
    labels = [data.labels[i] for i in rows.nonzero()[:, 0].tolist()]
    foretold = {strength: _foretold(gram, wanted, fold, strength) + mean_answer for strength in STRENGTHS}
    weight = torch.zeros(looks.shape[1], OUTPUTS)
    calibration = {}
    for question in ANSWERS:
        part = columns(question)
        truth = _truth(labels, question)
        seen = truth >= 0
        tried = [
            (*_calibrated(foretold[strength][seen][:, part], truth[seen]), strength) for strength in STRENGTHS
        ]
        _, calibration[question], strength = min(tried, key=lambda one: one[0])
        weight[:, part] = looks.T @ _ridge(gram, wanted[:, part], strength)
    years = torch.tensor([YEARS * float("nan") if one.age is None else one.age for one in labels])
    known = ~years.isnan()
    off = {s: (MIDDLE_YEARS + YEARS * foretold[s][known, -1] - years[known]) for s in STRENGTHS}
    best = min(STRENGTHS, key=lambda strength: float(off[strength].square().mean()))
    weight[:, -1:] = looks.T @ _ridge(gram, wanted[:, -1:], best)
    sd = float(off[best].square().mean().sqrt())
    return ReadOuts(mean, scale, weight * share[:, None], mean_answer, calibration, sd)


def scores(readouts: ReadOuts, data: LabelledLooks) -> tuple[dict[str, Score], float]:
    """Each question's score on the people kept for tests, and the mean error of age in years."""
    rows = data.kept.nonzero()[:, 0].tolist()
    told = readouts.scores(data.vectors[data.kept].float())
    found = {}
    learned = [data.labels[i] for i in (~data.kept).nonzero()[:, 0].tolist()]
    for question, known in ANSWERS.items():
        truth = _truth([data.labels[i] for i in rows], question)
        common = torch.bincount(_truth(learned, question).clamp_min(-1) + 1, minlength=len(known) + 1)[1:]
        seen = truth >= 0
        chances = logits(told[seen][:, columns(question)], readouts.calibration[question]).softmax(dim=1)
        found[question] = _score(chances, truth[seen], common / common.sum().clamp_min(1))
    off = [
        abs(MIDDLE_YEARS + YEARS * float(told[k, -1]) - age)
        for k, i in enumerate(rows)
        if (age := data.labels[i].age) is not None
    ]
    return found, sum(off) / max(len(off), 1)


def _score(chances: Tensor, truth: Tensor, common: Tensor) -> Score:
    surest, likeliest = chances.max(dim=1)
    right = likeliest == truth
    weighed = torch.where(common > 0, chances / common.clamp_min(1e-9), 0.0).argmax(dim=1)
    occur = [k for k in range(chances.shape[1]) if bool((truth == k).any())]
    balanced = [float((weighed[truth == k] == k).float().mean()) for k in occur]
    bins = (surest * BINS).long().clamp_max(BINS - 1)
    gap = sum(
        float((surest[bins == b].mean() - right[bins == b].float().mean()).abs() * (bins == b).float().mean())
        for b in range(BINS)
        if bool((bins == b).any())
    )
    return Score(
        photos=len(truth),
        right=float(right.float().mean()),
        majority=float(torch.bincount(truth).max() / len(truth)),
        balanced=sum(balanced) / len(balanced),
        by_chance=1 / len(occur),
        calibration=gap,
    )


def _targets(data: LabelledLooks, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(N, OUTPUTS) answers as 0 and 1 and age, less their mean (OUTPUTS,) over `rows`; 0 where unseen."""
    wanted = torch.full((len(data.labels), OUTPUTS), float("nan"))
    for question in ANSWERS:
        truth = _truth(data.labels, question)
        told = F.one_hot(truth.clamp_min(0), len(ANSWERS[question])).float()
        told[truth < 0] = float("nan")
        wanted[:, columns(question)] = told
    ages = [float("nan") if one.age is None else one.age for one in data.labels]
    wanted[:, -1] = (torch.tensor(ages) - MIDDLE_YEARS) / YEARS
    mean = wanted[rows].nanmean(dim=0).nan_to_num(0.0)
    return (wanted - mean).nan_to_num(0.0), mean


def _truth(labels: Sequence[WornLabels], question: str) -> Tensor:
    """(N,) places among the question's answers, -1 where unseen."""
    return torch.tensor([one.answers.get(question, -1) for one in labels], dtype=torch.long)


def _scales(vectors: Tensor) -> tuple[Tensor, Tensor]:
    mean, spread = vectors.mean(dim=0), vectors.std(dim=0)
    least = torch.cat(
        [(LEAST_SCALE * v.std()).expand(v.shape[1]) for v in vectors.split(list(PARTS.values()), 1)]
    )
    return mean, torch.maximum(spread, least).clamp_min(1e-4)


def _fold(person: str) -> int:
    return hashlib.sha256(f"{person} fold".encode()).digest()[0] % FOLDS


def _foretold(gram: Tensor, wanted: Tensor, fold: Tensor, strength: float) -> Tensor:
    """(N, OUTPUTS) for each person from the others' folds."""
    told = torch.zeros_like(wanted)
    for k in range(FOLDS):
        inside, outside = fold == k, fold != k
        if inside.any() and outside.any():
            found = _ridge(gram[outside][:, outside], wanted[outside], strength)
            told[inside] = gram[inside][:, outside] @ found
    return told


def _ridge(gram: Tensor, wanted: Tensor, strength: float) -> Tensor:
    """(N, K) how much of each look makes the weights."""
    return torch.linalg.solve(gram + strength * torch.eye(len(gram)), wanted)


def _calibrated(told: Tensor, truth: Tensor) -> tuple[float, Tensor]:
    """Loss and (K + 1, K) calibration of scores (N, K): a small multinomial regression."""
    count = told.shape[1]
    table = torch.cat([3.0 * torch.eye(count), torch.zeros(1, count)]).requires_grad_()
    search = torch.optim.LBFGS([table], max_iter=CALIBRATION_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        cost = F.cross_entropy(logits(told, table), truth)
        (cost + CALIBRATION_RIDGE * table.square().sum() / 2).backward()
        return cost

    search.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return float(F.cross_entropy(logits(told, table), truth)), table.detach()
