"""The same face seen in a mirror: what frozen nets see of it, and what the code becomes.

Frozen nets answer a little differently for a face and for its mirror image; the mean of both
answers, brought to one side, is nearer to the truth than either.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.perception.crops import Windows
from facegpt_model.perception.landmarks import windows_of_landmarks
from facegpt_model.vlm.frozen import FrozenFeatures, see_windows

SIDES = {"Left": "Right", "Right": "Left"}


def see_mirrored(images: Tensor, landmarks478: Tensor, blendshapes: Tensor | None = None) -> FrozenFeatures:
    """What the nets see of the mirror images of pictures; arguments as of `see`, of the pictures."""
    there = windows_of_landmarks(landmarks478)
    across = torch.stack([images.shape[3] - there.centre[:, 0], there.centre[:, 1]], dim=1)
    turned = None if blendshapes is None else blendshapes[:, list(MIRRORED_BLENDSHAPES)]
    return see_windows(images.flip(3), Windows(across, there.side, -there.angle), turned)


def mirrored_identity(head: OpenHead) -> Tensor:
    """(I, I) for which code @ it is the mirrored face.

    Exact where the components span their own mirror images, as those of openhead@2 do.
    """
    across = head.mean.new_tensor([-1.0, 1.0, 1.0])
    rows = head.identity_basis.double().flatten(1)
    wanted = (head.identity_basis[:, head.mirror] * across).double().flatten(1)
    return torch.linalg.solve(rows @ rows.T, rows @ wanted.T).T.float()


def _other_side(name: str) -> str:
    ending = next((side for side in SIDES if name.endswith(side)), None)
    return name if ending is None else name.removesuffix(ending) + SIDES[ending]


MIRRORED_BLENDSHAPES = tuple(BLENDSHAPE_NAMES.index(_other_side(name)) for name in BLENDSHAPE_NAMES)
