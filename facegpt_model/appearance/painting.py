"""What hair changes in the paint of the skin: a receded hairline, and shade under a beard.

Works on the atlas of a model whose texture lays overlays over skin, by taking the overlay's
share out again and laying another one over.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance import facial_hair, styles
from facegpt_model.appearance.head_space import has_scalp
from facegpt_model.appearance.parameters import Appearance, FacialHair
from facegpt_model.face import FaceCode
from facegpt_model.morphable.textured import TexturedModel
from facegpt_model.rendering.visibility import rasterise

Array = NDArray[np.float32]
UNDER_BEARD = 0.62  # share of the skin that the roots of a dense beard darken
MOST_COVER = 0.995  # paint thicker than this hides the skin for good
_MASKS: WeakKeyDictionary[TexturedModel, dict[tuple[int, str], Array]] = WeakKeyDictionary()
_PLACES: WeakKeyDictionary[TexturedModel, dict[int, tuple[Array, NDArray[np.bool_]]]] = WeakKeyDictionary()


def worn_texture(model: TexturedModel, code: FaceCode, size: int) -> Array:
    """(size, size, 3) linear RGB: the model's texture of one face, changed by the hair it wears."""
    with torch.no_grad():
        colour = np.ascontiguousarray(model.texture(code, size)[0].float().numpy())
    if not has_scalp(model) or not code.appearance.any():
        return colour
    worn = Appearance.of(code.appearance[0])
    if worn.hair.receding > 0:
        _recede(model, code, worn, colour)
    if max(worn.facial_hair.moustache, worn.facial_hair.goatee, worn.facial_hair.beard) > 0.02:
        _shade(model, code, worn.facial_hair, colour)
    return colour


def _recede(model: TexturedModel, code: FaceCode, worn: Appearance, colour: Array) -> None:
    size = len(colour)
    index = list(model.region_names).index("scalp")
    place, used = _places(model, size)
    with torch.no_grad():
        cover = float(model.region_cover(code)[0, index])
        hair = model.region_colours(code)[0, index].float().numpy()
    shown = cover * _mask(model, size, "scalp")
    rows, columns = np.nonzero(used & (shown > 0.01))
    share = shown[rows, columns, None]
    keep = styles.kept(worn.hair, place[rows, columns])[:, None]
    skin = (colour[rows, columns] - share * hair) / np.maximum(1 - share, 1 - MOST_COVER)
    left = share * keep
    colour[rows, columns] = np.clip(skin + left * (hair - skin), 0, 1)


def _shade(model: TexturedModel, code: FaceCode, worn: FacialHair, colour: Array) -> None:
    size = len(colour)
    names = list(model.region_names)
    place, used = _places(model, size)
    mask = _mask(model, size, "beard")
    with torch.no_grad():
        hair = model.region_colours(code)[0, names.index("scalp")].float().numpy()
    rows, columns = np.nonzero(used & (mask > 0.02))
    dense = facial_hair.density(worn, place[rows, columns]) * mask[rows, columns]
    share = (UNDER_BEARD * dense)[:, None]
    colour[rows, columns] += share * (hair - colour[rows, columns])


def _mask(model: TexturedModel, size: int, region: str) -> Array:
    """(size, size) share of each texel that belongs to a region; the same for all faces, so kept."""
    known = _MASKS.setdefault(model, {})
    if (size, region) not in known:
        with torch.no_grad():
            index = list(model.region_names).index(region)
            known[size, region] = model.masks(size)[index].float().numpy().copy()
    return known[size, region]


def _places(model: TexturedModel, size: int) -> tuple[Array, NDArray[np.bool_]]:
    """(size, size, 3) place on the mean head of each texel, and which texels skin uses."""
    known = _PLACES.setdefault(model, {})
    if size not in known:
        with torch.no_grad():
            mean = model.vertices(model.layout.unpack(torch.zeros(1, model.layout.code_size)))[0].numpy()
        skin = (model.part == list(model.part_names).index("skin")).numpy()
        corners, places = model.triangles_uv.numpy()[skin], mean[model.triangles.numpy()[skin]]
        uv = model.uv.numpy().astype(np.float64)
        screen = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, np.ones(len(uv))], axis=1)
        ids, _ = rasterise(screen, corners, size, size)
        used = ids >= 0
        rows, columns = np.nonzero(used)
        found = ids[rows, columns]
        a, b, c = (screen[corners[found, k], :2] for k in range(3))
        at = np.stack([columns + 0.5, rows + 0.5], axis=1)
        area = _cross(b - a, c - a)
        wb, wc = _cross(at - a, c - a) / area, _cross(b - a, at - a) / area
        weights = np.stack([1 - wb - wc, wb, wc], axis=1)
        place = np.zeros((size, size, 3), np.float32)
        place[rows, columns] = (places[found] * weights[..., None]).sum(axis=1)
        known[size] = (place, used)
    return known[size]


def _cross(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
