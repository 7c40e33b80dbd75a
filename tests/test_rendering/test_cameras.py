"""Conventions of cameras: which way is left, what yaw and pitch do, axis-angle round trips."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from facegpt_model.face import View
from facegpt_model.rendering.cameras import (
    NEAR_MM,
    axis_angle_of,
    portrait_view,
    project,
    rotation_matrix,
    to_camera,
)

NOSE, LEFT_EAR, CROWN = [0.0, 0.0, 20.0], [75.0, 0.0, -80.0], [0.0, 120.0, -70.0]
POINTS = torch.tensor([[NOSE, LEFT_EAR, CROWN]])


def test_a_frontal_face_has_its_left_at_image_right_and_its_crown_at_the_top() -> None:
    nose, ear, crown = project(POINTS, portrait_view(size=200))[0]
    assert ear[0] > nose[0] + 10
    assert crown[1] < nose[1] - 10
    assert nose[2] < ear[2]


def test_positive_yaw_turns_the_nose_to_image_right_and_positive_pitch_raises_it() -> None:
    frontal = project(POINTS, portrait_view(size=200))[0, 0]
    assert project(POINTS, portrait_view(yaw_deg=20, size=200))[0, 0, 0] > frontal[0] + 5
    assert project(POINTS, portrait_view(pitch_deg=20, size=200))[0, 0, 1] < frontal[1] - 5


def test_the_exact_pixel_of_a_point() -> None:
    view = View(
        rotation=torch.tensor([[torch.pi, 0.0, 0.0]]),
        translation=torch.tensor([[0.0, 0.0, 1000.0]]),
        focal=torch.tensor([500.0]),
        light=torch.zeros(1, 9, 3),
        image_size=(100, 200),
    )
    pixel = project(torch.tensor([[[10.0, 20.0, 0.0]]]), view)
    torch.testing.assert_close(pixel, torch.tensor([[[105.0, 40.0, 1000.0]]]), atol=1e-4, rtol=0)


def test_turning_the_head_is_turning_the_camera_back() -> None:
    turn = rotation_matrix(torch.tensor([[0.1, 0.3, -0.2]]))
    view = portrait_view(size=200)
    camera = axis_angle_of(rotation_matrix(view.rotation) @ turn)
    turned_head = project(POINTS @ turn.transpose(1, 2), view)
    turned_camera = project(POINTS, replace(view, rotation=camera))
    torch.testing.assert_close(turned_head, turned_camera, atol=1e-2, rtol=0)


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-1, 1)] * 3), st.floats(0, torch.pi))
def test_axis_angle_survives_the_matrix(axis: tuple[float, float, float], angle: float) -> None:
    vector = torch.tensor([axis], dtype=torch.float64)
    vector = torch.nn.functional.normalize(vector + torch.tensor([1e-3, 0, 0])) * angle
    matrix = rotation_matrix(vector)
    torch.testing.assert_close(matrix @ matrix.transpose(1, 2), torch.eye(3, dtype=torch.float64)[None])
    assert axis_angle_of(matrix).norm() <= torch.pi + 1e-9
    torch.testing.assert_close(rotation_matrix(axis_angle_of(matrix)), matrix, atol=1e-7, rtol=0)


@pytest.mark.parametrize("size", [0.0, 1e-5, 1e-3, 3.0])
def test_rotation_gradient_is_right_also_near_zero(size: float) -> None:
    vector = torch.tensor([[0.5, -0.3, 0.8]], dtype=torch.float64) * size
    assert gradcheck(rotation_matrix, vector.requires_grad_())


def test_points_behind_the_camera_stay_finite_with_their_gradient() -> None:
    view = portrait_view(size=200)
    behind = torch.tensor([[[5.0, 5.0, 5000.0]]], requires_grad=True)
    projected = project(behind, view)
    assert projected[0, 0, 2] < NEAR_MM
    projected.sum().backward()
    assert torch.isfinite(projected).all() and torch.isfinite(behind.grad).all()


def test_a_portrait_keeps_the_head_in_the_picture_from_all_sides() -> None:
    for yaw in (-90, -45, 0, 45, 90):
        pixels = project(POINTS, portrait_view(yaw_deg=yaw, size=(300, 260)))[0, :, :2]
        assert (pixels > 0).all() and (pixels[:, 0] < 260).all() and (pixels[:, 1] < 300).all()
    with pytest.raises(ValueError, match="at least 300 mm"):
        portrait_view(distance_mm=50)


def test_camera_points_are_millimetres_forward() -> None:
    camera = to_camera(POINTS, portrait_view(size=100, distance_mm=900))
    assert 700 < camera[0, 0, 2] < 900
