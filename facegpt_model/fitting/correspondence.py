"""Where detected landmarks lie relative to the model's own: one mean 3D offset per landmark.

A detector's "corner of the mouth" is not exactly the vertex with that name. The offsets,
millimetres in the head frame, are averages over training portraits; calibrate.py makes them
and correspondence.json tells from what.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("correspondence.npz")


@dataclass(frozen=True)
class Correspondence:
    """Offsets detected minus model, mm, head frame.

    mediapipe468: (468, 3) for OpenHead.landmarks468; ibug68: (68, 3) for OpenHead.landmarks68
    basis: the model they belong to
    """

    mediapipe468: NDArray[np.float64]
    ibug68: NDArray[np.float64]
    basis: str


@lru_cache(maxsize=1)
def load_correspondence(file: Path = FILE) -> Correspondence:
    """The shipped offsets."""
    with np.load(file, allow_pickle=False) as stored:
        return Correspondence(
            stored["mediapipe468"].astype(np.float64),
            stored["ibug68"].astype(np.float64),
            str(stored["basis"]),
        )
