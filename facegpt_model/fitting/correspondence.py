"""How what detectors say relates to the model: landmark offsets and the blendshapes of rest.

A detector's "corner of the mouth" is not exactly the vertex with that name, so every
landmark has one mean 3D offset, millimetres in the head frame. And the blendshape net says
"squint 0.3" of a relaxed face, so every weight has a resting level. Both are statistics of
training portraits; calibrate.py makes them and correspondence.json tells from what.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.landmarks import MESH68

FILE = Path(__file__).with_name("correspondence.npz")


@dataclass(frozen=True)
class Correspondence:
    """Offsets detected minus model, mm, head frame, and resting blendshapes.

    mediapipe468: (468, 3) for OpenHead.landmarks468; ibug68: (68, 3) for OpenHead.landmarks68
    rest: (52,) weights the net gives a relaxed face, in the order of perception's BLENDSHAPE_NAMES
    basis: the model they belong to
    """

    mediapipe468: NDArray[np.float64]
    ibug68: NDArray[np.float64]
    rest: NDArray[np.float64]
    basis: str

    def expression(self, blendshapes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(52,) blend weights in 0..1 that (52,) detected weights mean: 0 at rest, 1 at 1."""
        return np.clip((blendshapes - self.rest) / (1 - self.rest), 0.0, 1.0)


@lru_cache(maxsize=1)
def load_correspondence(file: Path = FILE) -> Correspondence:
    """The shipped offsets."""
    with np.load(file, allow_pickle=False) as stored:
        offsets = {key: stored[key].astype(np.float64) for key in ("mediapipe468", "ibug68", "rest")}
        return Correspondence(**offsets, basis=str(stored["basis"]))


def seen_landmarks68(model: OpenHead, vertices: Tensor) -> Tensor:
    """(B, 68, 3) mm: where detectors of landmarks see the 68 points of (B, V, 3) vertices.

    The 51 inner ones are points of the detector's mesh with their mean offsets; the jaw is the
    model's own, for its points slide with the pose.
    """
    inner = list(MESH68[17:])
    offset = torch.from_numpy(load_correspondence().mediapipe468[inner]).to(vertices)
    mesh = model.landmarks468(vertices)[:, inner] + offset
    return torch.cat([model.landmarks68(vertices)[:, :17], mesh], dim=1)
