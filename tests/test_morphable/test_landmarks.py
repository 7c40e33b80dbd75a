"""Landmarks as points in triangles, and the jaw line that slides with the view."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from facegpt_model.morphable.base import load
from facegpt_model.morphable.embedding import (
    Embedding,
    at_vertices,
    mirrored_embedding,
    nearest_on_surface,
)
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import axis_angle_of, portrait_rotation, rotation_matrix

SQUARE = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.fixture(scope="module")
def head() -> OpenHead:
    return cast(OpenHead, load())


def turned(yaw: float) -> Tensor:
    return axis_angle_of(portrait_rotation(yaw, 0.0)[None]).float()


def seen(points: Tensor, yaw: float) -> Tensor:
    """(17, 2) of head-frame points for a far camera, x right, y down."""
    return (points @ rotation_matrix(turned(yaw))[0].T)[:, :2]


def test_nearest_points_lie_inside_on_edges_and_on_corners() -> None:
    points = np.array([[1.5, 0.5, 3.0], [1.0, -4.0, 0.0], [9.0, 9.0, 1.0], [0.2, 1.1, -1.0]])
    found = nearest_on_surface(points, SQUARE, HALVES)
    np.testing.assert_allclose(
        found.on(SQUARE, HALVES), [[1.5, 0.5, 0], [1, 0, 0], [2, 2, 0], [0.2, 1.1, 0]], atol=1e-9
    )
    np.testing.assert_allclose(found.weights.sum(1), 1)
    assert found.weights.min() >= 0


def test_vertices_and_mirror_images_as_points_in_triangles() -> None:
    corners = at_vertices(np.array([3, 1]), HALVES)
    np.testing.assert_allclose(corners.on(SQUARE, HALVES), SQUARE[[3, 1]])
    mirror = np.array([0, 3, 2, 1])  # across the diagonal
    point = Embedding(np.array([0]), np.array([[0.2, 0.7, 0.1]]))
    other = mirrored_embedding(point, HALVES, mirror)
    assert other.triangle.tolist() == [1]
    np.testing.assert_allclose(other.on(SQUARE, HALVES), point.on(SQUARE, HALVES)[:, [1, 0, 2]], atol=1e-12)


def test_stored_weights_are_those_of_points_in_triangles(head: OpenHead) -> None:
    for name, shape in (("ibug68", (68,)), ("mediapipe478", (478,)), ("jaw", (17,))):
        triangle, weights = getattr(head, f"{name}_triangle"), getattr(head, f"{name}_weights")
        assert triangle.shape[: len(shape)] == shape and weights.shape == (*triangle.shape, 3)
        torch.testing.assert_close(weights.sum(-1), torch.ones(triangle.shape))
        assert weights.min() >= 0 and triangle.max() < len(head.triangles)


def test_iris_points_stand_around_their_pupils(head: OpenHead) -> None:
    points = head.landmarks478(head.mean[None])[0]
    face = head.landmarks468(head.mean[None])[0]
    torch.testing.assert_close(points[:468], face)
    for middle, corners in ((468, (33, 133)), (473, (362, 263))):
        inside = face[list(corners), 0]
        assert inside.min() < points[middle, 0] < inside.max(), "each iris lies in its own eye"
        edge = points[middle + 1 : middle + 5] - points[middle]
        assert (edge[:, :2].norm(dim=1) - 6.0).abs().max() < 0.6
        assert edge[0, 0].abs() > 5 and edge[1, 1] > 5 and edge[3, 1] < -5
        assert edge[2, 0] * edge[0, 0] < 0


def test_the_frontal_jaw_line_is_the_static_one(head: OpenHead) -> None:
    vertices = head.mean[None]
    static = head.landmarks68(vertices)
    torch.testing.assert_close(head.landmarks68(vertices, turned(0.0)), static, atol=0.05, rtol=0)
    moved = head.landmarks68(vertices, turned(30.0))
    torch.testing.assert_close(moved[:, 17:], static[:, 17:])


@pytest.mark.parametrize("yaw", [-40.0, 25.0, 50.0])
def test_the_far_side_slides_outwards_and_the_near_side_stays(head: OpenHead, yaw: float) -> None:
    vertices = head.mean[None]
    static, line = head.landmarks68(vertices)[0, :17], head.landmarks68(vertices, turned(yaw))[0, :17]
    far, near = (slice(13, 17), slice(0, 4)) if yaw > 0 else (slice(0, 4), slice(13, 17))
    outwards = 1.0 if yaw > 0 else -1.0
    gain = outwards * (seen(line, yaw)[far, 0] - seen(static, yaw)[far, 0])
    assert (gain > 2.0).all()
    torch.testing.assert_close(line[near], static[near], atol=0.5, rtol=0)
    assert (line - static).norm(dim=1).max() < 80


def test_turning_right_mirrors_turning_left(head: OpenHead) -> None:
    vertices = head.mean[None]
    left, right = (head.landmarks68(vertices, turned(yaw))[0, :17] for yaw in (33.0, -33.0))
    torch.testing.assert_close(left * torch.tensor([-1.0, 1.0, 1.0]), right.flip(0), atol=0.3, rtol=0)


def test_the_jaw_line_moves_continuously(head: OpenHead) -> None:
    yaws = torch.arange(-60, 61, 0.5)
    lines = [head.landmarks68(head.mean[None], turned(float(yaw)))[0, :17] for yaw in yaws]
    step = torch.stack(lines).diff(dim=0).norm(dim=2)
    assert step.max() < 4.0, "half a degree moves no point by more than a few mm along the skin"
