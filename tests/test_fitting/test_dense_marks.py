"""Dense landmarks as evidence: exact points give the person back, doubtful ones count little."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegpt_model.data.dense_faces import true_places
from facegpt_model.evaluation.methods import UnknownQuality, methods
from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.dense_marks import SeenPoints, dense_marks
from facegpt_model.fitting.estimates import camera_of
from facegpt_model.fitting.landmark_fit import LandmarkFit, fit_landmarks, landmark_rows
from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.vlm.dense_points import DensePointNet, DenseSettings


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load()
    assert isinstance(model, OpenHead)
    return model


@pytest.fixture(scope="module")
def net(head: OpenHead) -> DensePointNet:
    """Untrained: only which points it speaks of is used."""
    chosen = DensePointNet(DenseSettings(vertices=160))
    chosen.choose(head)
    return chosen


def a_stranger(head: OpenHead) -> tuple[FaceCode, View]:
    code = head.mean_code()
    identity = head.sample_identity(1, torch.Generator().manual_seed(5))
    return FaceCode(identity, code.expression, code.albedo, head.basis), portrait_view(yaw_deg=25.0, size=512)


def begun(head: OpenHead, view: View) -> LandmarkFit:
    """The mean face at the true pose."""
    return LandmarkFit(np.zeros(head.layout.identity), np.zeros(head.layout.expression), camera_of(view))


def test_exact_points_give_the_person_back(head: OpenHead, net: DensePointNet) -> None:
    code, view = a_stranger(head)
    places = true_places(head, net.vertex, code, view)[0].double().numpy()
    points = SeenPoints(places, np.full(net.count, 0.1))
    fit = begun(head, view)
    for _ in range(3):
        marks = dense_marks(net, head, points, fit, together=1.0)
        calm = np.zeros(head.layout.expression)
        fit = fit_landmarks(marks.basis, marks.points, calm, view.image_size, fit, marks.sigma_mm)
    missed = fit.camera.project(marks.basis.points(fit.identity, fit.expression)) - marks.points
    assert np.abs(missed).max() < 2.0  # pixels of 512
    metric, found = ShapeMetric(head), torch.from_numpy(fit.identity).float()[None]
    nobody = torch.zeros_like(code.identity)
    assert metric(found, code.identity).item() < 0.15 * metric(nobody, code.identity).item()


def test_a_doubtful_point_counts_as_little_as_its_doubt_says(head: OpenHead, net: DensePointNet) -> None:
    code, view = a_stranger(head)
    places = true_places(head, net.vertex, code, view)[0].double().numpy()
    doubt = np.full(net.count, 2.0)
    doubt[-1] = 20.0
    marks = dense_marks(net, head, SeenPoints(places, doubt), begun(head, view), together=3.0)
    rows = landmark_rows(marks.basis, marks.points, begun(head, view), marks.sigma_mm)
    plain = landmark_rows(marks.basis, marks.points, begun(head, view), 1.0)
    camera = begun(head, view).camera
    mm = 2.0 / (camera.focal / camera.translation[2]) * 3.0
    np.testing.assert_allclose(rows.residual[:-2] * mm, plain.residual[:-2])
    np.testing.assert_allclose(rows.jacobian[-2:] * 10 * mm, plain.jacobian[-2:])


def test_a_way_to_evaluate_needs_a_net() -> None:
    with pytest.raises(UnknownQuality, match=r"nowhere.*points\.json"):
        methods(["points=nowhere"])
    with pytest.raises(UnknownQuality, match="known: points=FOLDER"):
        methods(["guess=nowhere"])
