"""Brows of single hairs: their thickness, density, arch and meeting, drawn for one face.

A brow is drawn on a frontal picture of the mean face (mm) around the line along which the head
model's own brows run, and sampled into the atlas, so that it stays on the skin below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from facegpt_model.appearance.coat import Coat
from facegpt_model.appearance.parameters import Brows
from facegpt_model.appearance.texels import Texels

if TYPE_CHECKING:
    from facegpt_model.morphable.textured import TexturedModel

Floats = NDArray[np.float64]
STEP_MM = 0.08
LEFT, BOTTOM, WIDTH, HEIGHT = -68.0, 24.0, 136.0, 54.0
INNER, TAIL = 10.5, 60.0  # mm from the middle where a brow begins and ends
ALONG = np.array([8.0, 10.0, 13.0, 18.0, 26.0, 34.0, 42.0, 49.0, 55.0, 61.0])
HALF = np.array([1.2, 2.6, 4.0, 4.7, 4.7, 4.2, 3.3, 2.4, 1.5, 0.5])  # half thickness, mm
LEAN = np.array([80.0, 72.0, 60.0, 46.0, 32.0, 22.0, 12.0, 2.0, -8.0, -14.0])  # degrees above outwards
ARCH_MM = 3.6
REGION = "brow"


@dataclass(frozen=True)
class BrowLine:
    """Height (mm on the mean face) of the model's brows at distances ALONG from the middle."""

    height: Floats


_LINES: WeakKeyDictionary[object, BrowLine] = WeakKeyDictionary()


def brow_line(owner: TexturedModel, texels: Texels) -> BrowLine:
    """The line along the middle of the brows that a model paints, kept as long as it lives."""
    if owner not in _LINES:
        mask = owner.masks(texels.size)[owner.region_names.index(REGION)]
        shown = mask.double().numpy().ravel()[texels.index]
        along, up = np.abs(texels.design[:, 0]), texels.design[:, 1]
        ridge = []
        for at in ALONG:
            weight = shown * np.exp(-(((along - at) / 1.8) ** 2))
            ridge.append(float((weight * up).sum() / weight.sum()) if weight.sum() > 1e-3 else np.nan)
        known = ~np.isnan(ridge)
        _LINES[owner] = BrowLine(np.interp(ALONG, ALONG[known], np.array(ridge)[known]))
    return _LINES[owner]


def paint_brows(
    coat: Coat, texels: Texels, line: BrowLine, form: Brows, thickness: float, density: float, colour: Floats
) -> None:
    """Both brows in linear RGB (3,).

    thickness, density: the albedo components "brow thickness" and "brow darkness", standard
    deviations: -2.5 plucked or faint, 2.5 bushy or dense.
    """
    hairs, tone = _picture(tuple(line.height.tolist()), form, round(thickness, 2), round(density, 2))
    _lay(hairs, tone, colour, texels.design, texels.facing, texels.index, coat.image, coat.gloss)


@njit(cache=True, nogil=True, fastmath=True)
def _lay(
    hairs: np.ndarray,
    tone: np.ndarray,
    colour: np.ndarray,
    design: np.ndarray,
    facing: np.ndarray,
    index: np.ndarray,
    image: np.ndarray,
    gloss: np.ndarray,
) -> None:
    """Lay the picture of the brows over the texels it falls on, from the front."""
    for f in range(len(index)):
        x, y = design[f, 0] - LEFT, design[f, 1] - BOTTOM
        if not (1.0 < x < WIDTH - 1.0 and 1.0 < y < HEIGHT - 1.0):
            continue
        if design[f, 2] <= -45.0 or facing[f] <= 0.05:
            continue
        row, column = int((HEIGHT - y) / STEP_MM), int(x / STEP_MM)
        at, cover = index[f], hairs[row, column]
        for k in range(3):
            hair = min(max(colour[k] * tone[row, column], 0.0), 1.0)
            image[at, k] += (hair - image[at, k]) * cover
        gloss[at] *= 1.0 - 0.65 * cover


def _shape(line: Floats, form: Brows, thickness: float) -> tuple[Floats, Floats]:
    """Height of the middle and half thickness (mm) at ALONG."""
    height = line.copy()
    flat = np.interp(ALONG, [INNER, TAIL], [height[2], height[2] - 0.5])
    if form.arch < 0:
        height += -form.arch * 0.85 * (flat - height)
    peak = np.exp(-(((ALONG - 38) / 11) ** 2))
    tail = np.clip((ALONG - 40) / 20, 0, 1)
    height += max(form.arch, 0) * (ARCH_MM * peak - 2.2 * tail - 0.8 * np.exp(-(((ALONG - 16) / 9) ** 2)))
    widen = float(np.interp(thickness, (-2.5, -1.0, 0.0, 1.0, 2.5), (0.30, 0.58, 0.88, 1.18, 1.62)))
    return height, HALF * widen


