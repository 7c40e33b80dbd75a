"""What drawing needs to know of hair: strands as lines of points. Millimetres, head frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Strands:
    """N strands, ready to be drawn or to be made into strips.

    points: (N, P, 3) mm; colour: (N, 3) linear RGB; shade: (P,) brightness from root to tip
    width: (N,) mm at the root; taper: share of the width that is left at the tip
    normal: (N, 3) outward at the root; lock: (N,) index of the strand whose lock it is in
    triangle, weights: (N,), (N, 3) where each is rooted: a row of HeadSpace.triangles and
    barycentric weights; follow_mm: how far along a strand its root's motion is felt
    """

    points: Array
    colour: Array
    width: Array
    normal: Array
    lock: Ints
    triangle: Ints
    weights: Array
    follow_mm: float
    taper: float = 0.35
    tip_shade: float = 1.15
    root_shade: float = 0.72

    def __len__(self) -> int:
        return len(self.points)
