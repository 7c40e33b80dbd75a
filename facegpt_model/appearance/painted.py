"""The skin of one face with everything on it that is painted: brows, irises, folds, moles, scars.

The head model paints its own simple brows and folds for fitting; here they are taken off and
drawn again in detail, for stills and for the textures of files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.brows import REGION, brow_line, paint_brows
from facegpt_model.appearance.coat import Coat
from facegpt_model.appearance.folds import paint_folds
from facegpt_model.appearance.irises import COMPONENTS as IRIS
from facegpt_model.appearance.irises import REGIONS as IRIS_REGIONS
from facegpt_model.appearance.irises import paint_irises
from facegpt_model.appearance.marks import paint_mole, paint_scar
from facegpt_model.appearance.painting import worn_texture
from facegpt_model.appearance.parameters import Appearance
from facegpt_model.appearance.places import place
from facegpt_model.appearance.texels import texels_of
from facegpt_model.face import FaceCode
from facegpt_model.skin.detail import SkinDetail

if TYPE_CHECKING:
    from facegpt_model.morphable.textured import TexturedModel

Array = NDArray[np.float32]
TAKEN_OFF = -6.0  # standard deviations at which a painted overlay has gone
BROWS = ("brow darkness", "brow thickness")
FOLDS = "skin age"


_Key = tuple[int, bytes, SkinDetail | None]


@dataclass(frozen=True)
class PaintedSkin:
    """colour: (S, S, 3) linear RGB; slope: (S, S, 3) relief, see Coat; gloss: (S, S, 1) factor."""

    colour: Array
    slope: Array
    gloss: Array


_LAST: WeakKeyDictionary[TexturedModel, tuple[_Key, PaintedSkin]] = WeakKeyDictionary()


def painted(model: TexturedModel, code: FaceCode, size: int) -> PaintedSkin:
    """The painted skin of one face, row 0 at v = 1; as the model's texture where it has no such parts.

    The last face is remembered, for its still, its overlay and its files are painted in turn; so
    the arrays are not to be written to.
    """
    if code.batch_size != 1:
        raise ValueError(f"one face is painted at a time, but the code holds {code.batch_size}")
    shown = (code.identity, code.albedo, code.joints, code.appearance)
    numbers = b"".join(part.detach().cpu().double().numpy().tobytes() for part in shown)
    known = _LAST.get(model)
    key = (size, numbers, code.detail)
    if known is None or known[0] != key:
        known = _LAST[model] = (key, _painted(model, code, size))
    return known[1]


def _painted(model: TexturedModel, code: FaceCode, size: int) -> PaintedSkin:
    names = list(getattr(model, "albedo_names", ()))
    z = {name: float(code.albedo[0, column]) for column, name in enumerate(names)}
    own = [name for name in (*BROWS, FOLDS) if name in z]
    bare = code.albedo.clone()
    for name in own:
        bare[:, names.index(name)] = TAKEN_OFF
    with torch.no_grad():
        texture = worn_texture(model, replace(code, albedo=bare), size)
        plain = replace(code.neutral(), identity=torch.zeros_like(code.identity))
        mean = model.vertices(plain)[0].float().numpy()
        vertices = model.vertices(code.neutral())[0].float().numpy()
        points68 = model.landmarks68(torch.from_numpy(mean)[None])[0].double().numpy()
    if set(IRIS) <= set(z) and set(IRIS_REGIONS) <= set(model.region_names):
        texture = texture.copy()
        paint_irises(model, texture, z[IRIS[0]], z[IRIS[1]])
    texels = texels_of(model, mean, size)
    coat = Coat.of(texture, texels)
    appearance = Appearance.of(code.appearance[0])
    if FOLDS in z:
        paint_folds(coat, texels, points68, z[FOLDS])
    unbrowed = coat.image.copy()
    if all(name in z for name in BROWS) and REGION in model.region_names:
        region = model.region_names.index(REGION)
        colour = model.region_colours(code)[0, region].double().numpy()  # type: ignore[attr-defined]
        line = brow_line(model, texels)
        paint_brows(coat, texels, line, appearance.brows, z[BROWS[1]], z[BROWS[0]], colour)
    for mole in (appearance.mole, appearance.second_mole):
        if mole.size > 0:
            paint_mole(coat, texels, vertices, mole, place(model, vertices, mole.across, mole.up))
    scar = appearance.scar
    if scar.strength > 0:
        paint_scar(coat, texels, vertices, scar, place(model, vertices, scar.across, scar.up), unbrowed)
    colour = coat.image.reshape(size, size, 3)
    if code.detail is not None:
        colour = colour * code.detail.factor(size)
    return PaintedSkin(
        np.clip(colour, 0, 1),
        coat.slope.reshape(size, size, 3),
        coat.gloss.reshape(size, size, 1),
    )
