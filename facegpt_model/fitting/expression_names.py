"""Expressions of one head model by the names of another, where both speak ARKit's.

Some models split an action in halves: ICT has browInnerUpLeft and browInnerUpRight for ARKit's
browInnerUp. A whole goes to both halves; two halves go to the whole as their mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SIDES = ("Left", "Right")


def share_names(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two models name any action alike."""
    return bool(set(one) & set(other))


def expression_by_name(
    names: Sequence[str], weights: Tensor, wanted: Sequence[str]
) -> tuple[Tensor, tuple[str, ...]]:
    """(len(wanted),) weights, and the names with a weight that found no partner.

    names: of weights (E,). Raises ValueError if their numbers differ.
    """
    given = dict(zip(names, weights.tolist(), strict=True))
    used: set[str] = set()
    taken = torch.zeros(len(wanted))
    for row, name in enumerate(wanted):
        whole = next((name.removesuffix(side) for side in SIDES if name.endswith(side)), "")
        halves = [name + side for side in SIDES]
        sources = (
            [name] if name in given else [whole] if whole in given else [h for h in halves if h in given]
        )
        used.update(sources)
        if sources:
            taken[row] = sum(given[source] for source in sources) / max(len(sources), 1)
    return taken, tuple(name for name, weight in given.items() if weight and name not in used)
