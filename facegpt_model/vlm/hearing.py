"""What was heard in a user's words: at each token the ends whose wording may have just ended there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from facegpt_model.semantics.axes import Axis
from facegpt_model.vlm.clause_head import DEGREES, Heard

WORDED = 0.9  # certainty from which an expression was worded, so that nothing has to be concluded
IMPLIED, IMPLIED_BESIDE = (
    0.4,
    0.8,
)  # probability from which a look is implied: alone, and beside a description
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

    certainty: probability that one of the possible ends was worded; possible: likeliest first,
    only one where it is plain; degree: slider size of the likeliest degree of the likeliest end.
    """

    position: int
    certainty: float
    possible: tuple[Possible, ...]
    degree: float

    @property
    def ends(self) -> frozenset[tuple[str, int]]:
        """Every (axis name, sign) it may mean."""
        return frozenset((one.axis.name, one.sign) for one in self.possible)


@dataclass(frozen=True)
class Bounds:
    """Probabilities. least: from which something was heard; plain: from which an end needs no
    rivals; share: ends below this share of the likeliest are no reading of an unclear wording."""

    least: float
    plain: float
    share: float


@torch.no_grad()
def hear(
    states: Tensor,
    head: Callable[[Tensor], Heard],
    axes: Sequence[Axis],
    bounds: Bounds,
    taken_away: bool = False,
) -> tuple[Wording, ...]:
    """The wordings in (T, H) states of the clause head's layer, in the order they were said.

    Several ends that are plain at one token are wordings of their own; where none is plain there may
    be one unclear wording with several readings. Ends that an axis does not have are heard only with
    `taken_away`: "without the beard" moves a slider that has no words for less than none.
    """
    read = head(states)
    ends = read.ends.sigmoid()
    if not taken_away:
        has = [axis.low is not None for axis in axes] + [axis.high is not None for axis in axes]
        ends = ends * torch.tensor(has)
    heard: list[Wording] = []
    for position in torch.nonzero(ends.sum(1) >= bounds.least)[:, 0].tolist():  # the others have nothing
        for wording in _wordings(position, ends[position], read.degrees[position], axes, bounds):
            _add(heard, wording)
    return tuple(heard)


def _wordings(
    position: int, ends: Tensor, degrees: Tensor, axes: Sequence[Axis], bounds: Bounds
) -> list[Wording]:
    def wording(chosen: Sequence[int], certainty: float) -> Wording:
        total = sum(float(ends[end]) for end in chosen)
        possible = tuple(
            Possible(axes[end % len(axes)], 1 if end >= len(axes) else -1, float(ends[end]) / total)
            for end in chosen
        )
        return Wording(position, certainty, possible, DEGREES[int(degrees[chosen[0]].argmax())].value)

    order = ends.argsort(descending=True, stable=True).tolist()
    plain = [wording([end], float(ends[end])) for end in order if ends[end] >= bounds.plain]
    readings = [end for end in order if ends[end] >= bounds.share * ends[order[0]]]
    certainty = min(1.0, float(ends[readings].sum()))
    return plain or ([wording(readings, certainty)] if certainty >= bounds.least else [])


def _add(heard: list[Wording], new: Wording) -> None:
    """Keep the surer one of two wordings that stand near each other and may mean the same."""
    for index, old in enumerate(heard):
        if new.position - old.position <= NEAR and _same(old, new):
            heard[index] = max(old, new, key=lambda one: (len(one.possible) == 1, one.certainty))
            return
    heard.append(new)


def _same(one: Wording, other: Wording) -> bool:
    if one.position == other.position and len(one.possible) == len(other.possible) == 1:
        return False
    return bool(one.ends & other.ends) or one.possible[0].axis.name == other.possible[0].axis.name


def with_looks(
    heard: Sequence[Wording], looks: Tensor, degrees: Tensor, axes: Sequence[Axis]
) -> tuple[Wording, ...]:
    """What was heard, and the looks that the words imply as a whole where no expression was worded plainly.

    looks: (L,) log-odds of the high ends of these L `axes`; degrees: (3,) logits of how strong they are
    """
    expressions = [wording for wording in heard if wording.possible[0].axis.part == "expression"]
    if any(wording.certainty >= WORDED for wording in expressions):
        return tuple(heard)
    described = any(one.certainty >= WORDED for one in heard if one not in expressions)
    least = IMPLIED_BESIDE if described else IMPLIED
    degree = DEGREES[int(degrees.argmax())].value
    last = max((wording.position for wording in heard), default=0)
    implied = [
        Wording(last, chance, (Possible(axis, 1, 1.0),), degree)
        for chance, axis in zip(looks.sigmoid().tolist(), axes, strict=True)
        if chance >= least
    ]
    return (*(one for one in heard if one not in expressions), *implied) if implied else tuple(heard)


def sayable(heard: Sequence[Wording]) -> tuple[Wording, ...]:
    """What can be said of a face in words: without the ends that an axis does not have."""
    found = []
    for wording in heard:
        possible = tuple(p for p in wording.possible if (p.axis.high if p.sign > 0 else p.axis.low))
        if possible:
            found.append(replace(wording, possible=possible))
    return tuple(found)


def last_words(heard: Sequence[Wording]) -> tuple[Wording, ...]:
    """At most one wording for each axis: the last, since "long, no, short" means short."""
    last = {wording.possible[0].axis.name: wording for wording in heard}
    return tuple(wording for wording in heard if last[wording.possible[0].axis.name] is wording)
