"""What a photo shows of the skin beyond the fitted head: a map of factors for its atlas.

Every texel of the face that the photo shows well is compared with the painted skin under the
fitted light; the logarithm of their ratio is what is left. It is read where the detected
landmarks say, so that the photo's lips and brows land on the model's. Broad differences are
light and cast shadow as much as skin, and are kept in part only; shine is cut off; hair, rims of
glasses and other things before the face show by their size, and are left out. Unseen sides take
the other side's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from facegpt_model.appearance.painted import painted
from facegpt_model.appearance.texels import Texels, texels_of
from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.colour_samples import EYES, bilinear, linear_rgb
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.landmark_fit import INNER
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import project, rotation_matrix
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.lighting import sh_basis
from facegpt_model.rendering.topology import vertex_normals
from facegpt_model.rendering.visibility import hidden_places
from facegpt_model.skin.detail import SkinDetail

Array = NDArray[np.float64]

SIZE, PAINT_SIZE = 512, 1024  # texels along a side of the map, and of the paint it is relative to
FACE_PIXELS = 420  # height of the face in the picture that is read: about a texel a pixel
FACING = (0.25, 0.6)  # cosines between which a texel's weight rises to 1
WARP_MM = 7.0  # over how far a landmark pulls its surroundings
BROAD_TEXELS, PATCH_TEXELS, FINE_TEXELS = 16.0, 5.0, 4.0
BROAD_SHARE, BROAD_MOST = 0.55, 0.22  # of the logarithm that is kept of broad differences
PATCH_BRIGHT, PATCH_DARK = (
    0.22,
    0.6,
)  # of those of some millimetres: folds, and shade that the light leaves out
SHINE_MOST, DARK_MOST = 0.22, 0.9  # of finer ones
DIM = (0.3, 0.65)  # shares of the usual light on the face between which a texel's weight rises to 1
FEATURE_MORE = 0.5  # brighter that brows and beards may be than the model's: grey hairs
LEVEL_MOST = 0.3  # of the median of all
OTHER_SIDE = 0.3  # weight of the other side where this one is not seen
STRANGE = (0.42, 0.16)  # brightness and colour of differences at which a texel counts a quarter
STRANGE_TEXELS = 4  # around which it counts as little
MARGIN = 40
FLOOR = 0.004
LIPS_INSIDE = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
FEATURES = ("brow", "brow_rim", "lips", "mouth_line", "beard")  # where strong differences are believed


@dataclass(frozen=True)
class _Seen:
    """F texels of the skin: log of photo over prediction (F, 3), and how far it is believed (F,)."""

    logs: Array
    weight: Array


@torch.no_grad()
def skin_detail(
    photo: Image.Image,
    points: Array,
    model: OpenHead,
    code: FaceCode,
    view: View,
    cover: Tensor | None = None,
) -> SkinDetail:
    """The map of one fitted face; points: (478, 2) its landmarks in pixels of the upright RGB photo.

    cover: (h, w) in 0..1, how much of each pixel is the person; all if None
    """
    texels = texels_of(model, model.mean.numpy(), SIZE)
    regions = texels.on(model.region_weights.numpy())
    seen = _read(photo, points, model, code, view, cover, texels)
    trusted = seen.weight * (1 - regions[:, model.region_names.index("scalp")])
    feature = regions[:, [model.region_names.index(n) for n in FEATURES]].sum(axis=1).clip(0, 1)
    return SkinDetail.of_logarithms(_composed(texels, seen.logs, trusted, feature))


def _read(
    photo: Image.Image,
    points: Array,
    model: OpenHead,
    code: FaceCode,
    view: View,
    cover: Tensor | None,
    texels: Texels,
) -> _Seen:
    vertices = model.vertices(code).double()
    screen = project(vertices, view)[0].numpy()
    turn = rotation_matrix(view.rotation.double())[0]
    normals = (vertex_normals(vertices, model.triangles)[0] @ turn.T).numpy()
    there = (vertices[0] @ turn.T + view.translation.double()[0]).numpy()
    normal, place = texels.on(normals).astype(float), texels.on(there).astype(float)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    facing = -(normal * place).sum(axis=1) / np.linalg.norm(place, axis=1)
    pull = _pull(model, code, view, points)
    pixel = texels.on(np.column_stack([screen[:, :2] + pull, screen])).astype(float)
    hidden = hidden_places(screen, model.triangles.numpy(), pixel[:, 2:], photo.size)
    weight = _rising(facing, *FACING) * ~hidden
    weight *= texels.on(face_area(model, code, to_hairline=True).numpy()[:, None])[:, 0]
    colour, inside = _colours(photo, points, pixel[:, :2])
    weight *= inside * ~_within(photo, points, pixel[:, :2])
    if cover is not None:
        there_is = bilinear(cover[..., None].double().numpy(), torch.from_numpy(pixel[:, :2]))[:, 0].numpy()
        weight *= _rising(there_is, 0.4, 0.8)
    paint = painted(model, code, PAINT_SIZE).colour
    paint = paint.reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3)).reshape(-1, 3)[texels.index]
    light = sh_basis(torch.from_numpy(normal * (1, -1, -1))) @ view.light[0].double()
    level = light.mean(dim=1).clamp_min(0).numpy()
    weight *= _rising(level / max(_median(level, weight), FLOOR), *DIM)
    predicted = paint * light.clamp_min(0).numpy()
    return _Seen(np.log(colour + FLOOR) - np.log(predicted + FLOOR), weight)


def _pull(model: OpenHead, code: FaceCode, view: View, points: Array) -> Array:
    """(V, 2) pixels by which detected landmarks lie beside fitted ones, smoothly over the face."""
    at = model.landmarks468(model.vertices(code)).double()
    at = at + torch.from_numpy(load_correspondence().mediapipe468)
    missed = (points[:468] - project(at, view)[0, :, :2].numpy())[INNER]
    mean = model.mean.double()
    gap = torch.cdist(mean, model.landmarks468(mean[None].float())[0].double()[INNER])
    near = torch.exp(-0.5 * (gap / WARP_MM) ** 2)
    return ((near @ torch.from_numpy(missed)) / (near.sum(dim=1, keepdim=True) + 0.5)).numpy()


def _colours(photo: Image.Image, points: Array, pixel: Array) -> tuple[Array, Array]:
    """(F, 3) linear colours at photo pixels, and 1 where the photo reaches."""
    scale = min(1.0, FACE_PIXELS / float(np.ptp(points[:, 1])))
    size = (max(2, round(photo.width * scale)), max(2, round(photo.height * scale)))
    small = photo.convert("RGB")
    small = small if scale == 1 else small.resize(size, Image.Resampling.BOX)
    picture = linear_rgb(np.asarray(small, dtype=np.float64) / 255)
    inside = ((pixel > 1) & (pixel < np.array(photo.size) - 1)).all(axis=1)
    return bilinear(picture, torch.from_numpy(pixel * scale)).numpy(), inside.astype(float)


def _within(photo: Image.Image, points: Array, pixel: Array) -> NDArray[np.bool_]:
    """(F,) whether a texel falls onto the eyes or between the lips of the photo."""
    mask = Image.new("L", photo.size)
    pen = ImageDraw.Draw(mask)
    eyes = float(np.linalg.norm(points[33] - points[263]))
    for outline in (*EYES, LIPS_INSIDE):
        ring = [(float(x), float(y)) for x, y in points[list(outline)]]
        pen.polygon(ring, fill=1)
        pen.line([*ring, ring[0]], fill=1, width=max(1, round(0.022 * eyes)))
    column, row = (pixel[:, k].astype(int).clip(0, mask.size[k] - 1) for k in range(2))
    return np.asarray(mask, dtype=bool)[row, column]


def _composed(texels: Texels, logs: Array, trusted: Array, feature: Array) -> Array:
    """(S, S, 3) logarithms: split into broad and fine, cut, filled from the other side, faded out."""
    made = np.zeros((SIZE, SIZE, 3))
    level = np.stack([_median(logs[:, k], trusted) for k in range(3)])
    flat = np.column_stack([logs - level, trusted, feature])
    atlas = np.zeros((SIZE * SIZE, 5))
    atlas[texels.index] = flat
    picture = atlas.reshape(SIZE, SIZE, 5)
    rows, columns = np.nonzero(picture[..., 3] > 0)
    if not len(rows):
        return made
    top, bottom = max(0, rows.min() - MARGIN), min(SIZE, rows.max() + MARGIN)
    left = max(0, min(columns.min(), SIZE - 1 - columns.max()) - MARGIN)
    part = (slice(top, bottom), slice(left, SIZE - left))
    image, weight, believed = picture[part][..., :3], picture[part][..., 3], picture[part][..., 4]
    weight = weight / (1 + _strange(image, weight, believed)) ** 2
    broad = _mean(image, weight, BROAD_TEXELS, coarse=4)
    patchy = _mean(image - broad, weight, PATCH_TEXELS, coarse=2)
    finer = image - broad - patchy
    bright = PATCH_BRIGHT + FEATURE_MORE * believed[..., None]
    dark = PATCH_DARK + FEATURE_MORE * believed[..., None]
    most = np.where(patchy > 0, bright, dark)
    kept = most * np.tanh(patchy / most) + BROAD_MOST * np.tanh(BROAD_SHARE * broad / BROAD_MOST)
    most = SHINE_MOST + FEATURE_MORE * believed[..., None]
    kept += np.where(finer > 0, most * np.tanh(finer / most), DARK_MOST * np.tanh(finer / DARK_MOST))
    borrowed = OTHER_SIDE * (1 - weight).clip(0, 1) * weight[:, ::-1]
    total = weight + borrowed
    mixed = weight[..., None] * kept + borrowed[..., None] * kept[:, ::-1]
    mixed /= np.maximum(total, 1e-6)[..., None]
    fade = np.minimum(_rising(total, 0.05, 0.5), _rising(_blurred(total.clip(0, 1), 2.0), 0.1, 0.6))
    around = _rising(_blurred(total, 8.0, coarse=4), 0.02, 0.4)
    made[part] = mixed * fade[..., None] + np.clip(level, -LEVEL_MOST, LEVEL_MOST) * around[..., None]
    return made


def _strange(image: Array, weight: Array, believed: Array) -> Array:
    """(h, w) how far a place and its neighbours are from skin, 1 at STRANGE, outside of features."""
    fine = _mean(image, weight, FINE_TEXELS, coarse=2)
    grey = fine.mean(axis=2, keepdims=True)
    colour = np.abs(fine - grey).max(axis=2)
    apart = (grey[..., 0] / STRANGE[0]) ** 2 + (colour / STRANGE[1]) ** 2
    apart = np.minimum(apart * (1 - believed) * (weight > 0.05), 9.0)
    tensor = torch.from_numpy(np.ascontiguousarray(apart)).float()[None, None]
    wide = F.max_pool2d(tensor, 2 * STRANGE_TEXELS + 1, 1, STRANGE_TEXELS)
    return _blurred(wide[0, 0].double().numpy(), 2.0) * (1 - believed)


def _mean(image: Array, weight: Array, sigma: float, coarse: int) -> Array:
    """The weighted mean around each texel."""
    both = _blurred(np.concatenate([image * weight[..., None], weight[..., None]], axis=2), sigma, coarse)
    return np.asarray(both[..., :-1] / (both[..., -1:] + 1e-3))


def _blurred(image: Array, sigma: float, coarse: int = 1) -> Array:
    """After three box means each way, which are nearly a Gaussian of sigma texels.

    coarse: done on a picture so many times smaller
    """
    flat = image[..., None] if image.ndim == 2 else image
    tensor = torch.from_numpy(np.ascontiguousarray(flat)).float().permute(2, 0, 1)[:, None]
    size = tensor.shape[2:]
    if coarse > 1:
        tensor = F.avg_pool2d(tensor, coarse, ceil_mode=True, count_include_pad=False)
    width = max(1, round(float(np.sqrt(4 * (sigma / coarse) ** 2 + 1)))) // 2
    for _ in range(3):
        tensor = F.avg_pool2d(tensor, (2 * width + 1, 1), 1, (width, 0))
        tensor = F.avg_pool2d(tensor, (1, 2 * width + 1), 1, (0, width))
    if coarse > 1:
        tensor = F.interpolate(tensor, scale_factor=coarse, mode="bilinear")[:, :, : size[0], : size[1]]
    found = tensor[:, 0].permute(1, 2, 0).double().numpy()
    return np.asarray(found[..., 0] if image.ndim == 2 else found)


def _rising(values: Array, low: float, high: float) -> Array:
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _median(values: Array, weight: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    if not len(total) or total[-1] <= 0:
        return 0.0
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
