"""How sure a fit is of each part of a face, in millimetres.

From the covariance of the identity at the end of a fit (Laplace's approximation): the
root-mean-square deviation of the places of a part of the neutral face, after moving the face
as a whole is taken out. Errors of neighbouring measurements go together, so the raw figure is
too small. It is multiplied so that the true error of a part lies below it in 68 of 100 cases, among
rendered strangers of our own model (docs/photos.md); real photographs may be harder.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.morphable.openhead import OpenHead

Array = NDArray[np.float64]

PARTS = {  # iBUG-68 points around which a part lies
    "brows": range(17, 27),
    "eyes": range(36, 48),
    "nose": range(27, 36),
    "mouth": range(48, 68),
    "jaw": range(2, 15),
}
REACH_MM = 10.0  # from those points
WHOLE_MM = 35.0  # from any of them
INFLATION = 2.5  # 68 % quantile of true over raw, parts of 50 people: 2.3 to 2.7, all 2.55


def spread_of_parts(model: OpenHead, covariance: Array) -> dict[str, float]:
    """Millimetres of standard deviation by part, and of the "whole" face; covariance (I, I)."""
    directions, parts = _directions_and_parts(model)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    moves = np.einsum("ivx,ij->vxj", directions, root)
    moves -= moves.mean(axis=0)
    variance = (moves**2).sum(axis=(1, 2))
    return {name: round(INFLATION * float(np.sqrt(variance[at].mean())), 2) for name, at in parts.items()}


@lru_cache(maxsize=1)
def _directions_and_parts(model: OpenHead) -> tuple[Array, dict[str, NDArray[np.int64]]]:
    """Identity directions (I, n, 3) of the skin of the face, and which of those n belong to each part."""
    skin = torch.unique(model.triangles[model.part == model.part_names.index("skin")])
    marks = model.landmarks68(model.mean[None])[0]
    gaps = torch.cdist(model.mean[skin], marks)
    face = gaps.amin(dim=1) < WHOLE_MM
    parts = {
        name: np.flatnonzero((gaps[face][:, list(points)].amin(dim=1) < REACH_MM).numpy())
        for name, points in PARTS.items()
    }
    parts["whole"] = np.arange(int(face.sum()))
    return model.identity_basis[:, skin[face]].double().numpy(), parts
