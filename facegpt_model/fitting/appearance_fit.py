"""Skin and light of a fitted face, from the colours the photo shows at its vertices.

The photo is sampled where visible vertices fall. With albedo a(z) of the model, spherical
harmonics Y and light L the prediction is a(z) * (Y L), per colour; z and L are found
together by Gauss-Newton in gamma-compressed colour, re-weighted so that glasses, shine and
hair over the face count little. Exposure and skin tone can stand in for each other: the
prior says that cameras expose to a usual level and balance lamps to nearly white.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode, View
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import project, rotation_matrix
from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.rendering.topology import vertex_normals
from facegpt_model.rendering.visibility import rasterise

FACE_PIXELS = 200  # height of the face in the sampled picture
ALBEDO_LIMIT = 2.5
EFFECTIVE_SAMPLES = 400.0  # colours of neighbouring vertices are not independent
COLOUR_SD = 0.05  # of gamma-compressed colour
GAMMA = 2.2
LIGHT_LEVEL_SD = 0.35  # relative, of the exposure
LIGHT_SHAPE_SD = 0.45  # of the eight directional coefficients, relative to the level
LIGHT_TINT_SD = 0.06  # by which one colour may differ from the mean of the three, relative
STEPS = 12
PAINTED = (
    "skin",
    "mottle",
    "flush",
    "socket",
    "wrinkles",
    "freckles",
    "crease",
    "beard",
    "lips",
    "brow_rim",
    "brow",
)
UNSEEN = ("hair lightness", "hair redness", "hair grey", "scalp hair coverage", "iris blue", "iris green")


@dataclass(frozen=True)
class Samples:
    """S sampled vertices.

    colour: (S, 3) linear RGB of the photo; regions: (S, R) paint; shading: (S, 9) harmonics of
    the normals; weight: (S,)
    """

    colour: Tensor
    regions: Tensor
    shading: Tensor
    weight: Tensor


def fit_appearance(photo: Image.Image, model: OpenHead, code: FaceCode, view: View) -> tuple[Tensor, Tensor]:
    """Albedo coefficients (1, A) and light (1, 9, 3) of one fitted face in an RGB photo."""
    with torch.no_grad():
        samples = sample_colours(photo, model, code, view)
    albedo, light = _solve(model, samples)
    return albedo[None].float(), light[None].float()


def sample_colours(photo: Image.Image, model: OpenHead, code: FaceCode, view: View) -> Samples:
    """What the photo shows at the visible, painted vertices of the face."""
    vertices = model.vertices(code).double()
    points = project(vertices, view)[0]
    patch, origin, scale = _patch(photo, points[model.mediapipe468, :2])
    screen = points.clone()
    screen[:, :2] = (points[:, :2] - origin) * scale
    normals = vertex_normals(vertices, model.triangles)[0]
    turn = rotation_matrix(view.rotation.double())[0]
    shading_normals = normals @ turn.T * normals.new_tensor([1.0, -1.0, -1.0])
    ray = vertices[0] @ turn.T + view.translation.double()[0]
    facing = -(normals @ turn.T * ray / ray.norm(dim=1, keepdim=True)).sum(dim=1)
    height, width = patch.shape[:2]
    inside = ((screen[:, :2] > 1) & (screen[:, :2] < screen.new_tensor([width - 1, height - 1]))).all(dim=1)
    paint = model.region_weights[:, [model.region_names.index(name) for name in PAINTED]].sum(dim=1).double()
    seen = torch.from_numpy(_seen_vertices(screen.numpy(), model.triangles.numpy(), height, width))
    used = torch.nonzero(seen & inside & (facing > 0.25) & (paint > 0.6))[:, 0]
    used = used[_before_ears(model, vertices[0])[used]]
    weight = (facing * paint * _vertex_areas(vertices[0], model.triangles))[used]
    weight = weight.clamp_max(4 * weight.median()) if len(used) else weight
    return Samples(
        colour=_bilinear(patch, screen[used, :2]),
        regions=model.region_weights[used].double(),
        shading=sh_basis(shading_normals[used]),
        weight=weight / weight.sum().clamp_min(1e-9) * EFFECTIVE_SAMPLES,
    )


def _solve(model: OpenHead, samples: Samples) -> tuple[Tensor, Tensor]:
    """Gauss-Newton over albedo (A) and light (27); the light starts as plain white of level 1."""
    count = model.layout.albedo
    albedo = torch.zeros(count, dtype=torch.float64)
    light = torch.zeros(9, 3, dtype=torch.float64)
    expected = light.clone()
    expected[0] = 1 / 0.282095
    light = expected.clone()
    prior = _light_precision()
    held = torch.tensor([name in UNSEEN for name in model.albedo_names])
    target = samples.colour.clamp(1e-4, 1.0).pow(1 / GAMMA)
    for _ in range(STEPS):
        paint, paint_slope = _paint(model, albedo)
        surface = samples.regions @ paint
        irradiance = (samples.shading @ light).clamp_min(1e-3)
        linear = (surface * irradiance).clamp_min(1e-4)
        predicted = linear.pow(1 / GAMMA)
        residual = (target - predicted).reshape(-1)
        gain = predicted / linear / GAMMA
        by_albedo = torch.einsum("sr,rca->sca", samples.regions, paint_slope) * (irradiance * gain)[..., None]
        by_light = torch.zeros(*surface.shape, 9, 3, dtype=torch.float64)
        for channel in range(3):
            by_light[:, channel, :, channel] = samples.shading * (surface * gain)[:, channel, None]
        jacobian = torch.cat([by_albedo, by_light.flatten(2)], dim=2).flatten(0, 1)
        weight = _robust(residual.reshape(-1, 3), samples.weight).repeat_interleave(3) / COLOUR_SD**2
        precision = torch.block_diag(torch.eye(count, dtype=torch.float64), prior)
        position = torch.cat([albedo, (light - expected).flatten()])
        slope = jacobian.T @ (weight * residual) - precision @ position
        curvature = jacobian.T @ (weight[:, None] * jacobian) + precision
        free = torch.cat([~held, torch.ones(27, dtype=torch.bool)])
        delta = torch.zeros(count + 27, dtype=torch.float64)
        delta[free] = torch.linalg.solve(curvature[free][:, free], slope[free])
        albedo = (albedo + delta[:count].clamp(-1, 1)).clamp(-ALBEDO_LIMIT, ALBEDO_LIMIT)
        light = light + delta[count:].reshape(9, 3)
    return albedo, light


def _light_precision() -> Tensor:
    """(27, 27) inverse covariance of light about white of level 1: level, shape, and tint."""
    level = 1 / 0.282095
    mean_part, tint_part = torch.full((3, 3), 1 / 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    tint_part = tint_part - mean_part
    blocks = []
    for k in range(9):
        sd = level * (LIGHT_LEVEL_SD if k == 0 else LIGHT_SHAPE_SD / 2)
        tint = level * LIGHT_TINT_SD
        blocks.append(3 * mean_part / sd**2 / 3 + tint_part / tint**2)
    return torch.block_diag(*blocks)


def _robust(residual: Tensor, weight: Tensor) -> Tensor:
    """(S,) weights times the share Geman and McClure's function leaves to each sample."""
    size = residual.norm(dim=1)
    scale = (2.0 * size.median()).clamp_min(0.03)
    return weight * (1 + (size / scale) ** 2) ** -2


