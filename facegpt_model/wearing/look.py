"""One photographed face as the read-outs see it: frozen nets, a small picture, and the person's outline.

All of it comes from the upright window that the landmark net sees (1.5 times the landmarks' box),
which holds most of the hair. Pictures are sRGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facegpt_model.perception.crops import Windows, cut
from facegpt_model.perception.landmarks import INPUT_SIZE, windows_of_landmarks
from facegpt_model.perception.person_mask import person_mask
from facegpt_model.vlm.frozen import FrozenFeatures, see

POOLED, SMALL_SIDE = 4, 16
# Part of the vector -> how many numbers.
PARTS: dict[str, int] = {
    "embedding": 128,
    "grid": 256 * 16,
    "middle": 128 * POOLED**2,
    "trunk16": 128 * POOLED**2,
    "trunk8": 128 * POOLED**2,
    "trunk2": 512,
    "blendshapes": 52,
    "picture": 3 * SMALL_SIDE**2,
    "outline": SMALL_SIDE**2,
}
VECTOR = sum(PARTS.values())


@dataclass(frozen=True)
class Look:
    """One face.

    vector: (VECTOR,) what the read-outs read; window: where picture and outline lie in the photo
    picture: (256, 256, 3) the window; outline: (256, 256) in 0..1, how much of a pixel is the person
    """

    vector: Tensor
    window: Windows
    picture: Tensor
    outline: Tensor


@torch.no_grad()
def look_at(photo: Tensor, landmarks478: Tensor, seen: FrozenFeatures | None = None) -> Look:
    """Look at the face with (478, 2 or 3) landmarks in a (3, H, W) photo.

    seen: what the frozen nets say of it, a batch of one, where that is known already
    """
    window = windows_of_landmarks(landmarks478[None])
    picture = cut(photo, window, INPUT_SIZE)
    upright = picture.permute(0, 3, 1, 2)
    outline = person_mask(upright)
    found = see(photo[None], landmarks478[None]) if seen is None else seen
    parts = {
        "embedding": found.embedding,
        "grid": found.grid.flatten(1),
        "middle": _pooled(found.middle, POOLED),
        "trunk16": _pooled(found.trunk16.permute(0, 3, 1, 2), POOLED),
        "trunk8": _pooled(found.trunk8.permute(0, 3, 1, 2), POOLED),
        "trunk2": found.trunk2.flatten(1),
        "blendshapes": found.blendshapes,
        "picture": _pooled(upright, SMALL_SIDE),
        "outline": _pooled(outline, SMALL_SIDE),
    }
    return Look(torch.cat([parts[name] for name in PARTS], dim=1)[0], window, picture[0], outline[0, 0])


def _pooled(maps: Tensor, side: int) -> Tensor:
    return F.adaptive_avg_pool2d(maps, side).flatten(1)
