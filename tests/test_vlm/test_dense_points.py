"""The dense landmarks: where points start, whose they are, and that faces do not see each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facegpt_model.data.dense_faces import true_places
from facegpt_model.losses.likelihood import place_surprise
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.crops import Windows
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.vlm.dense_points import (
    JAW,
    LANDMARKS,
    VECTOR,
    DenseInput,
    DensePointNet,
    DenseSettings,
    affine_mixes,
    read_dense_points,
    save_dense_points,
)

SMALL = DenseSettings(vertices=40, rank=4, channels=8, width=8)


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load()
    assert isinstance(model, OpenHead)
    return model


def some_net(head: OpenHead) -> DensePointNet:
    """An untrained net whose answers depend on everything it reads."""
    torch.manual_seed(3)
    net = DensePointNet(SMALL)
    net.choose(head)
    with torch.no_grad():
        net.basis.normal_()
        net.coarse.weight.normal_(std=0.01)
        net.answer.normal_(std=0.01)
    return net.eval()


def some_faces(count: int) -> DenseInput:
    torch.manual_seed(4)
    return DenseInput(
        torch.randn(count, VECTOR),
        torch.randn(count, 16, 16, 128),
        torch.randn(count, 8, 8, 128),
        torch.rand(count, LANDMARKS, 3),
    )


def test_two_faces_are_read_as_each_alone(head: OpenHead) -> None:
    net, faces = some_net(head), some_faces(2)
    both = net(faces)
    for k in range(2):
        one = net(
            DenseInput(*(getattr(faces, n)[k : k + 1] for n in ("vector", "trunk16", "trunk8", "points")))
        )
        torch.testing.assert_close(one.places[0], both.places[k])
        torch.testing.assert_close(one.doubt[0], both.doubt[k])
    assert (both.places[0] - both.places[1]).abs().max() > 0.01


def test_a_point_looks_at_the_maps_around_it_only(head: OpenHead) -> None:
    net, faces = some_net(head), some_faces(1)
    faces.points[:] = 0.2 + 0.1 * faces.points  # all in the upper left
    far, near = faces.trunk16.clone(), faces.trunk16.clone()
    far[:, 13:, 13:] += 5.0
    near[:, 3:5, 3:5] += 5.0
    seen = [net(DenseInput(faces.vector, m, faces.trunk8, faces.points)) for m in (faces.trunk16, far, near)]
    landmarks = slice(0, LANDMARKS)
    torch.testing.assert_close(seen[0].places[:, landmarks], seen[1].places[:, landmarks])
    assert (seen[0].places - seen[2].places)[:, landmarks].abs().max() > 1e-5


def test_starting_places_follow_any_affine_change(head: OpenHead) -> None:
    net = some_net(head)
    landmarks = head.landmarks478(head.mean[None])
    change = torch.tensor([[0.9, 0.2, 0.3], [-0.1, 1.1, 0.2]])
    flat = landmarks @ change.T + torch.tensor([3.0, -2.0])
    vertex = head.mean[net.vertex.long()] @ change.T + torch.tensor([3.0, -2.0])
    start = net.start(torch.cat([flat, torch.zeros(1, LANDMARKS, 1)], dim=2))[0]
    assert (start[LANDMARKS:-JAW] - vertex).norm(dim=1).max() < 0.05  # mm
    assert (start[:LANDMARKS] - flat[0]).abs().max() == 0
    assert affine_mixes(landmarks[0], head.mean[:3]).sum(1) == pytest.approx(torch.ones(3).numpy(), abs=1e-4)


def test_vertices_are_spread_over_the_face(head: OpenHead) -> None:
    chosen = head.mean[some_net(head).vertex.long()]
    apart = torch.cdist(chosen, chosen) + 1e3 * torch.eye(len(chosen))
    assert apart.amin(dim=1).min() > 15  # mm
    assert chosen[:, 0].max() > 60 and chosen[:, 0].min() < -60


def test_true_places_are_where_the_camera_sees_them(head: OpenHead) -> None:
    net = some_net(head)
    turned = portrait_view(yaw_deg=40.0, size=200)
    code = head.mean_code()
    places = true_places(head, net.vertex, code, turned)[0]
    vertices = project(head.vertices(code), turned)[0, :, :2]
    torch.testing.assert_close(places[LANDMARKS:-JAW], vertices[net.vertex.long()])
    right, left = places[-JAW:][[0, 16], 0]  # the visible jaw line ends where the head does
    ears = project(head.landmarks68(head.vertices(code)), turned)[0, [0, 16], 0]
    assert abs(right - ears[0]) + abs(left - ears[1]) > 3.0  # pixels: one side has slid forward


def test_surprise_is_least_at_the_true_place_with_honest_doubt() -> None:
    torch.manual_seed(0)
    places = torch.rand(2, 3, 2, dtype=torch.float64, requires_grad=True)
    doubt = (0.1 + torch.rand(2, 3, dtype=torch.float64)).requires_grad_()
    true, size = torch.rand(2, 3, 2, dtype=torch.float64), torch.full((2, 1), 0.2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p, d: place_surprise(p, d, true, size), (places, doubt))
    away = (places - true).detach().square().sum(2).div(2).sqrt()
    best = place_surprise(places, away, true, size)
    assert (place_surprise(places, 1.1 * away, true, size) > best).all()
    assert (place_surprise(places, 0.9 * away, true, size) > best).all()
    torch.testing.assert_close(
        place_surprise(2 * places, 2 * doubt, 2 * true, 2 * size), place_surprise(places, doubt, true, size)
    )


def test_a_saved_net_answers_the_same(head: OpenHead, tmp_path: Path) -> None:
    net, faces = some_net(head), some_faces(1)
    save_dense_points(net, tmp_path, {"name": "tiny"})
    again = read_dense_points(tmp_path)
    assert (again.vertex == net.vertex).all()
    assert (again(faces).places - net(faces).places).abs().max() < 2e-3
    with pytest.raises(OSError, match=r"points\.json"):
        read_dense_points(tmp_path / "nowhere")


def test_windows_carry_points_there_and_back() -> None:
    torch.manual_seed(1)
    windows = Windows(100 * torch.rand(3, 2), 50 + torch.rand(3), torch.randn(3))
    points = torch.rand(3, 5, 2)
    torch.testing.assert_close(windows.from_picture(windows.to_picture(points)), points)
    part = windows.some(torch.tensor([2]))
    torch.testing.assert_close(part.to_picture(points[2:]), windows.to_picture(points)[2:])
