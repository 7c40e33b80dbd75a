"""The last step of a fit: the face settles on the landmarks that say where its features are.

Prior and skin pull the shape towards the person and away from the landmarks, by a percent or
two of the distance between the eyes. What is left at brows, eyes, nose and lips is taken up by
pose and expression, and by as little of the identity as is asked for, so that what was learned of
the person stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facegpt_model.fitting.landmark_fit import (
    EXPRESSION_SD,
    IDENTITY_LIMIT,
    INNER,
    LandmarkBasis,
    LandmarkFit,
    bounded_step,
    landmark_rows,
    moved,
)
from facegpt_model.perception.landmarks import MESH68

Array = NDArray[np.float64]

FEATURES = np.array(MESH68[17:])
FEATURE_MM, MESH_MM = 0.3, 3.0  # standard deviation of the 51 inner points, and of all 432
LEAST_DEVIATION = 1e-3
STEPS = 5


def settled(basis: LandmarkBasis, points: Array, fit: LandmarkFit, looseness: Array) -> LandmarkFit:
    """The fit moved onto its landmarks.

    basis: the 468 mesh landmarks; points: (478, 2) pixels; looseness: (I,) standard deviations by
    which the identity may move, 0 for not at all
    """
    features, mesh = basis[FEATURES], basis[INNER]
    count = len(fit.identity)
    deviation = np.maximum(looseness, LEAST_DEVIATION)
    free = np.ones(6 + count + len(fit.expression), bool)
    free[6 : 6 + count] = looseness > 0
    precision = np.concatenate(
        [np.full(6, 1e-9), deviation**-2, np.full(len(fit.expression), EXPRESSION_SD**-2)]
    )
    begun = fit
    for _ in range(STEPS):
        parts = (
            landmark_rows(features, points[FEATURES], fit, FEATURE_MM),
            landmark_rows(mesh, points[INNER], fit, MESH_MM),
        )
        jacobian = np.concatenate([part.jacobian for part in parts])
        slope = jacobian.T @ np.concatenate([part.residual for part in parts])
        away = (fit.identity - begun.identity, fit.expression - begun.expression)
        slope -= precision * np.concatenate([np.zeros(6), *away])
        curvature = jacobian.T @ jacobian + np.diag(precision)
        delta = bounded_step(curvature, slope, fit.expression, np.arange(6 + count, len(slope)), free)
        identity = np.clip(fit.identity + delta[6 : 6 + count], -IDENTITY_LIMIT, IDENTITY_LIMIT)
        expression = np.clip(fit.expression + delta[6 + count :], 0.0, 1.0)
        fit = LandmarkFit(identity, expression, moved(fit.camera, delta[:6]))
    return fit
