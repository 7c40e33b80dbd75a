"""The landmark fit recovers what it should, whichever way the head is turned."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facegpt_model.face import View
from facegpt_model.fitting.calibrate import calibrate, in_turn
from facegpt_model.fitting.correspondence import FILE, load_correspondence
from facegpt_model.fitting.estimates import view_of
from facegpt_model.fitting.landmark_fit import (
    EXPRESSION_SD,
    INNER,
    SIGMA_MM,
    Camera,
    LandmarkFit,
    basis_at,
    fit_landmarks,
    landmark_basis,
    moved,
)
from facegpt_model.fitting.portraits import Portrait
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_rotation, project
from facegpt_model.rendering.lighting import soft_light

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def model() -> OpenHead:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    return head


def truth(model: OpenHead, yaw: float, pitch: float, seed: int = 0) -> LandmarkFit:
    """A known person with a known look, seen from 1.2 m in a 480 x 360 picture."""
    draw = np.random.default_rng(seed)
    expression = np.where(draw.random(52) < 0.2, draw.uniform(0, 0.6, 52), 0.0)
    camera = Camera(
        portrait_rotation(yaw, pitch).numpy(), np.array([30.0, -20.0, 1200.0]), 1500.0, (360, 480)
    )
    return LandmarkFit(draw.normal(size=150).clip(-2, 2) * 0.5, expression, camera)


def degrees_between(one: Array, other: Array) -> float:
    return math.degrees(math.acos(min(1.0, (np.trace(one @ other.T) - 1) / 2)))


def pixel_error(camera: Camera, points: Array, expected: Array) -> float:
    return float(np.linalg.norm(camera.project(points) - expected, axis=1).mean())


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (25, -10), (-35, 12)])
def test_pose_and_landmarks_of_a_known_head_are_recovered(model: OpenHead, yaw: float, pitch: float) -> None:
    known, basis = truth(model, yaw, pitch), landmark_basis(model)[INNER]
    points = known.camera.project(basis.points(known.identity, known.expression))
    fit = fit_landmarks(basis, points, known.expression, (360, 480), sigma_mm=0.1)
    assert degrees_between(fit.camera.rotation, known.camera.rotation) < 0.2
    assert fit.camera.focal == pytest.approx(1500, rel=0.005)
    assert pixel_error(fit.camera, basis.points(fit.identity, fit.expression), points) < 0.05
    np.testing.assert_allclose(fit.camera.translation, known.camera.translation, atol=0.5)
    cautious = fit_landmarks(basis, points, known.expression, (360, 480))
    assert degrees_between(cautious.camera.rotation, known.camera.rotation) < 1.5
    assert pixel_error(cautious.camera, basis.points(cautious.identity, cautious.expression), points) < 0.25


@pytest.mark.parametrize(("sigma_mm", "share"), [(0.1, 0.2), (1.5, 0.7)])
def test_the_fitted_person_is_nearer_to_the_truth_than_the_mean_face(
    model: OpenHead, sigma_mm: float, share: float
) -> None:
    known, basis = truth(model, 15, 0, seed=4), landmark_basis(model)[INNER]
    rest = np.zeros(52)
    points = known.camera.project(basis.points(known.identity, rest))
    fit = fit_landmarks(basis, points, rest, (360, 480), sigma_mm=sigma_mm)

    def miss(identity: Array) -> float:
        shapes = [basis.points(z, rest) for z in (identity, known.identity)]
        shapes = [s - s.mean(axis=0) for s in shapes]
        return float(np.linalg.norm(shapes[0] - shapes[1], axis=1).mean())

    assert miss(fit.identity) < share * miss(np.zeros(150))


def test_expression_is_told_from_identity(model: OpenHead) -> None:
    basis = landmark_basis(model)[INNER]
    jaw = model.expression_names.index("jawOpen")
    known = truth(model, 0, 0)
    look = np.zeros(52)
    look[jaw] = 0.6
    points = known.camera.project(basis.points(np.zeros(150), look))
    fit = fit_landmarks(basis, points, np.zeros(52), (360, 480))  # the net had missed it
    assert fit.expression[jaw] > 0.3
    assert fit.expression.min() >= 0 and fit.expression.max() <= 1


def test_a_turned_picture_turns_the_camera_and_keeps_the_face(model: OpenHead) -> None:
    known, basis = truth(model, 10, 5), landmark_basis(model)[INNER]
    points = known.camera.project(basis.points(known.identity, known.expression))
    upright = fit_landmarks(basis, points, known.expression, (360, 480))
    turned = np.stack([360 - points[:, 1], points[:, 0]], axis=1)  # a quarter clockwise
    lying = fit_landmarks(basis, turned, known.expression, (480, 360))
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert degrees_between(lying.camera.rotation, quarter @ upright.camera.rotation) < 0.05
    np.testing.assert_allclose(lying.identity, upright.identity, atol=0.02)


def test_the_camera_is_the_view_of_the_house(model: OpenHead) -> None:
    known = truth(model, 20, -5)
    points = basis_at(model, model.landmarks468, np.zeros((468, 3))).points(known.identity, known.expression)
    view = view_of(known.camera)
    expected = project(torch.from_numpy(points)[None], view)[0, :, :2].numpy()
    np.testing.assert_allclose(known.camera.project(points), expected, atol=2e-3)


def test_a_small_face_in_a_wide_picture_stands_further_away(model: OpenHead) -> None:
    basis, known = landmark_basis(model)[INNER], truth(model, 0, 0)
    far = replace(
        known.camera, focal=2600.0, translation=np.array([900.0, 500.0, 3600.0]), image_size=(2000, 3000)
    )
    points = far.project(basis.points(np.zeros(150), np.zeros(52)))
    fit = fit_landmarks(basis, points, np.zeros(52), (2000, 3000))
    assert fit.camera.focal >= 0.95 * 3000 / (2 * math.tan(math.radians(30)))
    assert fit.camera.translation[2] > 2000
    assert pixel_error(fit.camera, basis.points(fit.identity, fit.expression), points) < 0.5


def test_the_end_is_a_minimum_of_the_stated_cost(model: OpenHead) -> None:
    """Other people and poses nearby are less probable, by the formula of the module."""
    basis, known = landmark_basis(model)[INNER], truth(model, 10, 5)
    points = known.camera.project(basis.points(known.identity, known.expression))
    end = fit_landmarks(basis, points, known.expression, (360, 480))
    draw = np.random.default_rng(1)

    def cost(fit: LandmarkFit) -> float:
        miss = fit.camera.project(basis.points(fit.identity, fit.expression)) - points
        sigma = SIGMA_MM * fit.camera.focal / fit.camera.translation[2]
        strange = ((fit.expression - known.expression) / EXPRESSION_SD) ** 2
        return float((miss**2).sum() / sigma**2 + (fit.identity**2).sum() + strange.sum())

    for _ in range(5):
        other = LandmarkFit(
            end.identity + draw.normal(size=150) * 0.02,
            end.expression,
            moved(end.camera, np.append(draw.normal(size=3) * 2e-3, np.zeros(3))),
        )
        assert cost(end) < cost(other)


def test_shipped_offsets_belong_to_the_model_and_do_not_open_eyes_or_mouth(model: OpenHead) -> None:
    known = load_correspondence()
    assert known.basis == model.basis
    assert (
        known.mediapipe468.shape == (468, 3) and known.ibug68.shape == (68, 3) and known.rest.shape == (52,)
    )
    assert np.linalg.norm(known.mediapipe468[INNER], axis=1).mean() < 5.0
    upper, lower = [80, 81, 82, 13, 312, 311, 310], [88, 178, 87, 14, 317, 402, 318]
    assert known.mediapipe468[upper, 1].mean() == pytest.approx(known.mediapipe468[lower, 1].mean(), abs=1e-3)
    assert ((known.rest >= 0) & (known.rest < 1)).all()
    np.testing.assert_allclose(known.expression(known.rest), 0, atol=1e-12)
    np.testing.assert_allclose(known.expression(np.ones(52)), 1)


def portraits_with_offset(model: OpenHead, offset: Array, count: int) -> list[Portrait]:
    basis, own = (
        basis_at(model, model.landmarks468, offset),
        basis_at(model, model.landmarks68, np.zeros((68, 3))),
    )
    made = []
    for seed in range(count):
        draw = np.random.default_rng(seed)
        person = truth(model, draw.uniform(-25, 25), draw.uniform(-15, 15), seed)
        camera = replace(person.camera, image_size=(360, 480))
        points = np.zeros((478, 3))
        points[:468, :2] = camera.project(basis.points(person.identity, np.zeros(52)))
        points68 = camera.project(own.points(person.identity, np.zeros(52)))
        made.append(Portrait(FILE, str(seed), "made", "CC0", "", True, points, points68, np.zeros(52)))
    return made


def test_calibration_finds_an_offset_of_the_detector(model: OpenHead) -> None:
    offset = np.zeros((468, 3))
    tip = [1, 4, 5, 45, 275]
    offset[tip, 1] = 4.0  # this detector sees the nose tip higher
    found = calibrate(model, portraits_with_offset(model, offset, 10), (360, 480), rounds=3)
    others = [k for k in INNER if k not in tip and np.linalg.norm(offset[k]) == 0]
    assert found.mediapipe468[tip, 1].mean() > 2.0
    assert np.abs(found.mediapipe468[others]).mean() < 0.4
    assert found.basis == model.basis


def test_sources_take_turns() -> None:
    def portrait(person: str, source: str) -> Portrait:
        return Portrait(
            FILE, person, source, "", "", True, np.zeros((478, 3)), np.zeros((68, 2)), np.zeros(52)
        )

    many = [portrait(f"a{k}", "large") for k in range(10)] + [portrait(f"b{k}", "small") for k in range(2)]
    assert [p.source for p in in_turn(many, 6)] == ["large", "small", "large", "small", "large", "large"]
    assert {p.person for p in in_turn(many, 6)} == {p.person for p in in_turn(many[::-1], 6)}


def test_a_view_needs_the_default_light_until_the_photo_tells(model: OpenHead) -> None:
    view: View = view_of(truth(model, 0, 0).camera)
    torch.testing.assert_close(view.light, soft_light(1))
    assert view.image_size == (360, 480)
