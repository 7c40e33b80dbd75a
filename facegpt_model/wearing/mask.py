"""Which pixels of a photo show hair, glasses or a beard: where skin cannot be read.

Glasses and beards are areas between landmarks, taken where the read-outs see them. Hair is found by
colour: around the upper face stands what the person's outline adds to the face's own, and what has
its colour rather than the skin's is hair, also over the forehead.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from facegpt_model.perception.crops import Windows
from facegpt_model.wearing.look import Look
from facegpt_model.wearing.readouts import Worn
from facegpt_model.wearing.sliders import SURE, is_bald

Array = NDArray[np.float64]
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
        148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
CHEEKS = (50, 101, 118, 205, 280, 330, 347, 425, 4, 5)
EYES_AROUND = (
    (70, 105, 107, 168, 197, 198, 101, 50, 116, 127),
    (300, 334, 336, 168, 197, 420, 330, 280, 345, 356),
)
BEARD = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323,
         454, 425, 423, 98, 2, 327, 203, 205)  # fmt: skip
UPPER_LIP = (98, 2, 327, 287, 269, 0, 39, 57)
CHIN = (57, 17, 287, 365, 378, 152, 149, 136)
SMOOTHED = 5  # pixels of the window
HAIRLINE = 0.25  # of the way from the landmarks' upper end to the brows, a bare forehead begins at the latest
UNLIKE, MARGIN = (
    2.0,
    1.0,
)  # of log-likelihood: by which hair differs from skin, and a pixel must be nearer to hair


def worn_mask(look: Look, worn: Worn, landmarks478: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W) in 0..1 over a photo of size (H, W): how surely a pixel is hair, glasses or beard.

    landmarks478: (478, 2 or 3) pixels of the photo
    """
    points = in_window(look.window, landmarks478[:, :2]) * look.picture.shape[0]
    places = points.double().numpy()
    found = torch.zeros(look.picture.shape[:2])
    if not is_bald(worn):
        found = torch.maximum(found, hair_share(look, places, worn))
    for area in _areas(worn):
        found = torch.maximum(found, _filled(places[list(area)], len(found)))
    return _over_photo(found, look.window, size)


def hair_share(look: Look, points: Array, worn: Worn) -> Tensor:
    """(256, 256) in 0..1 over the window, how surely a pixel is hair; points: (478, 2) window pixels.

    Over the forehead hair is looked for where a fringe was seen, below the jaw where hair is long.
    """
    colour = look.picture.clamp(0, 1)
    side = len(colour)
    face = _filled(points[list(OVAL)], side) > 0.5
    brow = int(max(points[[70, 300, 105, 334], 1].min(), 1))
    rows = torch.arange(side)[:, None]
    person = look.outline > 0.6
    around = person & ~face & (rows < points[[127, 356], 1].mean())
    cheeks = torch.zeros(side, side, dtype=torch.bool)
    for x, y in points[list(CHEEKS)].round().astype(int).clip(3, side - 4):
        cheeks[y - 3 : y + 4, x - 3 : x + 4] = True
    if int(around.sum()) < 50 or int(cheeks.sum()) < 50:
        return torch.zeros(side, side)
    hair, skin = _tones(colour[around]), _tones(colour[cheeks & face])
    tones = _tones(colour)
    if (
        float(_distance(hair.median(dim=0).values, skin)) - float(_distance(hair.median(dim=0).values, hair))
        < UNLIKE
    ):
        return torch.zeros(side, side)  # what is around the face is skin
    nearer = _distance(tones, skin) - _distance(tones, hair) - MARGIN
    share = torch.sigmoid(nearer) * person
    top = float(points[10, 1])
    below = rows > (brow if worn.likeliest("fringe") != "0" else top + HAIRLINE * (brow - top))
    share = torch.where(face & below, 0.0, share)  # brows, eyes and lips are no hair
    jaw = points[[172, 397], 1].mean()
    hangs = worn.chance("hair", "3", "4")
    share = torch.where(~face & (rows > jaw), share * hangs, share)  # clothes may have its colour
    smooth = F.avg_pool2d(share[None, None], SMOOTHED, 1, SMOOTHED // 2)[0, 0]
    return torch.as_tensor(smooth * person)


def _areas(worn: Worn) -> list[tuple[int, ...]]:
    areas: list[tuple[int, ...]] = []
    if worn.chance("glasses", "0") < SURE:
        areas += EYES_AROUND
    kind = worn.likeliest("facial_hair")
    if kind == "4":
        areas.append(BEARD)
    if kind == "3":
        areas.append(CHIN)
    if kind in ("2", "3", "4") and worn.chance("moustache", "1") > SURE:
        areas.append(UPPER_LIP)
    return areas


def in_window(window: Windows, places: Tensor) -> Tensor:
    """(K, 2) photo pixels in units of the first window, 0..1 from its upper left."""
    cos, sin = float(torch.cos(window.angle[0])), float(torch.sin(window.angle[0]))
    turned = (places - window.centre[0]) @ places.new_tensor([[cos, -sin], [sin, cos]])
    return turned / window.side[0] + 0.5


def _tones(colour: Tensor) -> Tensor:
    """(..., 3) lightness and two differences of colour, gamma-compressed."""
    mean = colour.mean(dim=-1, keepdim=True)
    return torch.cat([mean, 2 * (colour[..., :1] - mean), 2 * (colour[..., 2:] - mean)], dim=-1)


def _distance(tones: Tensor, samples: Tensor) -> Tensor:
    """Half the squared distance to the samples' median in their spread, and its logarithm."""
    middle = samples.median(dim=0).values
    spread = (samples - middle).abs().median(dim=0).values.clamp_min(0.025) * 1.5
    return torch.as_tensor((((tones - middle) / spread) ** 2).sum(dim=-1) / 2 + spread.log().sum()).clamp_max(
        40
    )


def _filled(corners: Array, side: int) -> Tensor:
    canvas = Image.new("L", (side, side), 0)
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in corners], fill=255)
    return torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255)


def _over_photo(found: Tensor, window: Windows, size: tuple[int, int]) -> Tensor:
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    there = in_window(window, torch.stack([columns, rows], dim=-1).reshape(-1, 2))
    grid = (2 * there - 1).reshape(1, height, width, 2)
    return F.grid_sample(found[None, None], grid.to(found), align_corners=False)[0, 0]
