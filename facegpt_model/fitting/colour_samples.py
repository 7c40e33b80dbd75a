"""What colours a photo shows on a fitted face: at skin vertices, and of brows, irises and hair.

Brows, irises and the hairline are finer than the mesh, so each gives one colour, read
inside its own outline. Colours are linear RGB; normals are in the shading frame (x right,
y up, z towards the viewer).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from facegpt_model.face import FaceCode, View
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import project, rotation_matrix
from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.rendering.topology import vertex_normals
from facegpt_model.rendering.visibility import rasterise

Array = NDArray[np.float64]

FACE_PIXELS = 200  # height of the face in the sampled picture
MIN_FACING = 0.25  # cosine between normal and line of sight; flatter skin is not read
MIN_PAINT = 0.6  # share of skin-like regions at a vertex
EFFECTIVE_SAMPLES = 120.0  # of all vertices together: colours of neighbours are not independent
FEATURE_SAMPLES = {"brow": 8.0, "iris": 20.0, "scalp": 8.0}  # what a feature's one colour counts
SKIN_REGIONS = ("skin", "mottle", "flush", "socket", "lips")
LID_SHADE = 0.75  # light that lids and lashes let through to the iris
DARKEST_SHARE = 0.35  # of the pixels in a brow's outline, which holds skin between the hairs
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
IRISES = ((468, (469, 470, 471, 472)), (473, (474, 475, 476, 477)))
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)


@dataclass(frozen=True)
class ColourSamples:
    """S vertices, then F features.

    colour: (S + F, 3) linear RGB in the photo; shading: (S + F, 9) harmonics of the normals
    weight: (S + F,) how many independent samples each stands for
    vertex: (S,) vertex ids; features: F names of regions, from "brow", "iris", "scalp"
    """

    colour: Tensor
    shading: Tensor
    weight: Tensor
    vertex: Tensor
    features: tuple[str, ...]


@dataclass(frozen=True)
class Patch:
    """A piece of a photo.

    linear: (h, w, 3) linear RGB; origin: (2,) photo pixels; scale: patch pixels per photo pixel
    """

    linear: Array
    origin: Array
    scale: float


@dataclass(frozen=True)
class Scene:
    """The part of the photo around the face, (h, w, 3) linear RGB, and the mesh over it.

    screen: (V, 3) patch pixels and depth; normals: (V, 3) shading frame; facing: (V,) cosine;
    seen: (V,) nearest somewhere; points: (478, 2) landmarks in patch pixels
    """

    patch: Array
    screen: Tensor
    normals: Tensor
    facing: Tensor
    seen: Tensor
    points: Array


def sample_colours(
    photo: Image.Image,
    points: Array,
    model: OpenHead,
    code: FaceCode,
    view: View,
    most: int | None = None,
) -> ColourSamples:
    """Colours of one fitted face in an RGB photo; points: (478, 2) its landmarks in pixels.

    most: about so many vertices are read, spread over the face; all if None
    """
    scene = scene_of(photo, points, model, code, view)
    names = model.region_names
    paint = model.region_weights[:, [names.index(name) for name in SKIN_REGIONS]].sum(dim=1)
    cover = (
        model.region_weights[:, model.region_overlay].sum(dim=1)
        - model.region_weights[:, names.index("beard")]
    )
    good = scene.seen & (scene.facing > MIN_FACING) & (paint > MIN_PAINT) & (cover < 0.2)
    rest = model.vertices(code)[0].double()
    vertex = torch.nonzero(good & before_ears(model, rest))[:, 0]
    vertex = vertex[:: max(1, len(vertex) // most)] if most else vertex
    area = (vertex_areas(rest, model.triangles) * scene.facing)[vertex]
    area = area.clamp_max(4 * area.median()) if len(vertex) else area
    rows = [(name, found) for name, found in _features(scene, model) if found is not None]
    feature_shading = [sh_basis(normal)[None] * shade for _, (_, normal, shade) in rows]
    return ColourSamples(
        colour=torch.cat(
            [bilinear(scene.patch, scene.screen[vertex, :2]), *[c[None] for _, (c, _, _) in rows]]
        ),
        shading=torch.cat([sh_basis(scene.normals[vertex]), *feature_shading]),
        weight=torch.cat(
            [
                area / area.sum().clamp_min(1e-9) * EFFECTIVE_SAMPLES,
                torch.tensor([FEATURE_SAMPLES[name] for name, _ in rows], dtype=torch.float64),
            ]
        ),
        vertex=vertex,
        features=tuple(name for name, _ in rows),
    )


def scene_of(photo: Image.Image, points: Array, model: OpenHead, code: FaceCode, view: View) -> Scene:
    """The photo around one fitted face, with the mesh over it."""
    return over_patch(patch_of(photo, points), points, model, code, view)


def over_patch(patch: Patch, points: Array, model: OpenHead, code: FaceCode, view: View) -> Scene:
    """A piece of the photo with the mesh of a code and view over it."""
    vertices = model.vertices(code).double()
    screen = project(vertices, view)[0]
    screen[:, :2] = (screen[:, :2] - torch.from_numpy(patch.origin)) * patch.scale
    turn = rotation_matrix(view.rotation.double())[0]
    normals = vertex_normals(vertices, model.triangles)[0] @ turn.T
    ray = vertices[0] @ turn.T + view.translation.double()[0]
    facing = -(normals * ray).sum(dim=1) / ray.norm(dim=1)
    height, width = patch.linear.shape[:2]
    inside = ((screen[:, :2] > 1) & (screen[:, :2] < screen.new_tensor([width - 1, height - 1]))).all(dim=1)
    seen = torch.from_numpy(_nearest_vertices(screen.numpy(), model.triangles.numpy(), height, width))
    flipped = normals * normals.new_tensor([1.0, -1.0, -1.0])
    return Scene(patch.linear, screen, flipped, facing, seen & inside, (points - patch.origin) * patch.scale)


Found = tuple[Tensor, Tensor, float]  # colour, normal, and what share of the light arrives


def _features(scene: Scene, model: OpenHead) -> list[tuple[str, Found | None]]:
    return [("brow", _brow(scene)), ("iris", _iris(scene)), ("scalp", _hair(scene, model))]


def _brow(scene: Scene) -> Found | None:
    """Mean of the darker pixels of both brows."""
    inside = np.zeros(scene.patch.shape[:2], dtype=bool)
    for outline in BROWS:
        inside |= _polygon(scene.patch.shape, scene.points[list(outline)])
    pixels = scene.patch[inside]
    if len(pixels) < 12:
        return None
    dark = pixels[np.argsort(pixels.sum(axis=1))[: max(4, int(len(pixels) * DARKEST_SHARE))]]
    return torch.from_numpy(dark.mean(axis=0)), _normal_near(scene, inside), 1.0


def _iris(scene: Scene) -> Found | None:
    """Median over the rings between pupil and limbus that lie between the lids."""
    pixels = []
    rows, columns = np.indices(scene.patch.shape[:2]) + 0.5
    for (centre, rim), eye in zip(IRISES, EYES, strict=True):
        place = scene.points[centre]
        radius = np.linalg.norm(scene.points[list(rim)] - place, axis=1).mean()
        distance = np.hypot(columns - place[0], rows - place[1])
        ring = (distance > 0.45 * radius) & (distance < 0.85 * radius)
        pixels.append(scene.patch[ring & _polygon(scene.patch.shape, scene.points[list(eye)])])
    found = np.concatenate(pixels)
    if len(found) < 12:
        return None
    towards = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    return torch.from_numpy(np.median(found, axis=0)), towards, LID_SHADE


def _hair(scene: Scene, model: OpenHead) -> Found | None:
    """Median at the visible vertices of the scalp's front."""
    scalp = model.region_weights[:, model.region_names.index("scalp")] > MIN_PAINT
    used = torch.nonzero(scalp & scene.seen & (scene.facing > MIN_FACING))[:, 0]
    if len(used) < 12:
        return None
    colour = bilinear(scene.patch, scene.screen[used, :2]).median(dim=0).values
    return colour, torch.nn.functional.normalize(scene.normals[used].mean(dim=0), dim=0), 1.0


