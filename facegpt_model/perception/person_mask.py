"""Which pixels belong to a person: MediaPipe's selfie segmentation net (Apache-2.0).

The file (249 kB) ships with this repository: no Python package carries it. It comes from
the npm package @mediapipe/selfie_segmentation 0.1.1675465747.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegpt_model.perception.tflite import TfliteNet

FILE = Path(__file__).with_name("selfie_segmentation.tflite")
INPUT_SIZE = 256


class PersonMaskNet(nn.Module):
    """The segmentation net, 0.11 million parameters, frozen.

    data: bytes of selfie_segmentation.tflite
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.net = TfliteNet(data)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) in 0..1, the share of a person in each pixel; hair belongs to the person.

        images: (B, 3, H, W) sRGB in 0..1 of any size; the net sees them stretched to 256 x 256.
        Differentiable.
        """
        height, width = images.shape[2:]
        small = images
        if (height, width) != (INPUT_SIZE, INPUT_SIZE):
            small = F.interpolate(
                images, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", align_corners=False, antialias=True
            )
        mask = self.net(small.permute(0, 2, 3, 1))[0].permute(0, 3, 1, 2)
        if (height, width) != (INPUT_SIZE, INPUT_SIZE):
            mask = F.interpolate(mask, (height, width), mode="bilinear", align_corners=False)
        return mask


@lru_cache(maxsize=1)
def load_person_mask_net() -> PersonMaskNet:
    """The shipped net."""
    return PersonMaskNet(FILE.read_bytes())


@torch.no_grad()
def person_mask(images: Tensor) -> Tensor:
    """(B, 1, H, W) in 0..1 of (B, 3, H, W) sRGB images in 0..1, by the shipped net."""
    mask: Tensor = load_person_mask_net()(images)
    return mask
