"""The compiled loops against the torch reference: pictures and gradients, in both precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.compiled.normals import vertex_normals
from facegpt_model.rendering.compiled.pictures import each_picture
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.topology import vertex_normals_in_torch

Head = tuple[Tensor, Tensor, Tensor]
MAPS = ("image", "mask", "depth", "normals", "barycentrics")
INPUTS = ("vertices", "colours", "rotation", "translation", "focal", "light")


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def draw(head: Head, dtype: torch.dtype, compiled: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All maps of two faces and the gradients of a random weighting of them all."""
    vertices, triangles, colours = head
    view = portrait_view(yaw_deg=20, size=(40, 52), batch=2)
    pair = torch.stack([vertices, vertices * 1.1]), torch.stack([colours, colours.flip(0)])
    given = (*pair, view.rotation, view.translation, view.focal, view.light)
    inputs = [tensor.to(dtype).clone().requires_grad_() for tensor in given]
    rendering = render(
        inputs[0],
        triangles,
        inputs[1],
        View(*inputs[2:], view.image_size),
        torch.tensor([0.1, 0.2, 0.3]),
        compiled=compiled,
    )
    maps = {name: getattr(rendering, name) for name in MAPS}
    random = torch.Generator().manual_seed(1)
    loss = sum(
        (
            (values / values.detach().abs().max()) * torch.randn(values.shape, generator=random, dtype=dtype)
        ).sum()
        for values in maps.values()
    )
    loss.backward()
    return maps, dict(zip(INPUTS, (tensor.grad for tensor in inputs), strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-3)])
def test_compiled_loops_and_torch_give_the_same_picture_and_gradients(
    head: Head, dtype: torch.dtype, tolerance: float
) -> None:
    """In float32 the reference itself is inexact at slivers, hence its looser bound."""
    for fast, slow in zip(draw(head, dtype, True), draw(head, dtype, False), strict=True):
        for name, expected in slow.items():
            assert fast[name].dtype == dtype
            assert (fast[name] - expected).abs().max() <= tolerance * expected.abs().max(), name


def test_threads_change_nothing(head: Head, two_threads: None) -> None:
    many = draw(head, torch.float64, True)
    torch.set_num_threads(1)
    for fast, slow in zip(many, draw(head, torch.float64, True), strict=True):
        for name, expected in slow.items():
            assert torch.equal(fast[name], expected), name


def test_an_error_in_a_thread_is_raised() -> None:
    def refuse(k: int) -> None:
        if k == 2:
            raise ValueError("picture 2")

    with pytest.raises(ValueError, match="picture 2"):
        each_picture(refuse, 3, threads=2)


@pytest.mark.parametrize("normals", [vertex_normals, vertex_normals_in_torch])
def test_normals_of_a_sphere_point_outward_and_lone_vertices_have_none(
    normals: Callable[[Tensor, Tensor], Tensor], sphere: tuple[Tensor, Tensor]
) -> None:
    vertices, triangles = sphere
    spoiled = torch.cat([vertices, torch.zeros(1, 3, dtype=torch.float64)])[None].requires_grad_()
    flat = torch.cat([triangles, torch.tensor([[len(vertices)] * 3])])
    found = normals(spoiled, flat)
    found.square().sum().backward()
    assert (found[0, :-1] - vertices / 80).abs().max() < 0.02
    assert (found[0, -1] == 0).all() and torch.isfinite(spoiled.grad).all()