def _normal_near(scene: Scene, inside: NDArray[np.bool_]) -> Tensor:
    """Mean normal of the seen vertices that fall into a mask; towards the viewer if there is none."""
    column, row = (scene.screen[:, k].long().clamp(0, inside.shape[1 - k] - 1).numpy() for k in range(2))
    used = torch.from_numpy(inside[row, column]) & scene.seen
    towards = torch.tensor([0.0, 0.0, 1e-6], dtype=torch.float64)
    return torch.nn.functional.normalize(scene.normals[used].sum(dim=0) + towards, dim=0)


def _polygon(shape: tuple[int, ...], outline: Array) -> NDArray[np.bool_]:
    mask = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in outline - 0.5], fill=1)
    return np.asarray(mask, dtype=bool)


def patch_of(photo: Image.Image, points: Array) -> Patch:
    """Linear colours around (K, 2) points, which get at most FACE_PIXELS high."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.3 * (high - low)
    left, top = np.floor(np.maximum(low - margin, 0))
    right, bottom = np.minimum(np.ceil(high + margin), (photo.width, photo.height))
    scale = min(1.0, FACE_PIXELS / float(high[1] - low[1]))
    size = (max(2, round((right - left) * scale)), max(2, round((bottom - top) * scale)))
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    small = photo.convert("RGB").resize(size, how, (left, top, right, bottom))
    return Patch(linear_rgb(np.asarray(small, dtype=np.float64) / 255), np.array([left, top]), scale)


def linear_rgb(srgb: Array) -> Array:
    """Linear RGB of sRGB values in 0..1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def bilinear(patch: Array, places: Tensor) -> Tensor:
    """(S, C) values of a (h, w, C) patch at (S, 2) patch pixels."""
    image = torch.from_numpy(patch).permute(2, 0, 1)[None]
    grid = 2 * places / places.new_tensor([patch.shape[1], patch.shape[0]]) - 1
    found = torch.nn.functional.grid_sample(
        image, grid[None, None], align_corners=False, padding_mode="border"
    )
    return found[0, :, 0].T


