"""Brings the skin of a fitted portrait onto the head's texture atlas.

Colours are linear RGB; normals are in the shading frame (x right, y up, z towards the viewer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.colour_samples import linear_rgb
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.estimates import code_and_view
from facegpt_model.fitting.landmark_fit import INNER, fit_landmarks, landmark_basis
from facegpt_model.fitting.photo import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from facegpt_model.fitting.portraits import Portrait
from facegpt_model.morphable.build.atlas import texel_map
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.rendering.cameras import project, rotation_matrix
from facegpt_model.rendering.occlusion import ambient_occlusion
from facegpt_model.rendering.topology import vertex_normals
from facegpt_model.rendering.visibility import hidden_places

Array = NDArray[np.floating[Any]]

BLUR_PIXELS = 0.7  # of the photo before it is read: its noise and JPEG blocks are not skin
DARKEST, BRIGHTEST = 6 / 255, 250 / 255  # sRGB outside of which a colour has been clipped


@dataclass(frozen=True)
class Texels:
    """The n texels of a square atlas that lie on the head.

    row, column: (n,) in an image of size x size; corners: (n, 3) vertex ids; weights: (n, 3)
    mirror: (n,) the texel nearest to each one's mirror image on the mean face
    place: (n, 3) mm on the mean face
    """

    size: int
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    corners: NDArray[np.int64]
    weights: Array
    place: Array
    mirror: NDArray[np.int64]

    def of_vertices(self, values: Array) -> Array:
        """(n, C) of per-vertex values (V, C)."""
        return np.asarray((values[self.corners] * self.weights[..., None]).sum(axis=1))

    def image(self, values: Array, empty: float = 0.0) -> Array:
        """(size, size, C) picture of (n, C) values."""
        picture = np.full((self.size, self.size, *values.shape[1:]), empty)
        picture[self.row, self.column] = values
        return picture


@dataclass(frozen=True)
class Unprojected:
    """One portrait on the texels: colour (n, 3) linear RGB; normal (n, 3); facing (n,) cosine to
    the line of sight; seen (n,) neither hidden nor outside nor clipped."""

    colour: Array
    normal: Array
    facing: Array
    seen: NDArray[np.bool_]


def head_texels(model: OpenHead, size: int) -> Texels:
    """Texels of the skin's own island of the atlas."""
    skin = (model.part == model.part_names.index("skin")).numpy()
    triangles, corners_uv = model.triangles.numpy()[skin], model.triangles_uv.numpy()[skin]
    found = texel_map(model.uv.double().numpy(), corners_uv, size, gutter=0)
    row, column = np.nonzero(found.triangle >= 0)
    corners, weights = triangles[found.triangle[row, column]], found.weights[row, column]
    mean = model.mean.double().numpy()
    place = (mean[corners] * weights[..., None]).sum(axis=1)
    return Texels(size, row, column, corners, weights, place, nearest(place * (-1, 1, 1), place))


def nearest(wanted: Array, known: Array) -> NDArray[np.int64]:
    """(n,) index of the known place nearest to each wanted one."""
    found = np.empty(len(wanted), dtype=np.int64)
    those = torch.from_numpy(known)
    for start in range(0, len(wanted), 2048):
        some = torch.from_numpy(wanted[start : start + 2048])
        found[start : start + 2048] = torch.cdist(some, those).argmin(dim=1).numpy()
    return found


def mean_openness(model: OpenHead, texels: Texels) -> Array:
    """(n,) share of the surroundings that each texel of the mean face sees."""
    normals = vertex_normals(model.mean[None], model.triangles)[0].numpy()
    open_sky = ambient_occlusion(model.mean.numpy(), normals, model.triangles.numpy())
    return texels.of_vertices(open_sky.astype(np.float64)[:, None])[:, 0]


def fit_portrait(portrait: Portrait, model: OpenHead, photo: Image.Image) -> tuple[FaceCode, View, float]:
    """Code and view of a portrait by its stored landmarks, and their mean error in percent of the
    distance between the outer eye corners."""
    order = [BLENDSHAPE_NAMES.index(name) for name in model.expression_names]
    expected = load_correspondence().expression(portrait.blendshapes)[order]
    basis, points = landmark_basis(model)[INNER], portrait.points478[:, :2]
    fit = fit_landmarks(basis, points[INNER], expected, (photo.height, photo.width))
    missed = fit.camera.project(basis.points(fit.identity, fit.expression)) - points[INNER]
    eyes = np.linalg.norm(points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER])
    return *code_and_view(model, fit), float(np.linalg.norm(missed, axis=1).mean() / eyes * 100)


def unproject(portrait: Portrait, model: OpenHead, texels: Texels) -> Unprojected:
    """Fit a portrait by its stored landmarks and read its colours at the texels."""
    photo = Image.open(portrait.file).convert("RGB")
    code, view, _ = fit_portrait(portrait, model, photo)
    with torch.no_grad():
        vertices = model.vertices(code).double()
        screen = project(vertices, view)[0].numpy()
        turn = rotation_matrix(view.rotation.double())[0]
        turned = (vertex_normals(vertices, model.triangles)[0] @ turn.T).numpy()
        there = (vertices[0] @ turn.T + view.translation.double()[0]).numpy()
    normal = texels.of_vertices(turned)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    place, pixel = texels.of_vertices(there), texels.of_vertices(screen)
    facing = -(normal * place).sum(axis=1) / np.linalg.norm(place, axis=1)
    colour, inside = _read(photo, pixel[:, :2])
    hidden = hidden_places(screen, model.triangles.numpy(), pixel, photo.size)
    return Unprojected(colour, normal * (1, -1, -1), facing, inside & ~hidden & (facing > 0))


def _read(photo: Image.Image, pixel: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Bilinear linear colours at pixels, and where they are inside and not clipped."""
    image: Array = np.asarray(photo, dtype=np.float64) / 255
    for axis in (0, 1):
        image = blurred(image, BLUR_PIXELS, axis)
    height, width = image.shape[:2]
    x, y = pixel[:, 0] - 0.5, pixel[:, 1] - 0.5
    inside = (x > 0) & (y > 0) & (x < width - 1) & (y < height - 1)
    x, y = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    left, top = x.astype(int), y.astype(int)
    s, t = (x - left)[:, None], (y - top)[:, None]
    upper = image[top, left] * (1 - s) + image[top, left + 1] * s
    lower = image[top + 1, left] * (1 - s) + image[top + 1, left + 1] * s
    srgb = upper * (1 - t) + lower * t
    kept = inside & (srgb.min(axis=1) > DARKEST) & (srgb.max(axis=1) < BRIGHTEST)
    return linear_rgb(srgb), kept


def blurred(image: Array, sigma: float, axis: int) -> Array:
    """A picture (H, W, ...) blurred by a bell of `sigma` pixels along one axis."""
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padding = [(reach, reach) if k == axis else (0, 0) for k in range(image.ndim)]
    padded = np.pad(image, padding, mode="edge")
    length = image.shape[axis]
    return np.asarray(sum(w * np.take(padded, range(k, k + length), axis=axis) for k, w in enumerate(kernel)))
