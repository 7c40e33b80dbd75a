"""What one photo says about a face: its landmarks, and the colours that its skin shows.

A vertex that is seen shows albedo times the light on its normal; the photo shows some colour
where that vertex projects to. Both sides move with shape and pose, so their difference tells
of the surface between the landmarks. Colours are gamma-compressed. Differences far above the
median are hair, glasses, shine or cast shadows and count little (Geman and McClure).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facegpt_model.fitting.appearance_fit import GAMMA, OF_SKIN, ColourProblem, light_state
from facegpt_model.fitting.colour_samples import (
    SKIN_REGIONS,
    ColourSamples,
    Scene,
    before_ears,
    bilinear,
    over_patch,
    patch_of,
    vertex_areas,
)
from facegpt_model.fitting.estimates import code_and_view
from facegpt_model.fitting.landmark_fit import (
    EXPRESSION_SD,
    INNER,
    Camera,
    LandmarkBasis,
    LandmarkFit,
    landmark_basis,
    landmark_rows,
)
from facegpt_model.fitting.shading_rows import Rings, rings_of, shading_rows
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.lighting import Y1, Y2_PRODUCT, Y2_XX, Y2_ZZ, sh_basis

Array = NDArray[np.float64]

LANDMARK_MM = 8.0  # with the skin's help: landmarks are drawn towards a mean face, and err together
SAMPLES = 1500.0  # for how many independent colours all vertices of a face count
MIN_FACING = 0.2  # cosine between normal and line of sight
MIN_SKIN = 0.6  # share of skin-like regions at a vertex
SATURATED = 0.97  # brighter places are cut off by the camera
ROBUST_MEDIANS, LEAST_ROBUST = 1.5, 0.02  # differences above so many medians count little
SIGMA_MEDIANS, LEAST_SIGMA = 0.7, 0.01  # noise of a colour, from the median difference
HAIRY = ("brow", "brow_rim", "scalp", "lashes")
SHADING = np.diag([1.0, -1.0, -1.0])  # camera frame to shading frame
FLOOR = 1e-3


@dataclass(frozen=True)
class PhotoState:
    """What differs between photos of one person: camera, expression (E,), and the light.

    light: (28,) logarithm of its level over the usual one, and its shape, see ColourProblem
    """

    camera: Camera
    expression: Array
    light: Tensor

    @classmethod
    def begin(cls, fit: LandmarkFit, light: Tensor) -> PhotoState:
        """The state of a landmark fit under light (9, 3)."""
        return cls(fit.camera, fit.expression, light_state(light))


@dataclass(frozen=True)
class Marks:
    """K points of the face in the photo: basis of the points, (K, 2) pixels, (K,) deviations in mm."""

    basis: LandmarkBasis
    points: Array
    sigma_mm: float | Array


@dataclass(frozen=True)
class Trust:
    """sigma: standard deviation of a colour; reach: difference beyond which places count little."""

    sigma: float
    reach: float


@dataclass(frozen=True)
class Sight:
    """S seen vertices in one state: their colours in photo and prediction.

    weight: (S,) number of independent samples each stands for; photo: (S, 9) colour and its slopes
    by x and y, per patch pixel; vertices: (V, 3); normals: (S, 3) in the shading frame
    """

    problem: ColourProblem
    vertex: Tensor
    weight: Tensor
    photo: Tensor
    vertices: Array
    normals: Tensor


@dataclass(frozen=True)
class System:
    """Normal equations of one photo: curvature (D, D) and slope (D,).

    Unknowns: turn, x and y, log focal (6), identity (I), expression (E), albedo (A), light (28)
    """

    curvature: Array
    slope: Array


class PhotoEvidence:
    """One photo of a face, ready to be compared with states of the fit."""

    def __init__(
        self,
        photo: Image.Image,
        points: Array,
        expected: Array,
        model: OpenHead,
        cover: Tensor | None = None,
        marks: Marks | None = None,
    ) -> None:
        """points: (478, 2) landmarks, pixels; expected: (E,) blend weights seen by the net.

        cover: (h, w) in 0..1 over the photo, how much of each pixel is the person; all if None
        """
        self.model, self.points, self.expected = model, points, expected
        self.patch = patch_of(photo, points)
        self._cover = cover
        self.marks = marks or Marks(landmark_basis(model)[INNER], points[INNER], LANDMARK_MM)
        self._pictures: dict[float, Array] = {}
        weights, names = model.region_weights, model.region_names
        skin = weights[:, [names.index(name) for name in SKIN_REGIONS]].sum(dim=1)
        self._skin = (skin > MIN_SKIN) & torch.from_numpy(_rings(model).closed)
        self._bare = (1 - weights[:, [names.index(name) for name in HAIRY]].sum(dim=1)).clamp(0, 1) ** 2
        detail = model.skin.names if model.skin is not None else ()
        self.free_albedo = np.array([name in (*OF_SKIN, *detail) for name in model.albedo_names])

    def look(self, identity: Array, state: PhotoState, blur: float, same: Sight | None = None) -> Sight:
        """The colours in a state, after a blur in patch pixels; at the vertices of `same`, if given."""
        model = self.model
        code, view = code_and_view(model, LandmarkFit(identity, state.expression, state.camera))
        vertices = model.vertices(code)[0].double()
        scene = over_patch(self.patch, self.points, model, code, view)
        vertex, weight = self._chosen(scene, vertices) if same is None else (same.vertex, same.weight)
        photo = bilinear(self._picture(blur), scene.screen[vertex, :2])
        if same is None:
            good = photo[:, :3].amax(dim=1) < SATURATED
            vertex, weight, photo = vertex[good], weight[good], photo[good]
        normals = scene.normals[vertex]
        colour = photo[:, :3].clamp_min(0).pow(GAMMA)
        samples = ColourSamples(colour, sh_basis(normals), weight, vertex, ())
        return Sight(ColourProblem(model, code, samples), vertex, weight, photo, vertices.numpy(), normals)

    def trust(self, sight: Sight, colour: Tensor) -> Trust:
        """How far colours may be believed; colour: (A + 28,) albedo and light."""
        size = sight.problem.residual(colour).norm(dim=1)
        median = float(size.median()) if len(size) else LEAST_ROBUST
        return Trust(max(SIGMA_MEDIANS * median, LEAST_SIGMA), max(ROBUST_MEDIANS * median, LEAST_ROBUST))

    def cost(self, sight: Sight, identity: Array, state: PhotoState, colour: Tensor, trust: Trust) -> float:
        """Minus twice the logarithm of the likelihood, and of the prior of the expression."""
        squared = sight.problem.residual(colour).square().sum(dim=1)
        bounded = squared / (1 + squared / trust.reach**2)
        fit = LandmarkFit(identity, state.expression, state.camera)
        marks = landmark_rows(
            self.marks.basis, self.marks.points, fit, self.marks.sigma_mm, pose_only=True
        ).residual
        away = (state.expression - self.expected) / EXPRESSION_SD
        return float((sight.weight * bounded).sum()) / trust.sigma**2 + float(marks @ marks + away @ away)

    def system(
        self, sight: Sight, identity: Array, state: PhotoState, colour: Tensor, trust: Trust
    ) -> System:
        """Normal equations of that cost, linearised."""
        residual, by_colour = sight.problem.residual_and_slope(colour)
        count = len(sight.vertex)
        rows = self.geometry_rows(sight, state, colour, residual)
        rows = np.concatenate([rows, by_colour.numpy().reshape(count, 3, -1)], axis=2)
        share = (1 + (residual.norm(dim=1) / trust.reach) ** 2) ** -2
        weight = (sight.weight * share / trust.sigma**2).repeat_interleave(3).float()
        flat = torch.from_numpy(rows.astype(np.float32).reshape(3 * count, -1))
        weighted = flat * weight[:, None]
        curvature = (weighted.T @ flat).double().numpy()
        slope = (weighted.T @ residual.flatten().float()).double().numpy()
        fit = LandmarkFit(identity, state.expression, state.camera)
        marks = landmark_rows(self.marks.basis, self.marks.points, fit, self.marks.sigma_mm)
        n = marks.jacobian.shape[1]
        curvature[:n, :n] += marks.jacobian.T @ marks.jacobian
        slope[:n] += marks.jacobian.T @ marks.residual
        of_expression = np.arange(n - len(state.expression), n)
        curvature[of_expression, of_expression] += EXPRESSION_SD**-2
        slope[of_expression] -= (state.expression - self.expected) / EXPRESSION_SD**2
        return System(curvature, slope)

    def geometry_rows(self, sight: Sight, state: PhotoState, colour: Tensor, residual: Tensor) -> Array:
        """(S, 3, 6 + I + E) slopes of prediction minus photo."""
        camera, normals = state.camera, sight.normals
        light = sight.problem.light(colour)
        lit = (sight.problem.samples.shading @ light).clamp_min(FLOOR)
        shown = (sight.problem.target - residual) / lit / GAMMA
        by_normal = (shown[..., None] * harmonic_slopes(normals, light)).numpy() @ SHADING  # camera frame
        there = camera.to_camera(sight.vertices[sight.vertex.numpy()])
        by_pixel, flat = camera.slopes(there)
        image = sight.photo[:, 3:].unflatten(1, (2, 3)).transpose(1, 2).numpy() * self.patch.scale
        by_place = -image @ by_pixel
        rows = shading_rows(
            sight.vertices,
            _directions(self.model),
            _rings(self.model),
            sight.vertex.numpy(),
            by_normal @ camera.rotation,
            by_place @ camera.rotation,
        )
        arm, towards = (there - camera.translation)[:, None], (normals.numpy() @ SHADING)[:, None]
        turn = np.cross(arm, by_place) + np.cross(towards, by_normal)
        zoom = -(image * flat[:, None]).sum(axis=2, keepdims=True)
        return np.concatenate([turn, by_place[:, :, :2], zoom, rows], axis=2)

    def _chosen(self, scene: Scene, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and weights of the vertices of skin that is seen."""
        good = scene.seen & (scene.facing > MIN_FACING) & self._skin & before_ears(self.model, vertices)
        vertex = torch.nonzero(good)[:, 0]
        area = (vertex_areas(vertices, self.model.triangles) * scene.facing)[vertex]
        area = area.clamp_max(4 * area.median()) if len(vertex) else area
        weight = area * self._bare[vertex]
        if self._cover is not None:
            places = scene.screen[vertex, :2] / self.patch.scale + torch.from_numpy(self.patch.origin)
            weight = weight * bilinear(self._cover[..., None].double().numpy(), places)[:, 0]
        return vertex, weight / area.sum().clamp_min(1e-9) * SAMPLES

    def _picture(self, blur: float) -> Array:
        """(h, w, 9) the gamma-compressed patch and its slopes in x and y."""
        if blur not in self._pictures:
            soft = blurred(self.patch.linear ** (1 / GAMMA), blur)
            by_y, by_x = np.gradient(soft, axis=(0, 1))
            self._pictures[blur] = np.concatenate([soft, by_x, by_y], axis=2)
        return self._pictures[blur]


