"""Identity, expression and pose of one face from its 468 mesh landmarks (Gauss-Newton).

Minimises, in float64,
    sum_k |project(X_k(z, e) + c_k) - y_k|^2 / (sigma f/d)^2 + |z|^2 + |e - e0|^2 / s_e^2
over pose, identity z, expression e and focal length f, where c_k are mean corrections of
the correspondence (see calibrate.py), e0 the detected blendshapes and d the assumed distance.
How far the camera stood cannot be seen in a portrait: d is 1.2 m, or more where a nearer
camera would need a field of view of more than 60 degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.morphable.openhead import OpenHead

Array = NDArray[np.float64]

DISTANCE_MM = 1200.0
MAX_FIELD_OF_VIEW = math.radians(60)
SIGMA_MM = (
    1.5  # of one landmark: neighbours err together, so more than the noise; 1 to 3 recover people alike
)
EXPRESSION_SD = 0.15
IDENTITY_LIMIT = 3.0
POSE_STEPS, FULL_STEPS, REFINING_STEPS = 10, 8, 3
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176),
    *(149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
INNER = np.array([k for k in range(468) if k not in OVAL])  # 432 points that do not slide with the pose


@dataclass(frozen=True)
class LandmarkBasis:
    """K landmarks as linear functions of the code, head frame, mm.

    mean: (K, 3), corrections included; directions: (K, 3, I + E) per standard deviation of
    identity, then per unit of expression; identities: I
    """

    mean: Array
    directions: Array
    identities: int

    def points(self, identity: Array, expression: Array) -> Array:
        """(K, 3) landmarks of one code."""
        return np.asarray(self.mean + self.directions @ np.concatenate([identity, expression]))

    def __getitem__(self, index: NDArray[np.int64]) -> LandmarkBasis:
        """Some of the landmarks."""
        return LandmarkBasis(self.mean[index], self.directions[index], self.identities)


@dataclass(frozen=True)
class Camera:
    """Pose and focal length; the principal point is the image centre.

    rotation: (3, 3) head to camera (OpenCV); translation: (3,) mm; focal: pixels;
    image_size: (height, width)
    """

    rotation: Array
    translation: Array
    focal: float
    image_size: tuple[int, int]

    def to_camera(self, points: Array) -> Array:
        """(K, 3) mm in the camera frame."""
        return np.asarray(points @ self.rotation.T + self.translation)

    def project(self, points: Array) -> Array:
        """(K, 2) pixels of (K, 3) head-frame points."""
        there = self.to_camera(points)
        height, width = self.image_size
        return np.asarray(self.focal * there[:, :2] / there[:, 2:] + (width / 2, height / 2))

    def slopes(self, there: Array) -> tuple[Array, Array]:
        """(K, 2, 3) pixels per mm for (K, 3) camera-frame points, and (K, 2) pixels from the image centre."""
        scale = self.focal / there[:, 2]
        flat = there[:, :2] * scale[:, None]
        by_place = np.zeros((len(there), 2, 3))
        by_place[:, 0, 0] = by_place[:, 1, 1] = scale
        by_place[:, :, 2] = -flat / there[:, 2:]
        return by_place, flat


@dataclass(frozen=True)
class Belief:
    """What is expected of an identity before landmarks and skin are looked at.

    mean, deviation: (I,) standard deviations of the model's own prior
    """

    mean: Array
    deviation: Array

    @classmethod
    def of_nobody(cls, identities: int) -> Belief:
        """The model's own prior: anybody."""
        return cls(np.zeros(identities), np.ones(identities))


@dataclass(frozen=True)
class LandmarkFit:
    """One fitted face: (I,) identity, (E,) expression and its camera."""

    identity: Array
    expression: Array
    camera: Camera


@lru_cache(maxsize=2)
def landmark_basis(model: OpenHead, corrected: bool = True) -> LandmarkBasis:
    """The 468 landmarks of a model, with the shipped corrections unless told otherwise."""
    correction = load_correspondence().mediapipe468 if corrected else np.zeros((468, 3))
    return basis_at(model, model.landmarks468, correction)