def _nearest_vertices(
    screen: Array, triangles: NDArray[np.int64], height: int, width: int
) -> NDArray[np.bool_]:
    """(V,) whether a corner of a triangle that is nearest under some pixel."""
    points = screen.copy()
    points[:, 2] = 1 / np.maximum(points[:, 2], 1.0)
    ids, _ = rasterise(points, triangles, height, width)
    seen = np.zeros(len(screen), dtype=bool)
    seen[triangles[np.unique(ids[ids >= 0])]] = True
    return seen


def before_ears(model: OpenHead, vertices: Tensor) -> Tensor:
    """(V,) whether in front of the ends of the jaw line and above its lower edge: no ears, no neck."""
    jaw = model.landmarks68(vertices[None])[0, :17]
    order = jaw[:, 0].argsort()
    edge = np.interp(vertices[:, 0].numpy(), jaw[order, 0].numpy(), jaw[order, 1].numpy())
    return (vertices[:, 2] > jaw[[0, 16], 2].mean() + 5) & (vertices[:, 1] > torch.from_numpy(edge) + 3)


def vertex_areas(vertices: Tensor, triangles: Tensor) -> Tensor:
    """(V,) square millimetres around each vertex."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = torch.linalg.cross(b - a, c - a).norm(dim=1) / 6
    return vertices.new_zeros(len(vertices)).index_add(0, triangles.reshape(-1), area.repeat_interleave(3))