def _paint(model: OpenHead, albedo: Tensor) -> tuple[Tensor, Tensor]:
    """(R, 3) colour of each region and its slope (R, 3, A)."""
    blank = torch.zeros(1, 0, dtype=torch.float64)

    def colours(z: Tensor) -> Tensor:
        code = FaceCode(
            blank.new_zeros(1, model.layout.identity),
            blank.new_zeros(1, model.layout.expression),
            z[None],
            model.basis,
        )
        return model.region_colours(code)[0]

    slope = torch.autograd.functional.jacobian(colours, albedo)
    return colours(albedo), slope


def _patch(photo: Image.Image, points: Tensor) -> tuple[NDArray[np.float64], Tensor, float]:
    """Linear colours of the picture around the points, at FACE_PIXELS; its origin; patch pixels per pixel."""
    low, high = points.amin(dim=0), points.amax(dim=0)
    margin = 0.25 * (high - low)
    left, top = (low - margin).clamp_min(0).floor().tolist()
    right = min(photo.width, float((high + margin)[0].ceil()))
    bottom = min(photo.height, float((high + margin)[1].ceil()))
    scale = min(1.0, FACE_PIXELS / float((high - low)[1]))
    size = (max(2, round((right - left) * scale)), max(2, round((bottom - top) * scale)))
    small = photo.resize(
        size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR, (left, top, right, bottom)
    )
    return linear_rgb(np.asarray(small, dtype=np.float64) / 255), points.new_tensor([left, top]), scale


def linear_rgb(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear RGB of sRGB values in 0..1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _bilinear(patch: NDArray[np.float64], places: Tensor) -> Tensor:
    """(S, 3) colours at (S, 2) pixel places."""
    image = torch.from_numpy(patch).permute(2, 0, 1)[None]
    grid = 2 * places / places.new_tensor([patch.shape[1], patch.shape[0]]) - 1
    return torch.nn.functional.grid_sample(
        image, grid[None, None], align_corners=False, padding_mode="border"
    )[0, :, 0].T


def _seen_vertices(
    screen: NDArray[np.float64], triangles: NDArray[np.int64], height: int, width: int
) -> NDArray[np.bool_]:
    """(V,) whether a corner of a triangle that is nearest somewhere."""
    points = screen.copy()
    points[:, 2] = 1 / np.maximum(points[:, 2], 1.0)
    ids, _ = rasterise(points, triangles, height, width)
    seen = np.zeros(len(screen), dtype=bool)
    seen[triangles[np.unique(ids[ids >= 0])]] = True
    return seen


def _before_ears(model: OpenHead, vertices: Tensor) -> Tensor:
    """(V,) in front of the ends of the jaw line and above its lower edge: no ears, no neck."""
    jaw = model.landmarks68(vertices[None])[0, :17]
    order = jaw[:, 0].argsort()
    edge = np.interp(vertices[:, 0].numpy(), jaw[order, 0].numpy(), jaw[order, 1].numpy())
    return (vertices[:, 2] > jaw[[0, 16], 2].mean() + 5) & (vertices[:, 1] > torch.from_numpy(edge) + 3)


def _vertex_areas(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(V,) square millimetres around each vertex."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = torch.linalg.cross(b - a, c - a).norm(dim=1) / 6
    return vertices.new_zeros(len(vertices)).index_add(0, triangles.reshape(-1), area.repeat_interleave(3))
