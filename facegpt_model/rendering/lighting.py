"""Light as nine spherical-harmonic coefficients per colour, after Ramamoorthi & Hanrahan 2001.

The shading frame of every normal is camera-aligned: x right, y up, z towards the viewer.
Light travels with the camera, not with the head. Shaded colour = albedo * (basis @ light);
the cosine lobe is already in the coefficients, so light of 1 everywhere is
coefficient 1 / 0.282095 in the first row and zero elsewhere. Linear RGB throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Y0, Y1, Y2_PRODUCT, Y2_ZZ, Y2_XX = 0.282095, 0.488603, 1.092548, 0.315392, 0.546274
_COSINE_LOBE = (math.pi, 2 * math.pi / 3, math.pi / 4)  # of degrees 0, 1, 2


def sh_basis(normals: Tensor) -> Tensor:
    """(..., 9) real spherical harmonics of (..., 3) unit normals in the shading frame.

    Order: 1, y, z, x, xy, yz, 3z² - 1, xz, x² - y², with their constants.
    """
    x, y, z = normals.unbind(dim=-1)
    return torch.stack(
        [
            torch.full_like(x, Y0),
            Y1 * y,
            Y1 * z,
            Y1 * x,
            Y2_PRODUCT * x * y,
            Y2_PRODUCT * y * z,
            Y2_ZZ * (3 * z * z - 1),
            Y2_PRODUCT * x * z,
            Y2_XX * (x * x - y * y),
        ],
        dim=-1,
    )


def ambient_light(colour: Sequence[float]) -> Tensor:
    """(9, 3) float64 coefficients of light of this colour from everywhere."""
    light = torch.zeros(9, 3, dtype=torch.float64)
    light[0] = torch.tensor(colour, dtype=torch.float64) / Y0
    return light


def directional_light(direction: Sequence[float], colour: Sequence[float]) -> Tensor:
    """(9, 3) float64 coefficients of one distant lamp, shading about colour * max(0, n·d).

    direction: towards the lamp, in the shading frame, of any length.
    """
    unit = torch.nn.functional.normalize(torch.tensor(direction, dtype=torch.float64), dim=0)
    degrees = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2, 2])
    lobe = torch.tensor(_COSINE_LOBE, dtype=torch.float64)[degrees]
    return (lobe * sh_basis(unit))[:, None] * torch.tensor(colour, dtype=torch.float64)


def soft_light(batch: int = 1) -> Tensor:
    """(batch, 9, 3) float32 default studio: warm key from the upper left, cool fill, ambient."""
    light = (
        ambient_light((0.46, 0.47, 0.50))
        + directional_light((-0.50, 0.55, 0.80), (0.68, 0.65, 0.61))
        + directional_light((0.80, 0.10, 0.50), (0.16, 0.18, 0.21))
    )
    return light.float()[None].expand(batch, 9, 3)
