"""A face's identity embedding: dlib's recognition ResNet (CC0) as a differentiable torch module.

Two pictures of one person lie nearer than two of different people (dlib's own threshold:
distance 0.6). Used as a loss, as a prior of shape and to tell duplicates; never to say who
somebody is. Pictures are sRGB in 0..1; the net itself works on 0..255.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegpt_model import assets
from facegpt_model.perception.crops import Windows, cut

CHIP_SIZE = 150
EMBEDDING_SIZE = 128
GRID_CHANNELS = (32, 64, 128, 256)
GRID_SIZES = (35, 17, 8, 4)
# Outer and inner corner of the left eye, of the right eye, base of the nose: where dlib's
# five-point chips want them, in units of a chip without its border.
CHIP_POINTS = (263, 362, 33, 133, 2)
CHIP_PLACES = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
CHIP_BORDER = 0.25
MEAN_RGB = (122.782, 117.001, 104.298)
TENSOR_HEADER = b"\x01\x02"  # dlib's version 2 of a tensor, as a packed integer
DEPTHS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))  # channels, residual blocks of each level


class BadIdentityNet(ValueError):
    """A file that is not dlib's recognition ResNet."""


@dataclass(frozen=True)
class IdentityFeatures:
    """What the net sees of B faces.

    embedding: (B, 128); grids: feature maps (B, C, S, S) of rising depth, channels
    GRID_CHANNELS, sides GRID_SIZES
    """

    embedding: Tensor
    grids: tuple[Tensor, ...]


