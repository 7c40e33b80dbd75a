"""The differentiable renderer: gradients, batches, shading of a sphere, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from facegpt_model.face import View
from facegpt_model.rendering.cameras import axis_angle_of, portrait_view, project, rotation_matrix
from facegpt_model.rendering.deferred import interpolate, render
from facegpt_model.rendering.lighting import Y0, directional_light
from facegpt_model.rendering.visibility import TorchVisibility

Head = tuple[Tensor, Tensor, Tensor]


def double(view: View) -> View:
    return View(
        view.rotation.double(),
        view.translation.double(),
        view.focal.double(),
        view.light.double(),
        view.image_size,
    )


@pytest.fixture
def wall() -> Head:
    """A wavy sheet that fills a close-up picture, so that no outline is in it."""
    steps = torch.linspace(-300, 300, 4, dtype=torch.float64)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    z = 20 * torch.sin(x / 90) * torch.cos(y / 70)
    vertices = torch.stack([x, y, z], dim=2).reshape(-1, 3)
    corner = (torch.arange(3)[:, None] * 4 + torch.arange(3)).reshape(-1, 1)
    triangles = torch.cat([corner + torch.tensor([[0, 1, 4]]), corner + torch.tensor([[1, 5, 4]])])
    colours = torch.rand(16, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return vertices, triangles, colours


def test_gradients_inside_the_surface_match_finite_differences(wall: Head) -> None:
    vertices, triangles, colours = wall
    view = double(portrait_view(yaw_deg=7, pitch_deg=4, size=(4, 5)))

    def image(
        points: Tensor, albedo: Tensor, turn: Tensor, move: Tensor, focal: Tensor, light: Tensor
    ) -> Tensor:
        rendering = render(points[None], triangles, albedo[None], View(turn, move, focal, light, (4, 5)))
        return torch.cat([rendering.image, rendering.depth / 100, rendering.normals], dim=1)

    inputs = (vertices, colours, view.rotation, view.translation, view.focal, view.light)
    assert gradcheck(
        image, [tensor.clone().requires_grad_() for tensor in inputs], eps=1e-6, atol=1e-5, fast_mode=True
    )


def test_gradients_of_antialiased_outlines_match_finite_differences() -> None:
    triangle = torch.tensor(
        [[[-51.0, -42.3, 3.0], [64.7, -21.9, 9.0], [5.3, 71.1, -4.0]]], dtype=torch.float64
    )
    colours = torch.rand(1, 3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    view = double(portrait_view(size=8, fill=0.9))

    def picture(points: Tensor, albedo: Tensor) -> tuple[Tensor, Tensor]:
        rendering = render(points, torch.tensor([[0, 1, 2]]), albedo, view)
        return rendering.image, rendering.mask

    mask = picture(triangle, colours)[1]
    assert ((mask > 0) & (mask < 1)).sum() > 5
    assert gradcheck(picture, (triangle.requires_grad_(), colours.requires_grad_()), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("yaw", [0.0, 25.0, -50.0])
def test_outline_gradients_match_a_supersampled_picture_within_a_fifth(head: Head, yaw: float) -> None:
    """Translation in the image plane, on black, against finite differences of 8 x 8 samples per pixel."""
    vertices, triangles, colours = head
    size, samples = 48, 8
    view = double(portrait_view(yaw_deg=yaw, size=size))
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size, dtype=torch.float64)] * 2, indexing="ij")
    pattern = torch.sin(2.1 * x + 0.4) * torch.cos(1.3 * y) + 0.7 * x - 0.4 * y

    def loss(move: Tensor, factor: int, smooth_edges: bool) -> Tensor:
        scaled = replace(
            view,
            translation=view.translation + move,
            focal=view.focal * factor,
            image_size=(size * factor,) * 2,
        )
        image = render(vertices[None], triangles, colours[None], scaled, smooth_edges=smooth_edges).image
        return (torch.nn.functional.avg_pool2d(image, factor) * pattern).sum()

    move = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    loss(move, 1, True).backward()
    for axis in (0, 1):
        step = torch.zeros(1, 3, dtype=torch.float64)
        step[0, axis] = 2.0
        with torch.no_grad():
            expected = (loss(step, samples, False) - loss(-step, samples, False)) / 4
        assert move.grad[0, axis] == pytest.approx(expected.item(), rel=0.2)


def test_antialiased_coverage_is_closer_to_the_truth_than_hard_edges(sphere: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = sphere
    view = double(portrait_view(size=40))
    fine = replace(view, focal=view.focal * 8, image_size=(320, 320))
    colours = torch.ones_like(vertices)[None]
    truth = torch.nn.functional.avg_pool2d(render(vertices[None], triangles, colours, fine).mask, 8)
    smooth = render(vertices[None], triangles, colours, view).mask
    hard = render(vertices[None], triangles, colours, view, smooth_edges=False).mask
    assert (smooth - truth).abs().sum() < 0.35 * (hard - truth).abs().sum()


def test_a_batch_of_two_is_two_of_one(head: Head) -> None:
    vertices, triangles, colours = head
    views = [double(portrait_view(yaw_deg=yaw, size=(40, 36))) for yaw in (15, -40)]
    both = View(
        *(
            torch.cat([getattr(v, name) for v in views])
            for name in ("rotation", "translation", "focal", "light")
        ),
        image_size=(40, 36),
    )
    pair = torch.stack([vertices, vertices * 1.1])
    background = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=torch.float64)
    together = render(pair, triangles, colours[None], both, background)
    for k, view in enumerate(views):
        alone = render(pair[k : k + 1], triangles, colours[None], view, background[k])
        for name in ("image", "mask", "depth", "normals", "triangle_ids", "barycentrics"):
            torch.testing.assert_close(getattr(together, name)[k], getattr(alone, name)[0])


def test_constant_light_gives_the_albedo_and_a_lamp_gives_the_cosine(sphere: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = sphere
    view = double(portrait_view(size=64))
    constant = torch.zeros(1, 9, 3, dtype=torch.float64)
    constant[:, 0] = 1 / Y0
    albedo = torch.tensor([0.7, 0.4, 0.2], dtype=torch.float64).expand_as(vertices)[None]
    flat = render(vertices[None], triangles, albedo, replace(view, light=constant), smooth_edges=False)
    seen = flat.mask.expand(-1, 3, -1, -1) > 0
    torch.testing.assert_close(flat.image[seen], albedo[0, 0].view(1, 3, 1, 1).expand_as(flat.image)[seen])

    lamp = directional_light((0.0, 1.0, 0.0), (1.0, 1.0, 1.0))[None]
    lit = render(vertices[None], triangles, torch.ones_like(albedo), replace(view, light=lamp))
    column = lit.image[0, 0, :, 32]
    rows = (lit.mask[0, 0, :, 32] == 1).nonzero().squeeze(1)
    assert column[rows[1]] > 0.8 and column[rows[-2]] < 0.1
    middle = lit.normals[0, 1, :, 32][rows]
    assert (column[rows] - middle.clamp_min(0)).abs().max() < 0.1  # nine coefficients, so not exact


def test_depth_and_normals_of_a_sphere(sphere: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = sphere
    view = double(portrait_view(size=65))
    middle = (
        rotation_matrix(view.rotation) @ torch.zeros(3, 1, dtype=torch.float64) + view.translation[..., None]
    )
    rendering = render(vertices[None], triangles, torch.ones_like(vertices)[None], view)
    assert rendering.depth.amax() < middle[0, 2, 0]
    seen = rendering.depth > 0
    assert rendering.depth[seen].min() == pytest.approx(middle[0, 2, 0].item() - 80, abs=0.5)
    row, column = (rendering.depth[0, 0] - rendering.depth[seen].min()).abs().argmin() // 65, 32
    assert rendering.normals[0, 2, int(row), column] > 0.99


def test_turning_the_head_and_turning_the_camera_give_one_picture(head: Head) -> None:
    vertices, triangles, colours = head
    view = double(portrait_view(size=48))
    turn = rotation_matrix(torch.tensor([[0.2, -0.4, 0.1]], dtype=torch.float64))
    head_turned = render(vertices[None] @ turn.transpose(1, 2), triangles, colours[None], view)
    camera = axis_angle_of(rotation_matrix(view.rotation) @ turn)
    camera_turned = render(vertices[None], triangles, colours[None], replace(view, rotation=camera))
    torch.testing.assert_close(head_turned.image, camera_turned.image, atol=1e-6, rtol=0)


def test_the_nose_moves_to_image_right_with_positive_yaw(head: Head) -> None:
    vertices, triangles, _ = head
    nose = torch.zeros_like(vertices)
    nose[vertices[:, 2] > 20] = 1.0

    def nose_column(yaw: float) -> float:
        image = render(
            vertices[None], triangles, nose[None], double(portrait_view(yaw_deg=yaw, size=64))
        ).image[0, 0]
        columns = torch.arange(64, dtype=torch.float64)
        return float((image.sum(dim=0) * columns).sum() / image.sum())

    assert nose_column(20) > nose_column(0) + 3 > nose_column(-20) + 6


def test_the_visibility_backend_does_not_change_picture_or_gradient(head: Head) -> None:
    vertices, triangles, colours = head
    view = double(portrait_view(yaw_deg=20, size=48))

    def run(**backend: TorchVisibility) -> tuple[Tensor, Tensor]:
        points = vertices.clone().requires_grad_()
        image = render(points[None], triangles, colours[None], view, **backend).image
        image.square().sum().backward()
        return image.detach(), points.grad

    torch.testing.assert_close(run(), run(visibility=TorchVisibility()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_follows_the_vertices(head: Head, dtype: torch.dtype) -> None:
    vertices, triangles, colours = head
    rendering = render(vertices[None].to(dtype), triangles, colours[None], portrait_view(size=32))
    assert rendering.image.dtype == rendering.mask.dtype == dtype


@pytest.mark.parametrize("shift", [(5000.0, 0.0, 0.0), (0.0, 0.0, -9000.0)], ids=["beside", "behind"])
def test_an_unseen_face_leaves_the_background_and_sends_zero_gradient(
    head: Head, shift: tuple[float, ...]
) -> None:
    vertices, triangles, colours = head
    view = portrait_view(size=16)
    away = replace(view, translation=view.translation + torch.tensor([shift]))
    points = vertices[None].float().requires_grad_()
    rendering = render(points, triangles, colours[None], away, torch.tensor([0.2, 0.4, 0.6]))
    assert (rendering.mask == 0).all() and (rendering.triangle_ids == -1).all()
    torch.testing.assert_close(
        rendering.image, torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    )
    rendering.image.sum().backward()
    assert (points.grad == 0).all()


def test_degenerate_triangles_do_no_harm(head: Head) -> None:
    vertices, triangles, colours = head
    view = double(portrait_view(size=32))
    spoiled = torch.cat([triangles, torch.tensor([[7, 7, 7], [3, 3, 9]])])
    points = vertices[None].clone().requires_grad_()
    image = render(points, spoiled, colours[None], view).image
    image.sum().backward()
    assert torch.isfinite(image).all() and torch.isfinite(points.grad).all()


def test_interpolated_positions_project_onto_their_own_pixels(head: Head) -> None:
    vertices, triangles, colours = head
    view = double(portrait_view(yaw_deg=30, size=32))
    rendering = render(vertices[None], triangles, colours[None], view)
    points = interpolate(rendering, triangles, vertices[None])[0].flatten(1).T
    pixels = project(points[None], view)[0, :, :2].view(32, 32, 2)
    seen = rendering.triangle_ids[0] >= 0
    y, x = torch.meshgrid(*[torch.arange(32, dtype=torch.float64) + 0.5] * 2, indexing="ij")
    torch.testing.assert_close(pixels[seen], torch.stack([x, y], dim=2)[seen])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v, c, w: (v.index_fill(1, torch.tensor([4]), torch.nan), c, w), "finite vertices"),
        (lambda v, c, w: (v, c[:, :-1], w), "colours must be"),
        (lambda v, c, w: (v[0], c, w), "vertices must be"),
        (lambda v, c, w: (v, c, replace(w, focal=torch.tensor([torch.inf]))), "view.focal"),
        (lambda v, c, w: (v, c, replace(w, light=torch.zeros(2, 9, 3))), "view.light"),
        (lambda v, c, w: (v, c, replace(w, image_size=(0, 4))), "at least one pixel"),
        (lambda v, c, w: (v[:, :5], c[:, :5], w), "only 5 vertices"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    head: Head, spoil: Callable[[Tensor, Tensor, View], tuple[Tensor, Tensor, View]], message: str
) -> None:
    vertices, triangles, colours = head
    points, albedo, view = spoil(vertices[None], colours[None], portrait_view(size=16))
    with pytest.raises(ValueError, match=message):
        render(points, triangles, albedo, view)
