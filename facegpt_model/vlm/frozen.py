"""What the packaged, frozen face nets see of a face: the ground the learned parts stand on.

The landmark net sees an upright crop cut by the landmarks, the identity net its own aligned
chip. Nothing here is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.perception.analyse import load_nets
from facegpt_model.perception.crops import Windows, cut
from facegpt_model.perception.identity import load_identity_net
from facegpt_model.perception.landmarks import INPUT_SIZE, windows_of_landmarks


@dataclass(frozen=True)
class FrozenFeatures:
    """B faces as the frozen nets see them.

    embedding: (B, 128) of the identity net; grid: (B, 256, 4, 4) its deepest map, middle: (B, 128, 8, 8)
    the one before; trunk16, trunk8, trunk2: (B, side, side, 128) maps of the landmark net;
    points: (B, 478, 3) in units of the landmark crop, upright; blendshapes: (B, 52)
    """

    embedding: Tensor
    grid: Tensor
    middle: Tensor
    trunk16: Tensor
    trunk8: Tensor
    trunk2: Tensor
    points: Tensor
    blendshapes: Tensor


def see(images: Tensor, landmarks478: Tensor, blendshapes: Tensor | None = None) -> FrozenFeatures:
    """Features of (B, 3, H, W) sRGB images in 0..1 with (B, 478, 2 or 3) landmarks in pixels.

    blendshapes: (B, 52) where they are known, else the packaged net's. Differentiable with
    respect to the images.
    """
    return see_windows(images, windows_of_landmarks(landmarks478), blendshapes)


def see_windows(images: Tensor, windows: Windows, blendshapes: Tensor | None = None) -> FrozenFeatures:
    """As `see`, with one upright window of each picture in place of its landmarks."""
    nets = load_nets()
    crops = torch.cat([cut(image, _one(windows, k), INPUT_SIZE) for k, image in enumerate(images)])
    seen = nets.landmarks.features(crops)
    trunk16, trunk8, trunk2 = seen.maps
    places = Windows(windows.centre, windows.side, windows.angle).to_picture(seen.points[..., :2])
    depth = seen.points[..., 2:] * windows.side[:, None, None]
    identity = load_identity_net().features(images, torch.cat([places, depth], dim=2))
    return FrozenFeatures(
        embedding=identity.embedding,
        grid=identity.grids[3],
        middle=identity.grids[2],
        trunk16=trunk16,
        trunk8=trunk8,
        trunk2=trunk2,
        points=seen.points,
        blendshapes=nets.blendshapes(seen.points) if blendshapes is None else blendshapes,
    )


def _one(windows: Windows, k: int) -> Windows:
    return Windows(windows.centre[k : k + 1], windows.side[k : k + 1], windows.angle[k : k + 1])
