"""Spherical harmonics: orthonormal, in the stated order, cosine-convolved."""

from __future__ import annotations

import torch

from facegpt_model.rendering.lighting import ambient_light, directional_light, sh_basis, soft_light


def directions(count: int) -> torch.Tensor:
    """(count, 3) nearly even points on the sphere (Fibonacci)."""
    index = torch.arange(count, dtype=torch.float64) + 0.5
    polar, azimuth = torch.acos(1 - 2 * index / count), torch.pi * (1 + 5**0.5) * index
    return torch.stack([azimuth.cos() * polar.sin(), polar.cos(), azimuth.sin() * polar.sin()], dim=1)


def test_the_nine_functions_are_orthonormal() -> None:
    basis = sh_basis(directions(20000))
    gram = 4 * torch.pi * basis.T @ basis / len(basis)
    torch.testing.assert_close(gram, torch.eye(9, dtype=torch.float64), atol=1e-4, rtol=0)


def test_order_of_the_linear_terms_is_y_z_x() -> None:
    basis = sh_basis(torch.eye(3))
    assert basis[:, 1:4].argmax(dim=1).tolist() == [2, 0, 1]


def test_ambient_light_is_the_same_everywhere() -> None:
    shading = sh_basis(directions(50)) @ ambient_light((0.3, 0.5, 0.7))
    torch.testing.assert_close(shading, torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64).expand(50, 3))


def test_a_lamp_shades_by_the_cosine() -> None:
    normals = directions(500)
    towards = torch.nn.functional.normalize(torch.tensor([0.3, 0.5, 0.8], dtype=torch.float64), dim=0)
    shading = sh_basis(normals) @ directional_light(towards.tolist(), (1.0, 1.0, 1.0))
    cosine = (normals @ towards).clamp_min(0)
    assert (shading[:, 0] - cosine).abs().max() < 0.1
    assert (shading[:, 0] - cosine).abs().mean() < 0.04


def test_the_studio_lights_the_upper_left_most_and_never_goes_negative() -> None:
    light = soft_light(2).double()
    assert light.shape == (2, 9, 3)
    shading = sh_basis(directions(500)) @ light[0]
    assert shading.min() > 0.1 and shading.max() < 1.4
    brightest = directions(500)[shading.sum(dim=1).argmax()]
    assert brightest[0] < 0 < brightest[1]