def basis_at(
    model: OpenHead, landmarks: Callable[[torch.Tensor], torch.Tensor], correction: Array
) -> LandmarkBasis:
    """K landmarks, which are a linear function of (B, V, 3) vertices, moved by (K, 3) mm."""
    directions = torch.cat([landmarks(model.identity_basis), landmarks(model.expression_basis)])
    return LandmarkBasis(
        landmarks(model.mean[None])[0].double().numpy() + correction,
        np.ascontiguousarray(directions.double().permute(1, 2, 0).numpy()),
        len(model.identity_basis),
    )


def fit_landmarks(
    basis: LandmarkBasis,
    points: Array,
    expression: Array,
    image_size: tuple[int, int],
    start: LandmarkFit | None = None,
    sigma_mm: float | Array = SIGMA_MM,
    belief: Belief | None = None,
) -> LandmarkFit:
    """The most probable face behind K image points.

    points: (K, 2) pixels; expression: (E,) expected blend weights; image_size: (height, width)
    start: a fit of the same points that is nearly right, from which a few steps are taken
    sigma_mm: standard deviation of one coordinate of a landmark, or of each (K,); small for exact points
    belief: of the identity; the model's own prior if None
    """
    belief = belief or Belief.of_nobody(basis.identities)
    if start is None:
        camera = _first_camera(basis, points, belief.mean, expression, image_size)
        start = LandmarkFit(belief.mean, expression, camera)
        for _ in range(POSE_STEPS):
            start = _step(basis, points, expression, belief, start, sigma_mm, pose_only=True)
        start = LandmarkFit(start.identity, start.expression, _at_plausible_distance(start.camera))
        steps = FULL_STEPS
    else:
        steps = REFINING_STEPS
    fit = start
    for _ in range(steps):
        fit = _step(basis, points, expression, belief, fit, sigma_mm, pose_only=False)
    return fit


def _first_camera(
    basis: LandmarkBasis, points: Array, identity: Array, expression: Array, image_size: tuple[int, int]
) -> Camera:
    """A frontal camera, turned in the image plane, by the similarity that fits best (Procrustes)."""
    shape = basis.points(identity, expression)
    flat = shape[:, :2] * (1, -1)  # y down, as in the picture
    source, target = flat - flat.mean(axis=0), points - points.mean(axis=0)
    cross = target.T @ source
    roll = math.atan2(cross[1, 0] - cross[0, 1], cross[0, 0] + cross[1, 1])
    scale = math.hypot(cross[1, 0] - cross[0, 1], cross[0, 0] + cross[1, 1]) / (source**2).sum()
    turn = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    rotation = turn @ np.diag([1.0, -1.0, -1.0])
    height, width = image_size
    centre = (points.mean(axis=0) - (width / 2, height / 2)) / scale
    translation = np.append(centre - (rotation @ shape.mean(axis=0))[:2], DISTANCE_MM)
    return Camera(rotation, translation, scale * DISTANCE_MM, image_size)


def _at_plausible_distance(camera: Camera) -> Camera:
    """The same picture from as far away as a lens of 60 degrees would need, at least 1.2 m."""
    least = max(camera.image_size) / (2 * math.tan(MAX_FIELD_OF_VIEW / 2))
    back = max(1.0, least / camera.focal)
    translation = camera.translation * (1, 1, back)
    return Camera(camera.rotation, translation, camera.focal * back, camera.image_size)