@lru_cache(maxsize=8)
def _picture(line: tuple[float, ...], form: Brows, thickness: float, density: float) -> tuple[Floats, Floats]:
    """Cover in [0, 1] and brightness of the hair over the picture, row 0 on top."""
    height, half = _shape(np.array(line), form, thickness)
    size = round(WIDTH / STEP_MM), round(HEIGHT / STEP_MM)
    cover, tone = Image.new("L", size, 0), Image.new("L", size, 128)
    pens = ImageDraw.Draw(cover), ImageDraw.Draw(tone)
    random = np.random.default_rng(17)
    dense = float(np.interp(density, (-2.5, 0.0, 2.5), (0.34, 1.0, 1.75)))
    area = np.trapezoid(2 * half, ALONG)
    for side in (1.0, -1.0):
        for _ in range(round(1.15 * dense * area)):
            _hair(pens, side, height, half, form, random)
    for _ in range(round(230 * form.meeting * dense)):
        _bridging_hair(pens, height, half, random)
    x = LEFT + (np.arange(size[0]) + 0.5) * STEP_MM
    y = BOTTOM + HEIGHT - (np.arange(size[1]) + 0.5) * STEP_MM
    along = np.abs(x)
    middle, wide = np.interp(along, ALONG, height), np.interp(along, ALONG, half)
    ends = np.clip((along - INNER + 1.5) / 9.0, 0, 1) * np.clip((TAIL - 2 - along) / 9.0, 0, 1)
    ends = np.maximum(ends, 0.5 * form.meeting * (along < INNER + 4))
    shadow = np.clip(1 - ((y[:, None] - middle[None]) / (wide[None] + 0.6)) ** 2, 0, 1) * ends
    strands = np.asarray(cover.filter(ImageFilter.GaussianBlur(1.6)), np.float64) / 255
    hair = np.clip(strands * np.interp(dense, (0.34, 1.0, 1.75), (0.62, 0.78, 0.95)), 0, 0.95)
    under = np.interp(dense, (0.34, 1.0, 1.75), (0.06, 0.20, 0.46)) * shadow**1.5
    shade = np.asarray(tone.filter(ImageFilter.GaussianBlur(2.0)), np.float64) / 128
    return 1 - (1 - hair) * (1 - under), shade


def _hair(
    pens: tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw],
    side: float,
    height: Floats,
    half: Floats,
    form: Brows,
    random: np.random.Generator,
) -> None:
    """One hair that grows from somewhere in the brow, outwards and towards its middle line."""
    at = INNER - 1.5 + (TAIL - INNER - 1.0) * random.random()
    begin = INNER + 1.5 - 3.0 * form.meeting
    if random.random() > np.clip((at - begin) / 8.0 + 0.12, 0, 1) * np.clip((TAIL + 1 - at) / 7, 0.1, 1):
        return
    where = float(np.clip(random.normal(-0.10, 0.50), -1.0, 1.0))  # -1 the lower edge, 1 the upper
    wide = float(np.interp(at, ALONG, half))
    x, y = at, float(np.interp(at, ALONG, height)) + 0.92 * where * wide
    rise = (np.interp(at + 1.5, ALONG, height) - np.interp(at - 1.5, ALONG, height)) / 3.0
    lean = np.interp(at, ALONG, LEAN) - 34 * max(where, 0) - 6 * min(where, 0) + random.normal(0, 8)
    way = np.deg2rad(lean) + 0.5 * np.arctan(rise)
    length = (
        random.uniform(4.2, 7.2)
        * np.clip(0.45 + wide / 7.5, 0.5, 1.15)
        * np.interp(at, (10, 18, 50, 60), (0.7, 1, 0.9, 0.7))
    )
    _stroke(pens, side, x, y, way, -0.35 - 0.25 * random.random(), length, random)


def _bridging_hair(
    pens: tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw],
    height: Floats,
    half: Floats,
    random: np.random.Generator,
) -> None:
    """One of the sparse upright hairs between the brows."""
    x = float(np.clip(random.normal(0, 6.5), -13, 13))
    y = height[1] - 1.6 + float(np.clip(random.normal(0, 0.45), -0.9, 0.9)) * half[3]
    _stroke(
        pens, 1.0, x, y, np.deg2rad(90 + 3 * x + random.normal(0, 26)), 0.0, random.uniform(2.0, 3.8), random
    )


def _stroke(
    pens: tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw],
    side: float,
    x: float,
    y: float,
    way: float,
    bend: float,
    length: float,
    random: np.random.Generator,
) -> None:
    """A tapered, bent stroke; way in radians above outwards, bend in radians over its length."""
    share = np.linspace(0, 1, 5)
    turned = way + bend * share
    steps = length / 4 * np.stack([np.cos(turned), np.sin(turned)], axis=1)
    line = np.array([x, y]) + np.concatenate([[[0, 0]], np.cumsum(steps[:-1], axis=0)])
    thick = random.uniform(0.13, 0.21) * np.array([1.0, 1.0, 0.8, 0.5, 0.1])[:, None]
    beside = np.stack([-np.sin(turned), np.cos(turned)], axis=1) * thick
    outline = np.concatenate([line + beside, (line - beside)[::-1]])
    outline[:, 0] *= side
    corners = [((px - LEFT) / STEP_MM, (BOTTOM + HEIGHT - py) / STEP_MM) for px, py in outline]
    pens[0].polygon(corners, fill=int(random.uniform(185, 255)))
    pens[1].polygon(corners, fill=int(np.clip(random.normal(128, 26), 60, 210)))
