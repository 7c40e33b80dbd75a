"""The renderer against deodr 0.2 (C++, float64): the picture inside, and gradients of outlines.

deodr takes lit vertex colours on the screen and interpolates them linearly there, so the scene
is flat towards the camera and lit evenly, where that is the same. Its outlines fade over one
pixel outside the edge and ours half a pixel to each side, so along outlines only derivatives compare.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.lighting import ambient_light
from facegpt_model.rendering.topology import topology_of

deodr = pytest.importorskip("deodr.differentiable_renderer")
SIZE = 192


@pytest.fixture
def leaf() -> tuple[Tensor, Tensor, Tensor]:
    """A flat fan with a wavy rim: (1, V, 3) vertices in mm, triangles, colours."""
    angle = torch.arange(24, dtype=torch.float64) * (2 * torch.pi / 24)
    reach = 60 + 18 * torch.sin(3 * angle + 0.3)
    rim = torch.stack([reach * angle.cos(), reach * angle.sin(), torch.zeros(24)], dim=1)
    vertices = torch.cat([torch.tensor([[3.0, -2.0, 0.0]], dtype=torch.float64), rim])
    at = torch.arange(24)
    triangles = torch.stack([torch.zeros_like(at), at + 1, (at + 1) % 24 + 1], dim=1)
    colours = 0.2 + 0.6 * torch.rand(25, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return vertices[None], triangles, colours[None]


@pytest.fixture
def view() -> View:
    given = portrait_view(size=SIZE, fill=0.9)
    double = (given.rotation, given.translation, given.focal)
    return View(*(t.double() for t in double), ambient_light((1, 1, 1))[None], (SIZE, SIZE))


def deodr_scene(leaf: tuple[Tensor, Tensor, Tensor], view: View) -> deodr.Scene2D:
    vertices, triangles, colours = leaf
    screen = project(vertices, view)[0].numpy()
    topology = topology_of(triangles, len(screen))
    count = len(triangles)
    faces = triangles.numpy().astype(np.uint32)
    return deodr.Scene2D(
        faces=faces,
        faces_uv=faces,
        ij=np.ascontiguousarray(screen[:, :2] - 0.5),
        depths=np.ascontiguousarray(screen[:, 2]),
        textured=np.zeros(count, bool),
        uv=np.zeros((len(screen), 2)),
        shade=np.zeros(len(screen)),
        colors=colours[0].numpy().copy(),
        shaded=np.zeros(count, bool),
        edgeflags=(topology.faces[:, 1] < 0).numpy()[topology.triangle_edges.numpy()],
        height=SIZE,
        width=SIZE,
        nb_colors=3,
        texture=np.zeros((0, 0)),
        background_color=np.zeros(3),
        backface_culling=True,
    )


def test_the_picture_inside_is_the_same(leaf: tuple[Tensor, Tensor, Tensor], view: View) -> None:
    ours = render(*leaf, view)
    theirs = torch.from_numpy(deodr_scene(leaf, view).render()[0])
    hit = (ours.triangle_ids >= 0).double()[:, None]
    inside = -torch.nn.functional.max_pool2d(-hit, 3, stride=1, padding=1)[0, 0] == 1
    assert inside.sum() > 4000
    difference = (ours.image[0].permute(1, 2, 0) - theirs)[inside].abs()
    assert difference.max() < 1e-7
    gradients = torch.zeros(SIZE, SIZE, 3, dtype=torch.float64)
    gradients[inside] = torch.rand(int(inside.sum()), 3, generator=torch.Generator().manual_seed(1)).double()
    scene = deodr_scene(leaf, view)
    scene.render()
    scene.render_backward(gradients.numpy().copy())  # it writes into what it is given
    colours = leaf[2].clone().requires_grad_()
    image = render(leaf[0], leaf[1], colours, view).image[0].permute(1, 2, 0)
    (image * gradients).sum().backward()
    torch.testing.assert_close(colours.grad[0], torch.from_numpy(scene.colors_b), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_moving_the_outline_sends_the_same_gradient(
    leaf: tuple[Tensor, Tensor, Tensor], view: View, axis: int
) -> None:
    """A smooth pattern over the picture, the whole leaf moved by a pixel: within 8 %."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, SIZE, dtype=torch.float64)] * 2, indexing="ij")
    pattern = (torch.sin(2 * x + 0.5) + torch.cos(3 * y + x))[..., None].expand(-1, -1, 3).contiguous()
    scene = deodr_scene(leaf, view)
    scene.render()
    scene.render_backward(pattern.numpy().copy())
    theirs = scene.ij_b[:, axis].sum()
    move = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    image = render(*leaf, replace(view, translation=view.translation + move)).image
    (image[0].permute(1, 2, 0) * pattern).sum().backward()
    depth = float(project(leaf[0], view)[0, 0, 2])
    ours = move.grad[0, axis] * depth / view.focal[0]  # per pixel instead of per mm
    assert abs(theirs) > 5
    assert float(ours) == pytest.approx(theirs, rel=0.08)
