"""Children of several faces: mixtures of their numbers with some difference of their own.

What was said of all parents stays in the children (likely.py says how).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from facegpt_model.appearance.parameters import Appearance
from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.likely import Said, fixed_by, numbers_of, with_numbers


def bred(
    codes: list[FaceCode], said: Said, head: OpenHead, axes: Axes, seed: int, mutation: float = 0.25
) -> FaceCode:
    """A child of several faces: a random mixture of their numbers, and some difference of its own.

    What the parents wear comes from one of them each, part by part. mutation: [0, 1], share of
    the difference between people that is added, without moving what was said.
    """
    generator = torch.Generator().manual_seed(seed)
    shares = -torch.log(torch.rand(len(codes), generator=generator, dtype=torch.float64).clamp_min(1e-9))
    shares = shares / shares.sum()
    mixed = (shares[:, None] * torch.cat([numbers_of(code) for code in codes])).sum(0, keepdim=True)
    expression = sum(share.float() * code.expression for share, code in zip(shares, codes, strict=True))
    first = replace(codes[0], expression=torch.as_tensor(expression))
    one, other = (numbers_of(sample_people(head, 1, generator, said.person).code) for _ in range(2))
    own = (one - other) / 2**0.5
    fixed = fixed_by(said, head, axes)
    moved = mixed + mutation * (own - fixed.correction(own))
    worn = first.appearance
    if worn.shape[1]:
        worn = _inherited([code.appearance[0] for code in codes], generator)
    return with_numbers(first, moved, worn, head, axes)


def _inherited(rows: list[Tensor], generator: torch.Generator) -> Tensor:
    parents = [Appearance.of(row) for row in rows]
    chosen = {}
    for part in Appearance.__dataclass_fields__:
        giver = int(torch.randint(len(parents), (), generator=generator))
        chosen[part] = getattr(parents[giver], part)
    return Appearance(**chosen).row()
