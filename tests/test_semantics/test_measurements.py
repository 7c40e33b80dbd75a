"""Measurements against points set by hand."""

import math

import pytest
import torch

from facegpt_model.semantics.measurements import measure


def hand_made_face() -> torch.Tensor:
    points = torch.zeros(1, 68, 3, dtype=torch.float64)
    points[0, 2], points[0, 14] = torch.tensor([-70.0, 0, -60]), torch.tensor([70.0, 0, -60])
    points[0, 4], points[0, 12] = torch.tensor([-50.0, -40, 0]), torch.tensor([50.0, -40, 0])
    points[0, 27], points[0, 8] = torch.tensor([0, 30.0, 8]), torch.tensor([0, -74.0, 8])
    points[0, 31], points[0, 35] = torch.tensor([-13.0, -9, 9]), torch.tensor([13.0, -9, 9])
    points[0, 33], points[0, 30] = torch.tensor([0, -10.0, 8]), torch.tensor([0, -7.0, 12])
    points[0, 48], points[0, 54] = torch.tensor([-24.0, -34, 3]), torch.tensor([24.0, -34, 3])
    points[0, 51], points[0, 62] = torch.tensor([0, -26.0, 8]), torch.tensor([0, -32.0, 8])
    points[0, 66], points[0, 57] = torch.tensor([0, -33.0, 8]), torch.tensor([0, -44.0, 8])
    points[0, 36], points[0, 39] = torch.tensor([-45.0, 30, 0]), torch.tensor([-17.0, 30, 0])
    points[0, 42], points[0, 45] = torch.tensor([17.0, 30, 0]), torch.tensor([47.0, 30, 0])
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[0, upper, 1], points[0, lower, 1] = 36.0, 26.0
    points[0, [18, 19, 20, 23, 24, 25], 1] = 49.0
    return points


def test_measurements_of_a_hand_made_face() -> None:
    found = {name: value.item() for name, value in measure(hand_made_face()).items()}
    expected = {
        "face_width": 140.0,
        "jaw_width": 100.0,
        "face_height": 104.0,
        "nose_width": 26.0,
        "nose_length": 40.0,
        "nose_protrusion": 5.0,
        "mouth_width": 48.0,
        "lip_thickness": 18.0,
        "upper_lip_thickness": 6.0,
        "lower_lip_thickness": 11.0,
        "eye_width": 29.0,
        "eye_height": 10.0,
        "eye_distance_inner": 34.0,
        "eye_distance_outer": 92.0,
        "brow_height": 13.0,
        "chin_height": 30.0,
        "lower_face_height": 64.0,
        "philtrum_length": 16.0,
    }
    assert found == pytest.approx(expected)


def test_measurements_ignore_where_and_which_way_a_face_looks() -> None:
    face = hand_made_face()
    turn = torch.tensor([[math.cos(0.4), 0, math.sin(0.4)], [0, 1, 0], [-math.sin(0.4), 0, math.cos(0.4)]])
    moved = face @ turn.T.double() + torch.tensor([3.0, -5.0, 700.0])
    for name, value in measure(moved).items():
        torch.testing.assert_close(value, measure(face)[name])


def test_measurements_of_two_are_those_of_each() -> None:
    first, second = hand_made_face(), hand_made_face() * 1.1
    both = measure(torch.cat([first, second]))
    for name, value in both.items():
        torch.testing.assert_close(value, torch.cat([measure(first)[name], measure(second)[name]]))


def test_measurements_refuse_another_shape() -> None:
    with pytest.raises(ValueError, match=r"\(B, 68, 3\)"):
        measure(torch.zeros(68, 3))