def _step(
    basis: LandmarkBasis,
    points: Array,
    expected: Array,
    belief: Belief,
    fit: LandmarkFit,
    sigma_mm: float | Array,
    pose_only: bool,
) -> LandmarkFit:
    """One Gauss-Newton step; unknowns: turn (3), x and y (2), log focal (1), identity, expression."""
    rows = landmark_rows(basis, points, fit, sigma_mm, pose_only)
    slope: Array = rows.jacobian.T @ rows.residual
    curvature: Array = rows.jacobian.T @ rows.jacobian
    identity, expression = fit.identity, fit.expression
    if pose_only:
        delta: Array = np.linalg.solve(curvature + 1e-9 * np.eye(6), slope).astype(np.float64)
    else:
        count = len(identity)
        precision = np.concatenate(
            [np.full(6, 1e-9), belief.deviation**-2, np.full(len(expected), EXPRESSION_SD**-2)]
        )
        slope -= precision * np.concatenate([np.zeros(6), identity - belief.mean, expression - expected])
        delta = bounded_step(
            curvature + np.diag(precision), slope, expression, np.arange(6 + count, len(slope))
        )
        identity = np.clip(identity + delta[6 : 6 + count], -IDENTITY_LIMIT, IDENTITY_LIMIT)
        expression = np.clip(expression + delta[6 + count :], 0.0, 1.0)
    return LandmarkFit(identity, expression, moved(fit.camera, delta[:6]))


@dataclass(frozen=True)
class Rows:
    """Linearised measurements: residual (n,), seen minus predicted, and the predictions' slopes (n, D)."""

    residual: Array
    jacobian: Array


def landmark_rows(
    basis: LandmarkBasis, points: Array, fit: LandmarkFit, sigma_mm: float | Array, pose_only: bool = False
) -> Rows:
    """Landmarks in units of their noise; columns: turn, x and y, log focal, then identity and expression."""
    camera = fit.camera
    shape = basis.points(fit.identity, fit.expression)
    there = camera.to_camera(shape)
    height, width = camera.image_size
    by_place, flat = camera.slopes(there)
    residual = points - flat - (width / 2, height / 2)
    by_turn = -by_place @ cross_matrices(there - camera.translation)
    columns = [by_turn, by_place[:, :, :2], flat[:, :, None]]
    if not pose_only:
        columns.append((by_place @ camera.rotation) @ basis.directions)
    pixels_of_mm = camera.focal / camera.translation[2]
    sigma = np.broadcast_to(np.asarray(sigma_mm), (len(points),))[:, None] * pixels_of_mm
    jacobian = np.concatenate(columns, axis=2) / sigma[..., None]
    return Rows((residual / sigma).reshape(-1), jacobian.reshape(2 * len(points), -1))


def bounded_step(
    curvature: Array,
    slope: Array,
    expression: Array,
    place: NDArray[np.int64],
    free: NDArray[np.bool_] | None = None,
) -> Array:
    """The step with those expressions held that lie on a bound and are pushed beyond it.

    place: where the expression's weights stand among the unknowns; free: those that may move
    """
    push = slope[place]
    may = np.ones(len(slope), dtype=bool) if free is None else free.copy()
    may[place] &= ~(((expression <= 0) & (push < 0)) | ((expression >= 1) & (push > 0)))
    delta = np.zeros(len(slope))
    delta[may] = np.linalg.solve(curvature[np.ix_(may, may)], slope[may])
    return delta


def moved(camera: Camera, delta: Array) -> Camera:
    """After a turn (3) in radians, a shift in x and y (2) in mm and a change of log focal length (1)."""
    rotation = _rotation(delta[:3]) @ camera.rotation
    u, _, v = np.linalg.svd(rotation)
    translation = camera.translation + np.append(delta[3:5], 0.0)
    return Camera(
        u @ v, translation, camera.focal * math.exp(np.clip(delta[5], -0.5, 0.5)), camera.image_size
    )


def _rotation(axis_angle: Array) -> Array:
    """(3, 3) rotation of (3,) radians, by Rodrigues' formula."""
    angle = float(np.linalg.norm(axis_angle))
    if angle < 1e-12:
        return np.eye(3)
    cross = cross_matrices(axis_angle[None] / angle)[0]
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def cross_matrices(vectors: Array) -> Array:
    """(K, 3, 3) matrices [v]x with [v]x u = v x u."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
