"""How much of a stranger's shape comes back from one picture: `facegpt evaluate geometry`.

Beside every method stand rows that say what its figures are worth: the mean face, random
faces, a fit of landmarks alone, and the floor, which is our head fitted to the true surface.
A picture in which no face is found is told as a failure and counts as the mean face.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from facegpt_model.evaluation.agreement import REGIONS, TruePeople, agreement, distances, residual_r2
from facegpt_model.evaluation.methods import LANDMARKS, Method, head, methods
from facegpt_model.evaluation.strangers import Strangers, strangers
from facegpt_model.evaluation.surfaces import Array, surfaces_of
from facegpt_model.face import FaceCode
from facegpt_model.fitting.transfer import transfer
from facegpt_model.morphable.people import sample_people
from facegpt_model.perception.analyse import NoFace

Progress = Callable[[str, float], None]
BASELINES = ("mean face", "random faces", LANDMARKS)
FLOOR = "floor: true surface"
NAN = float("nan")


@dataclass(frozen=True)
class Recovery:
    """One method on one set of strangers; see agreement.py for the figures.

    median, mean, std, regions: mm after alignment by closest points
    r2, cosine, amplitude, rank1, median_rank: by fields from the reference, landmarks aligned
    r2_icp: R² of what is left after alignment by closest points
    r2_codes: R² of the codes themselves, for strangers of our own model, else NaN
    seconds: CPU time a picture; failures: pictures without a face
    """

    method: str
    people: int
    median: float
    mean: float
    std: float
    r2: float
    r2_icp: float
    r2_codes: float
    cosine: float
    amplitude: float
    rank1: float
    median_rank: float
    seconds: float = NAN
    failures: int = 0
    regions: dict[str, float] = field(default_factory=dict)


def recover(
    kind: str,
    count: int,
    qualities: Iterable[str] = ("default",),
    seed: int = 0,
    progress: Progress = lambda doing, share: None,
) -> list[Recovery]:
    """All rows for `count` strangers of a kind. Raises UnknownQuality, UnknownKind, MissingModel."""
    chosen = methods(qualities)
    people = strangers(kind, count, seed, lambda share: progress("drawing strangers", share))
    judge = Judge(people)
    rows = []
    random = sample_people(head(), count, torch.Generator().manual_seed(seed + 1)).code
    rows.append(judge.score("mean face", head().mean_code(count)))
    rows.append(judge.score("random faces", random))
    for name, method in chosen.items():
        codes, seconds, failures = predictions(
            method,
            people.pictures,
            lambda share, name=name: progress(name, share),  # type: ignore[misc]
        )
        rows.append(judge.score(name, codes, seconds, failures))
    rows.append(judge.score(FLOOR, floor(people, lambda share: progress(FLOOR, share))))
    return rows


class Judge:
    """Scores codes of our head against one set of strangers."""

    def __init__(self, people: Strangers) -> None:
        self.truth: TruePeople = people.truth()
        self._head = head()
        own = people.codes.basis == self._head.basis
        self._codes: Array | None = people.codes.identity.double().numpy() if own else None
        self._of_mean = self.truth.residuals(
            surfaces_of(self._head, self._head.mean_code(1)) * len(people.pictures)
        )

    def score(self, method: str, codes: FaceCode, seconds: float = NAN, failures: int = 0) -> Recovery:
        """The figures of N faces predicted for the N strangers, in their order."""
        surfaces = surfaces_of(self._head, codes)
        fields, residuals = self.truth.fields(surfaces), self.truth.residuals(surfaces)
        person = agreement(fields, self.truth.true_fields)
        left = distances(residuals, self.truth.region)
        in_codes = NAN
        if self._codes is not None:
            in_codes = agreement(codes.identity.double().numpy(), self._codes).r2
        return Recovery(
            method=method,
            people=len(surfaces),
            median=left.median,
            mean=left.mean,
            std=left.std,
            r2=person.r2,
            r2_icp=residual_r2(residuals, self._of_mean),
            r2_codes=in_codes,
            cosine=person.cosine,
            amplitude=person.amplitude,
            rank1=person.rank1 if np.isfinite(person.cosine) else NAN,
            median_rank=person.median_rank if np.isfinite(person.cosine) else NAN,
            seconds=seconds,
            failures=failures,
            regions=left.regions,
        )


def predictions(
    method: Method, pictures: list[Image.Image], on_one: Callable[[float], None] = lambda share: None
) -> tuple[FaceCode, float, int]:
    """The codes of all pictures as one, CPU seconds a picture, and in how many no face was found."""
    codes, failures = [], 0
    started = time.process_time()
    for index, picture in enumerate(pictures):
        try:
            codes.append(method(picture).code)
        except NoFace:
            codes.append(head().mean_code())
            failures += 1
        on_one((index + 1) / len(pictures))
    return _together(codes), (time.process_time() - started) / max(len(pictures), 1), failures


def floor(people: Strangers, on_one: Callable[[float], None] = lambda share: None) -> FaceCode:
    """Our head fitted to each stranger's true surface: what its shapes can express of them."""
    codes: list[FaceCode] = []
    for index in range(len(people.pictures)):
        codes.append(transfer(people.model, people.codes.neutral()[index], head()).code)
        on_one((index + 1) / len(people.pictures))
    return _together(codes)


def table(rows: list[Recovery]) -> list[str]:
    """Two tables in Markdown: the figures, and mean distances by region."""
    lines = [
        "| method | icp median / mean / std mm | R² person | after icp | in codes | cosine | amplitude "
        "| rank-1 | median rank | no face | s CPU |",
        "|" + " --- |" * 11,
    ]
    for r in rows:
        lines.append(
            f"| {r.method} | {r.median:.2f} / {r.mean:.2f} / {r.std:.2f} "
            f"| {_number(r.r2)} | {_number(r.r2_icp)} | {_number(r.r2_codes)} "
            f"| {_number(r.cosine)} | {_number(r.amplitude)} "
            f"| {_percent(r.rank1)} | {_number(r.median_rank, 1)} | {r.failures} | {_number(r.seconds)} |"
        )
    lines += ["", "| mean mm by region | " + " | ".join(REGIONS) + " |", "|" + " --- |" * (len(REGIONS) + 1)]
    for r in rows:
        parts = " | ".join(_number(r.regions.get(name, NAN)) for name in REGIONS)
        lines.append(f"| {r.method} | {parts} |")
    return lines


def figures(rows: list[Recovery]) -> list[dict[str, Any]]:
    """The rows for a JSON file; what could not be measured is null."""
    return [
        {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(r).items()}
        for r in rows
    ]


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if np.isfinite(value) else "–"


def _together(codes: list[FaceCode]) -> FaceCode:
    """N codes of one face as one of N; only shape is kept."""
    blank = head().mean_code(len(codes))
    return FaceCode(torch.cat([c.identity for c in codes]), blank.expression, blank.albedo, blank.basis)
