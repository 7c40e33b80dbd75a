"""Textures, gloss and parts of the differentiable renderer: values by hand, gradients by differences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from facegpt_model.face import View
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.lighting import ambient_light, directional_light
from facegpt_model.rendering.materials import Gloss, Texture, part_mask

UV = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
HALVES = torch.tensor([[0, 1, 2], [0, 2, 3]])


@pytest.fixture
def board() -> Tensor:
    """(1, 4, 3) a square of 100 mm that faces the camera at the head's middle."""
    corners = torch.tensor([[-50.0, -50, 0], [50, -50, 0], [50, 50, 0], [-50, 50, 0]], dtype=torch.float64)
    return corners[None]


def white_light(size: int) -> View:
    """Light of 1 from everywhere."""
    view = portrait_view(size=size)
    return View(
        view.rotation.double(),
        view.translation.double(),
        view.focal.double(),
        ambient_light((1.0, 1.0, 1.0))[None],
        (size, size),
    )


def test_a_texture_lies_as_painted(board: Tensor) -> None:
    image = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    image[0, :, 0, 0] = torch.tensor([1.0, 0.0, 0.0])  # row 0 is the top, u = 0 the person's right
    image[0, :, 1, 1] = torch.tensor([0.0, 0.0, 1.0])
    drawn = render(board, HALVES, Texture(image, UV, HALVES), white_light(48))
    rows, columns = (drawn.triangle_ids[0] >= 0).nonzero().unbind(dim=1)
    top, bottom, left, right = rows.min() + 1, rows.max() - 1, columns.min() + 1, columns.max() - 1
    expected = {(top, left): [1.0, 0, 0], (top, right): [0.0, 0, 0], (bottom, right): [0.0, 0, 1]}
    for (row, column), colour in expected.items():
        torch.testing.assert_close(
            drawn.image[0, :, row, column], torch.tensor(colour, dtype=torch.float64), atol=1e-5, rtol=0
        )


def test_gradients_reach_texture_gloss_and_place(board: Tensor) -> None:
    image = torch.rand(1, 3, 3, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    view = white_light(6)
    lamp = view.light + directional_light((0.3, 0.4, 1.0), (0.5, 0.4, 0.3))
    tilted = board + torch.tensor([[[0.0, 0, 0], [0, 3, 9], [4, 0, -7], [0, 0, 5]]], dtype=torch.float64)

    def picture(
        points: Tensor, painted: Tensor, reflectance: Tensor, roughness: Tensor, light: Tensor, focal: Tensor
    ) -> Tensor:
        gloss = Gloss(reflectance, roughness)
        seen = replace(view, light=light, focal=focal)
        return render(
            points * 4, HALVES, Texture(painted, UV, HALVES), seen, gloss=gloss, smooth_edges=False
        ).image

    inputs = (
        tilted,
        image,
        torch.tensor([0.2]).double(),
        torch.tensor([0.6]).double(),
        lamp,
        view.focal.clone(),
    )
    assert gradcheck(picture, [tensor.requires_grad_() for tensor in inputs], eps=1e-6, atol=1e-5)


def test_a_gloss_mirrors_even_light_by_its_reflectance(board: Tensor) -> None:
    gloss = Gloss(torch.tensor([0.25]), torch.tensor([1.0]))
    black = torch.zeros(1, 4, 3, dtype=torch.float64)
    drawn = render(board, HALVES, black, white_light(32), gloss=gloss)
    inside = drawn.mask[0, 0] == 1
    torch.testing.assert_close(
        drawn.image[0, :, inside], torch.full_like(drawn.image[0, :, inside], 0.25), atol=1e-4, rtol=0
    )


def test_a_highlight_lies_where_the_lamp_is_mirrored(sphere: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = sphere
    view = replace(white_light(64), light=directional_light((0.0, 1.0, 1.0), (1.0, 1.0, 1.0))[None])
    gloss = Gloss(torch.tensor([0.04]), torch.tensor([0.4]))
    black = torch.zeros_like(vertices)[None]
    shine = render(vertices[None], triangles, black, view, gloss=gloss).image[0, 0]
    seen = render(vertices[None], triangles, black, view)
    half = torch.tensor([0.0, 0.3826834, 0.9238795], dtype=torch.float64)  # between lamp and viewer
    facing = torch.einsum("chw,c->hw", seen.normals[0], half)
    assert shine[facing > 0.97].mean() > 3 * shine[(facing < 0.6) & (facing > 0.4)].mean()
    plain = render(vertices[None], triangles, black, view).image
    assert (plain == 0).all() and shine.max() > 0.02


def test_parts_are_told_apart(board: Tensor) -> None:
    drawn = render(board, HALVES, torch.ones_like(board), white_light(32))
    parts = part_mask(drawn.triangle_ids, torch.tensor([7, 2]))
    assert set(parts.unique().tolist()) == {-1, 2, 7}
    assert torch.equal(parts == 7, drawn.triangle_ids == 0)
