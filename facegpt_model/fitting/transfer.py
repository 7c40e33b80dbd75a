"""The same face in another head model: landmarks, then the surface, then least squares.

Both heads are in millimetres and upright, so only a rigid motion is allowed between them:
size belongs to identity. Each round finds the closest places of the source's surface to the
target's skin and solves the target's components and the motion together, as ridge regression
on their normal distances; distances count less outside the inner face. Expressions go over by
name where both models use ARKit's names, else they are fitted likewise. Joints stand at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.fitting.closest_points import MeshSearch
from facegpt_model.fitting.expression_names import expression_by_name, share_names
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.rendering.cameras import rotation_matrix
from facegpt_model.rendering.occlusion import ambient_occlusion
from facegpt_model.rendering.topology import vertex_normals

Array = NDArray[np.float64]
INNER = slice(17, 68)  # landmarks of brows, eyes, nose and mouth
JAW = slice(0, 17)
CHIN = 8
NOISE_MM = (4.0, 2.5, 1.5, 1.0, 0.8, 0.6, 0.5, 0.4, 0.4, 0.4)  # per round, against components of sd 1
REACH_MM = (30.0, 20.0, 15.0, 12.0, 10.0, 8.0, 6.0, 6.0, 6.0, 6.0)  # farther pairs are no pairs
LANDMARK_MM = (2.0, 2.0, 3.0, 3.0, 4.0, 5.0, 6.0, 8.0, 8.0, 8.0)  # models place landmarks differently
MEASUREMENTS = 400.0  # what all surface distances together count for: neighbours are not independent
SLIDE = 0.15  # weight of distances along the surface, against those along its normal
ALIKE = 0.5  # cosine between normals from which two places may be a pair
FACE_MM, HEAD_MM = 22.0, 60.0  # distance from an inner landmark to which a place is face, and head
REST_WEIGHT = 0.08  # of places of the head that are not near the face
MOST_POINTS = 3000
OPEN = 0.15  # share of the surroundings that a vertex of the outer skin sees at least
PARTS = ("identity", "expression", "albedo", "joints", "appearance")
COLOUR_STEPS, COLOUR_NOISE, COLOUR_MEASUREMENTS = 30, 0.05, 100.0  # noise of square roots of linear RGB


@dataclass(frozen=True)
class SurfaceError:
    """How far the source's inner face lies from the result's surface, mm.

    points: number of vertices measured; before: the mean with the target's mean person, aligned
    """

    mean: float
    median: float
    p95: float
    points: int
    before: float


@dataclass(frozen=True)
class Transfer:
    """A code of the target model, its error, and the names of expressions that could not go over."""

    code: FaceCode
    error: SurfaceError
    lost: tuple[str, ...]


@dataclass
class _Motion:
    """Target frame to source frame: rotation (3, 3), then translation (3,) mm."""

    rotation: Array
    translation: Array

    def apply(self, points: Array) -> Array:
        return points @ self.rotation.T + self.translation

    def nudged(self, turn: Array, shift: Array, centre: Array) -> _Motion:
        """After a small turn about `centre` and a shift, both in the source frame."""
        small = rotation_matrix(torch.from_numpy(turn)[None])[0].numpy()
        return _Motion(small @ self.rotation, small @ (self.translation - centre) + centre + shift)


def transfer(source: MorphableModel, code: FaceCode, target: MorphableModel) -> Transfer:
    """The one face of `code` in the target model.

    Raises ValueError unless the code holds one face, BasisMismatch for a code of another
    model, MissingLandmarks if either model cannot place the 68 points.
    """
    if code.batch_size != 1:
        raise ValueError(f"one face is transferred at a time, but the code holds {code.batch_size}")
    rest = replace(code, joints=torch.zeros_like(code.joints))
    with torch.no_grad():
        neutral, shown = _Face(source, rest.neutral()), _Face(source, rest)
        fit = _Fit(target, neutral)
        aligned = fit.motion
        fit.solve_identity(neutral)
        lost = fit.take_expression(source.expression_names, rest.expression[0], shown)
        after, before = fit.error(shown), fit.error_of_mean(shown, aligned)
    code = replace(fit.code, albedo=_colours(source, rest, target, fit))
    return Transfer(code, replace(after, before=before), lost)


class _Face:
    """One face of a model, in float64 mm: all vertices, the 68 points, its skin."""

    def __init__(self, model: MorphableModel, code: FaceCode) -> None:
        vertices = model.vertices(code).double()
        self.vertices: Array = vertices[0].numpy()
        self.landmarks: Array = model.landmarks68(vertices)[0].numpy()
        self.triangles = open_skin(model, vertices)
        self.search = MeshSearch(self.vertices, self.triangles)

    def inner(self) -> Array:
        """(n, 3) places of the skin near brows, eyes, nose and mouth."""
        used = self.vertices[np.unique(self.triangles)]
        return used[_to_nearest(used, self.landmarks[INNER]) < FACE_MM]


class _Fit:
    """The target model being moved and shaped onto a source face."""

    def __init__(self, target: MorphableModel, source: _Face) -> None:
        self._model = target
        self.code = target.layout.unpack(torch.zeros(1, target.layout.code_size))
        mean = _Face(target, self.code)
        self._triangles = mean.triangles
        guides = [*range(17, 68), CHIN]
        self.motion = _rigid(mean.landmarks[guides], source.landmarks[guides])
        self.fitted, self._weights = _points(mean)

    def solve_identity(self, source: _Face) -> None:
        """Find identity and motion."""
        self._solve("identity", source, 1.0)

    def take_expression(self, names: tuple[str, ...], weights: Tensor, shown: _Face) -> tuple[str, ...]:
        """Set the expression of weights (E,) with these names; returns the names that have no partner."""
        if not bool((weights != 0).any()) or not self._model.expression_names:
            return tuple(name for name, w in zip(names, weights.tolist(), strict=True) if w)
        if share_names(names, self._model.expression_names):
            taken, lost = expression_by_name(names, weights, self._model.expression_names)
            self.code = replace(self.code, expression=taken[None].to(self.code.expression))
            return lost
        self._solve("expression", shown, 1.0)
        return ()

    def vertices(self) -> Array:
        """(V, 3) of the present code, in the source's frame."""
        return self.motion.apply(self._model.vertices(self.code)[0].double().numpy())

    def error(self, source: _Face) -> SurfaceError:
        """From the source's inner face to the present surface."""
        search = MeshSearch(self.vertices(), _skin(self._model))
        gap = search.closest(source.inner()).distance
        return SurfaceError(
            float(gap.mean()),
            float(np.median(gap)),
            float(np.quantile(gap, 0.95)),
            len(gap),
            float(gap.mean()),
        )

    def error_of_mean(self, source: _Face, motion: _Motion) -> float:
        """Mean distance if the target's mean person had the present expression and this motion."""
        fitted, moved = self.code, self.motion
        self.code, self.motion = replace(fitted, identity=torch.zeros_like(fitted.identity)), motion
        gap = self.error(source).mean
        self.code, self.motion = fitted, moved
        return gap

    def _solve(self, part: str, source: _Face, deviation: float) -> None:
        """Rounds of pairing and ridge regression of one part of the code and the motion."""
        start, basis = self._linear(part)
        landmarks, landmark_basis = start[0][INNER], basis[0][:, INNER]
        points, point_basis = start[1][self.fitted], basis[1][:, self.fitted]
        z = np.zeros(len(point_basis))
        for noise, reach, trust in zip(NOISE_MM, REACH_MM, LANDMARK_MM, strict=True):
            here = self.vertices()
            normals = vertex_normals(torch.from_numpy(here)[None], torch.from_numpy(self._triangles))
            place = here[self.fitted]
            pair = source.search.closest(place)
            alike = (pair.normal * normals[0].numpy()[self.fitted]).sum(axis=1)
            good = (pair.distance < reach) & (alike > ALIKE) & ~pair.border
            weight = self._weights * good
            weight = np.sqrt(weight * MEASUREMENTS / max(weight.sum(), 1e-9)) / noise
            wanted = pair.place - self.motion.apply(points)
            turned = point_basis @ self.motion.rotation.T
            centre = place.mean(axis=0)
            system = _System(len(z), deviation)
            system.add(turned, place - centre, wanted, weight * SLIDE)
            system.add_along(turned, place - centre, wanted, weight, pair.normal)
            marks = self.motion.apply(landmarks + np.tensordot(z, landmark_basis, 1))
            system.add(
                landmark_basis @ self.motion.rotation.T,
                marks - centre,
                source.landmarks[INNER] - self.motion.apply(landmarks),
                np.full(len(marks), 1 / trust),
            )
            z, turn, shift = system.solution()
            self.motion = self.motion.nudged(turn, shift, centre)
            self.code = _changed(self.code, {part: torch.from_numpy(z)[None].to(self.code.identity)})

    def _linear(self, part: str) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Landmarks and vertices of the present code, and what one unit of each component adds to both."""
        count = getattr(self.code, part).shape[1]
        none = _changed(self.code, {part: torch.zeros(1, count)})
        parts = {name: getattr(self.code, name) for name in PARTS}
        repeated = {name: value.expand(count, *value.shape[1:]) for name, value in parts.items()}
        every = _changed(self.code, {**repeated, part: torch.eye(count)})
        start = self._model.vertices(none).double()
        moved = self._model.vertices(every).double()
        marks, moved_marks = self._model.landmarks68(start), self._model.landmarks68(moved)
        return (
            (marks[0].numpy(), start[0].numpy()),
            ((moved_marks - marks).numpy(), (moved - start).numpy()),
        )


def _changed(code: FaceCode, parts: dict[str, Any]) -> FaceCode:
    return replace(code, **parts)


class _System:
    """Normal equations of K components (normal with this deviation) and a small motion."""

    def __init__(self, count: int, deviation: float) -> None:
        self._count = count
        self._matrix = np.diag(np.concatenate([np.full(count, deviation**-2), np.full(6, 1e-9)]))
        self._right = np.zeros(count + 6)

    def add(self, basis: Array, arm: Array, wanted: Array, weight: Array) -> None:
        """Rows for all three coordinates: basis (K, N, 3), arm and wanted (N, 3), weight (N,)."""
        for axis in np.eye(3):
            self.add_along(basis, arm, wanted, weight, np.broadcast_to(axis, arm.shape))

    def add_along(self, basis: Array, arm: Array, wanted: Array, weight: Array, direction: Array) -> None:
        """Rows for the distance along a direction (N, 3) at each point."""
        kept = weight > 0
        along = np.einsum("knx,nx->nk", basis[:, kept], direction[kept])
        rows = np.hstack([along, np.cross(arm[kept], direction[kept]), direction[kept]]) * weight[kept, None]
        self._matrix += rows.T @ rows
        self._right += rows.T @ ((wanted[kept] * direction[kept]).sum(axis=1) * weight[kept])

    def solution(self) -> tuple[Array, Array, Array]:
        """Components (K,), turn (3,) in radians, shift (3,) in mm."""
        found = np.linalg.solve(self._matrix, self._right)
        return found[: self._count], found[self._count : -3], found[-3:]


def _skin(model: MorphableModel) -> NDArray[np.int64]:
    """(T, 3) triangles of the skin, or all where no part is called so."""
    triangles, part = model.triangles.numpy(), model.part.numpy()
    return triangles[part == model.part_names.index("skin")] if "skin" in model.part_names else triangles


def open_skin(model: MorphableModel, vertices: Tensor) -> NDArray[np.int64]:
    """(T, 3) triangles of the skin that is not hidden inside mouth, nostrils or eye sockets."""
    triangles = model.triangles.numpy()
    normals = vertex_normals(vertices.float(), model.triangles)[0].numpy()
    seen = ambient_occlusion(vertices[0].float().numpy(), normals, triangles) > OPEN
    skin = _skin(model)
    return np.ascontiguousarray(skin[seen[skin].all(axis=1)])


def _to_nearest(points: Array, marks: Array) -> Array:
    gaps: Array = torch.cdist(torch.from_numpy(points), torch.from_numpy(marks)).min(dim=1).values.numpy()
    return gaps


def _points(face: _Face) -> tuple[NDArray[np.int64], Array]:
    """Vertices of the skin that are fitted, and how much each counts: the inner face fully."""
    used = np.unique(face.triangles)
    places = face.vertices[used]
    near = _to_nearest(places, face.landmarks[INNER])
    weight = np.interp(near, [FACE_MM, HEAD_MM], [1.0, REST_WEIGHT])
    weight[places[:, 1] < face.landmarks[JAW, 1].min() - FACE_MM] = 0  # the neck
    kept = np.flatnonzero(weight > 0)
    if len(kept) > MOST_POINTS:
        share = weight[kept] / weight[kept].sum()
        kept = np.random.default_rng(0).choice(kept, MOST_POINTS, replace=False, p=share)
        return used[kept], np.ones(len(kept))
    return used[kept], weight[kept]


def _rigid(points: Array, wanted: Array) -> _Motion:
    """The rotation and translation that bring (n, 3) points closest to wanted ones."""
    here, there = points.mean(axis=0), wanted.mean(axis=0)
    u, _, vt = np.linalg.svd((points - here).T @ (wanted - there))
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ handed @ u.T
    return _Motion(rotation, there - rotation @ here)


def _colours(source: MorphableModel, code: FaceCode, target: MorphableModel, fit: _Fit) -> Tensor:
    """(1, A) colour of the target: the source's, where both have colours, else the mean."""
    albedo = fit.code.albedo
    if not source.layout.albedo or not target.layout.albedo:
        return albedo
    with torch.no_grad():
        seen = source.albedo(code)[0]
        face = _Face(source, code)
        found = face.search.closest(fit.vertices()[fit.fitted])
        wanted = seen[torch.from_numpy(found.vertex)].clamp_min(0).sqrt()
        mean = target.albedo(fit.code)[0]
    rows = torch.from_numpy(fit.fitted)
    z = torch.zeros_like(albedo).requires_grad_()
    step = torch.optim.LBFGS([z], max_iter=COLOUR_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        step.zero_grad()
        shown = target.albedo(replace(fit.code, albedo=z))[0, rows].clamp_min(1e-4).sqrt()
        gap = (shown - wanted.to(mean)).square().mean() * COLOUR_MEASUREMENTS / COLOUR_NOISE**2
        total = gap + z.square().sum()
        total.backward()
        return total

    step.step(loss)
    return z.detach()