class Affine(nn.Module):
    """A scale and a shift per channel: a batch normalisation that has been learned to its end."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) scaled and shifted."""
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class Residual(nn.Module):
    """Two convolutions and a way around them; the first block of a level halves the grid."""

    def __init__(self, channels_in: int, channels: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        stride, border = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(channels_in, channels, 3, stride, border)
        self.first_affine = Affine(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        self.second_affine = Affine(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C', H', W') of (B, C, H, W)."""
        y = self.second_affine(self.second(torch.relu(self.first_affine(self.first(x)))))
        return torch.relu(_sum_with_zeros(y, F.avg_pool2d(x, 2) if self.halves else x))


class IdentityNet(nn.Module):
    """dlib_face_recognition_resnet_model_v1, 5.6 million parameters, frozen."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_affine = nn.Conv2d(3, 32, 7, 2), Affine(32)
        levels, before = [], 32
        for level, (channels, count) in enumerate(DEPTHS):
            blocks = []
            for k in range(count):
                blocks.append(Residual(before, channels, halves=level > 0 and k == 0))
                before = channels
            levels.append(nn.Sequential(*blocks))
        self.levels = nn.ModuleList(levels)
        self.head = nn.Linear(before, EMBEDDING_SIZE, bias=False)
        self.register_buffer("mean", torch.tensor(MEAN_RGB)[:, None, None], persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, chips: Tensor) -> IdentityFeatures:
        """Features of (B, 3, 150, 150) aligned chips in 0..1; differentiable."""
        x = (chips * 255.0 - self.mean) / 256.0
        x = F.max_pool2d(torch.relu(self.stem_affine(self.stem(x))), 3, 2)
        grids = []
        for level in self.levels:
            x = level(x)
            grids.append(x)
        return IdentityFeatures(self.head(x.mean((2, 3))), tuple(grids[: len(GRID_SIZES)]))

    def embed(self, images: Tensor, landmarks478: Tensor) -> Tensor:
        """(B, 128) embeddings; differentiable with respect to the images.

        images: (B, 3, H, W) sRGB in 0..1; landmarks478: (B, 478, 2 or more) pixels
        """
        return self.features(images, landmarks478).embedding

    def features(self, images: Tensor, landmarks478: Tensor) -> IdentityFeatures:
        """Embedding and feature grids; arguments as of `embed`."""
        output: IdentityFeatures = self(face_chips(images, landmarks478))
        return output


def face_chips(images: Tensor, landmarks478: Tensor, size: int = CHIP_SIZE) -> Tensor:
    """(B, 3, size, size) dlib's chips: eyes and base of the nose at fixed places; black outside."""
    windows = chip_windows(landmarks478)
    pieces = [
        cut(
            image,
            Windows(windows.centre[i : i + 1], windows.side[i : i + 1], windows.angle[i : i + 1]),
            size,
        )
        for i, image in enumerate(images)
    ]
    return torch.cat(pieces).permute(0, 3, 1, 2)


def chip_windows(landmarks478: Tensor) -> Windows:
    """The windows of dlib's chips: the similarity that best carries its five places to the landmarks."""
    points = landmarks478[:, list(CHIP_POINTS), :2]
    places = (points.new_tensor(CHIP_PLACES) + CHIP_BORDER) / (1 + 2 * CHIP_BORDER)
    middle = places.mean(0)
    flat, there = places - middle, points - points.mean(1, keepdim=True)
    cos = (there * flat).sum((1, 2))
    sin = (there[..., 1] * flat[:, 0] - there[..., 0] * flat[:, 1]).sum(1)
    scale = flat.square().sum()
    side, angle = torch.hypot(cos, sin) / scale, torch.atan2(sin, cos)
    window = Windows(torch.zeros_like(points[:, 0]), side, angle)
    return Windows(points.mean(1) - window.to_picture(middle.expand(len(points), 1, 2))[:, 0], side, angle)


def read_identity_net(file: Path) -> IdentityNet:
    """The net of a dlib .dat file; raises BadIdentityNet when its layers are not the known ones."""
    data, place = file.read_bytes(), 0
    net = IdentityNet()
    for layer in _layers_from_the_input(net):
        sizes = (256, 128, 1, 1) if layer is net.head else (_number_of(layer), 1, 1, 1)
        header = TENSOR_HEADER + b"".join(_packed(n) for n in sizes)
        found = data.find(header, place)
        start = found + len(header)
        count = sizes[0] * sizes[1]
        if found < 0 or start + 4 * count > len(data):
            raise BadIdentityNet(f"{file.name} is not dlib's face recognition ResNet: no tensor of {sizes}")
        values = torch.from_numpy(np.frombuffer(data, "<f4", count, start).copy())
        place = start + 4 * count
        with torch.no_grad():
            if layer is net.head:
                net.head.weight.copy_(values.view(256, 128).T)
                continue
            weight, bias = layer.parameters()
            weight.copy_(values[: weight.numel()].view_as(weight))
            bias.copy_(values[weight.numel() :])
    return net


@lru_cache(maxsize=1)
def load_identity_net() -> IdentityNet:
    """The packaged net; raises AssetError when it is missing or corrupt."""
    return read_identity_net(assets.path("dlib_resnet"))


def _layers_from_the_input(net: IdentityNet) -> Iterator[nn.Conv2d | Affine | nn.Linear]:
    yield from (net.stem, net.stem_affine)
    for level in net.levels:
        for block in level.children():
            if isinstance(block, Residual):
                yield from (block.first, block.first_affine, block.second, block.second_affine)
    yield net.head


def _number_of(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


def _packed(number: int) -> bytes:
    """dlib's packed integer: how many bytes follow, then those, the lowest first."""
    length = max(1, (number.bit_length() + 7) // 8)
    return bytes([length]) + number.to_bytes(length, "little")


def _sum_with_zeros(a: Tensor, b: Tensor) -> Tensor:
    """The sum of maps of different sizes, the smaller ones continued by zeros."""
    sizes = [max(m, n) for m, n in zip(a.shape[1:], b.shape[1:], strict=True)]

    def grown(x: Tensor) -> Tensor:
        channels, height, width = (n - m for m, n in zip(x.shape[1:], sizes, strict=True))
        return F.pad(x, (0, width, 0, height, 0, channels))

    return grown(a) + grown(b)