@lru_cache(maxsize=1)
def _rings(model: OpenHead) -> Rings:
    return rings_of(model.triangles.numpy(), len(model.mean))


@lru_cache(maxsize=1)
def _directions(model: OpenHead) -> NDArray[np.float32]:
    """(V, 3, I + E)"""
    both = torch.cat([model.identity_basis, model.expression_basis])
    return np.ascontiguousarray(both.permute(1, 2, 0).numpy())


def harmonic_slopes(normals: Tensor, light: Tensor) -> Tensor:
    """(S, 3, 3) slope of each colour of the light (9, 3) on normals (S, 3) by x, y and z."""
    x, y, z = normals.T
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    p = Y2_PRODUCT
    by_x = torch.stack([zero, zero, zero, Y1 * one, p * y, zero, zero, p * z, 2 * Y2_XX * x], dim=1)
    by_y = torch.stack([zero, Y1 * one, zero, zero, p * x, p * z, zero, zero, -2 * Y2_XX * y], dim=1)
    by_z = torch.stack([zero, zero, Y1 * one, zero, zero, p * y, 6 * Y2_ZZ * z, p * x, zero], dim=1)
    return torch.stack([by @ light for by in (by_x, by_y, by_z)], dim=2)


def blurred(picture: Array, sigma: float) -> Array:
    """A (h, w, C) picture after a Gaussian blur of sigma pixels; the border goes on beyond itself."""
    reach = max(1, math.ceil(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    image = torch.from_numpy(picture).permute(2, 0, 1)[:, None]
    image = F.conv2d(F.pad(image, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    image = F.conv2d(F.pad(image, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))
    return np.asarray(image[:, 0].permute(1, 2, 0).numpy())
