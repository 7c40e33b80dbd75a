"""The last step of a fit: onto the landmarks, and who it is stays."""

from __future__ import annotations

import numpy as np
import pytest

from facegpt_model.fitting.landmark_fit import Camera, LandmarkFit, landmark_basis
from facegpt_model.fitting.settle import FEATURES, settled
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead

CAMERA = Camera(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1200.0]), 900.0, (256, 256))


@pytest.mark.parametrize(("looseness", "moves"), [(0.0, False), (0.5, True)])
def test_features_come_to_lie_on_their_landmarks(looseness: float, moves: bool) -> None:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    basis, rng = landmark_basis(head), np.random.default_rng(0)
    identity, expression = 0.3 * rng.normal(size=150), np.full(52, 0.1)
    true = LandmarkFit(identity, expression, CAMERA)
    points = np.zeros((478, 2))
    points[:468] = CAMERA.project(basis.points(true.identity, true.expression))
    begun = LandmarkFit(identity + 0.2 * rng.normal(size=150), np.zeros(52), CAMERA)

    def missed(fit: LandmarkFit) -> float:
        shape = basis.points(fit.identity, fit.expression)[FEATURES]
        return float(np.linalg.norm(fit.camera.project(shape) - points[FEATURES], axis=1).mean())

    found = settled(basis, points, begun, np.full(150, looseness))
    assert missed(found) < 0.5 * missed(begun)
    assert found.expression.min() >= 0 and found.expression.max() <= 1
    furthest = np.abs(found.identity - begun.identity).max()
    assert furthest > 0.05 if moves else furthest == 0
