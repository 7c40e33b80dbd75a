"""What was heard in a user's words: at each token the ends whose wording may have just ended there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.semantics.axes import Axis
from facegpt_model.vlm.clause_head import DEGREES, Heard

NEAR = 3  # tokens within which the same end is one wording and not two


@dataclass(frozen=True)
class Possible:
    """One end that a wording may mean. probability: of this end, given that a wording ended here."""

    axis: Axis
    sign: int
    probability: float


@dataclass(frozen=True)
class Wording:
    """Something was said of a face, up to token `position`.

    certainty: probability that a wording of any end ended here; possible: likeliest first;
    degree: slider size of the likeliest degree.
    """

    position: int
    certainty: float
    possible: tuple[Possible, ...]
    degree: float


@torch.no_grad()
def hear(
    states: Tensor, head: Callable[[Tensor], Heard], axes: Sequence[Axis], least: float, share: float
) -> tuple[Wording, ...]:
    """The wordings in (T, H) states of the clause head's layer, in the order they were said.

    least: certainty below which nothing was heard; share: ends below this share of the
    likeliest are not possible. Ends that an axis does not have are never heard.
    """
    read = head(states)
    there = torch.tensor([axis.low is not None for axis in axes] + [axis.high is not None for axis in axes])
    ends = read.ends.softmax(-1)[:, :-1] * there
    certainty = ends.sum(1)
    heard: list[Wording] = []
    for position in torch.nonzero(certainty >= least)[:, 0].tolist():
        wording = _wording(position, ends[position], read.degrees[position], axes, share)
        if heard and position - heard[-1].position <= NEAR and _same(heard[-1], wording):
            heard[-1] = max(heard[-1], wording, key=lambda one: one.certainty)
        else:
            heard.append(wording)
    return tuple(heard)


def _wording(position: int, ends: Tensor, degrees: Tensor, axes: Sequence[Axis], share: float) -> Wording:
    certainty = float(ends.sum())
    order = torch.nonzero(ends >= share * ends.max())[:, 0].tolist()
    order.sort(key=lambda end: -float(ends[end]))
    possible = tuple(
        Possible(axes[end % len(axes)], 1 if end >= len(axes) else -1, float(ends[end]) / certainty)
        for end in order
    )
    return Wording(position, certainty, possible, DEGREES[int(degrees.argmax())].value)


def _same(one: Wording, other: Wording) -> bool:
    return one.possible[0].axis.name == other.possible[0].axis.name


def last_words(heard: Sequence[Wording]) -> tuple[Wording, ...]:
    """At most one wording for each axis: the last, since "long, no, short" means short."""
    last = {wording.possible[0].axis.name: wording for wording in heard}
    return tuple(wording for wording in heard if last[wording.possible[0].axis.name] is wording)
