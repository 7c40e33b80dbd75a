"""What filters read off a face: whether it looks like a woman or a man, how old, which expression.

Sex and age are ridge regressions of identity and albedo numbers on random adults of
openhead (facegpt_model/morphable/people.py), shipped as estimates.npz. They say what a face
looks like in that model's world of shapes; of a real person they are a guess. Run
`python benchmarks/store_estimates.py --write` to fit them anew and see their errors.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.layout import CodeLayout
from facegpt_model.morphable.openhead import BASIS, OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.semantics.axes import Axes
from tools.store.records import FaceFacts, source_of
from tools.studio import Studio

FILE = Path(__file__).with_name("estimates.npz")
PEOPLE, HELD_OUT, SEED = 4000, 1000, 8
RIDGE = 10.0
SURE = 0.25  # on the scale -1 woman to 1 man; nearer to 0 it is not said
EXPRESSION_FROM = 0.3  # slider value from which an expression is named
ADULTS = (16.0, 95.0)


def facts_of(
    estimate: FaceEstimate,
    studio: Studio,
    speculative: bool,
    case: str = "",
    tags: tuple[str, ...] = (),
) -> FaceFacts:
    """Everything the store keeps beside the numbers of the one face of `estimate`."""
    source, origin = source_of(estimate)
    code = estimate.code
    looks, years = looks_and_years(code)
    return FaceFacts(
        source=source,
        origin=origin,
        model=estimate.model,
        looks=looks,
        years=years,
        expression=expression_of(code, studio.sliders),
        speculative=speculative,
        case=case,
        tags=tags,
    )


def looks_and_years(code: FaceCode) -> tuple[str, float]:
    """Estimates for one face: "woman", "man" or "unsure", and years; ("unsure", 0) for other head models."""
    if code.basis != BASIS:
        return "unsure", 0.0
    weights = _weights()
    numbers = np.concatenate([code.identity[0].numpy(), code.albedo[0].numpy(), [1.0]])
    sex, years = (float(value) for value in weights @ numbers)
    looks = "unsure" if abs(sex) < SURE else "man" if sex > 0 else "woman"
    return looks, round(min(max(years, ADULTS[0]), ADULTS[1]), 1)


def age_reader(layout: CodeLayout) -> tuple[NDArray[np.float32], float] | None:
    """(D,) weights of the flat code and a constant that add up to years, None for other head models."""
    if layout.basis != BASIS:
        return None
    weights = _weights()[1]
    reader = np.zeros(layout.code_size, np.float32)
    reader[: layout.identity] = weights[: layout.identity]
    start = layout.identity + layout.expression + 3 * layout.joints
    reader[start : start + layout.albedo] = weights[layout.identity : -1]
    return reader, float(weights[-1])


def expression_of(code: FaceCode, axes: Axes | None) -> str:
    """Name of the strongest expression slider, "neutral" where none is strong."""
    if axes is None or not code.expression.any():
        return "neutral"
    values = axes.read(code)
    shown = {axis.name: abs(values[axis.name]) for axis in axes.axes if axis.kind == "expression"}
    strongest = max(shown, key=lambda name: shown[name])
    return strongest if shown[strongest] >= EXPRESSION_FROM else "neutral"


@lru_cache(maxsize=1)
def _weights() -> NDArray[np.float64]:
    """(2, I + A + 1): sex and years from identity, albedo and 1."""
    with np.load(FILE, allow_pickle=False) as stored:
        weights: NDArray[np.float64] = stored["weights"].astype(np.float64)
    return weights


def fit(head: OpenHead) -> tuple[NDArray[np.float32], dict[str, float]]:
    """The weights, and their errors on people that were not used."""
    people = sample_people(head, PEOPLE + HELD_OUT, torch.Generator().manual_seed(SEED))
    numbers = torch.cat([people.code.identity, people.code.albedo], 1).double().numpy()
    numbers = np.concatenate([numbers, np.ones((len(numbers), 1))], 1)
    truth = np.stack([2 * people.sex.double().numpy() - 1, people.years.double().numpy()], 1)
    used, rest = slice(0, PEOPLE), slice(PEOPLE, None)
    ridge = RIDGE * np.eye(numbers.shape[1])
    ridge[-1, -1] = 0.0
    weights = np.linalg.solve(numbers[used].T @ numbers[used] + ridge, numbers[used].T @ truth[used])
    guess = numbers[rest] @ weights
    sure = np.abs(guess[:, 0]) >= SURE
    right = (guess[:, 0] > 0) == (truth[rest, 0] > 0)
    errors = {
        "sex_right_share": float(right[sure].mean()),
        "sex_said_share": float(sure.mean()),
        "age_mean_error_years": float(np.abs(guess[:, 1] - truth[rest, 1]).mean()),
    }
    return weights.T.astype(np.float32), errors
