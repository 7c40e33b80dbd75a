"""From what was learned at texels to the maps that ship: masked, smoothed, painted where unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.noise import smoothstep
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.skin.unproject import Texels, blurred

Array = NDArray[np.floating[Any]]

SKIN_REGIONS = ("skin", "mottle", "flush", "socket")
HAIR_REGIONS = ("brow", "brow_rim", "scalp", "lashes")
FADE_TEXELS = 3.0  # blur of the mask of bare skin, of which only the inside is learned
SEEN, SEEN_TEXELS = (0.12, 0.42), 7.0  # blurred mean weights between which a texel counts as known
SMOOTH_TEXELS = 1.3
# Painted pigment (melanin, blood) of regions: everywhere for sockets, whose darkness the portraits
# cannot tell from shadow, and where nothing is learned for the redness of ears.
SOCKET, FLUSH = (0.10, 0.07), (0.0, 0.20)


@dataclass(frozen=True)
class BareSkin:
    """skin: (n,) 1 where the model paints nothing but skin; beard, socket, flush: (n,) masks of regions;
    fade: (n,) how far learned maps hold, smooth to 0 towards hair, eyes, lips and what is not seen"""

    skin: Array
    beard: Array
    socket: Array
    flush: Array
    fade: Array


def bare_skin(model: OpenHead, texels: Texels) -> BareSkin:
    """The masks, before it is known what portraits show."""
    masks = model.masks(texels.size).double().numpy()[:, texels.row, texels.column]
    of = dict(zip(model.region_names, masks, strict=True))
    covered = sum(of[name] for name in HAIR_REGIONS)
    bare = (sum(of[name] for name in SKIN_REGIONS) > 0.97) & (covered < 0.03)
    skin = bare.astype(np.float64)
    soft = texels.image(skin)
    for axis in (0, 1):
        soft = blurred(soft, FADE_TEXELS, axis)
    fade = smoothstep(0.55, 0.98, soft)[texels.row, texels.column] * skin
    return BareSkin(skin, of["beard"], of["socket"], of["flush"], fade)


def known_share(texels: Texels, bare: BareSkin, coverage: Array) -> Array:
    """(n,) how far learned maps hold, given the mean weight (n,) that portraits have at each texel."""
    seen, there = texels.image(coverage * bare.skin), texels.image(bare.skin)
    for axis in (0, 1):
        seen, there = blurred(seen, SEEN_TEXELS, axis), blurred(there, SEEN_TEXELS, axis)
    mean = (seen / np.maximum(there, 1e-3))[texels.row, texels.column]
    return np.asarray(bare.fade * smoothstep(*SEEN, mean))


def shipped_maps(texels: Texels, bare: BareSkin, fade: Array, learned: Array) -> Array:
    """(1 + K, 2, S, S) maps from what was learned at the texels: (1 + K, n, 2), the mean first."""
    maps = []
    for number, values in enumerate(learned):
        smooth = _smooth(texels, values, fade)
        if number == 0:
            unknown = bare.flush * (1 - fade)
            smooth = smooth + bare.socket[:, None] * SOCKET + unknown[:, None] * FLUSH
        maps.append(_spread(texels, smooth))
    return np.stack(maps).transpose(0, 3, 1, 2)


def _smooth(texels: Texels, values: Array, fade: Array) -> Array:
    total, weight = texels.image(values * fade[:, None]), texels.image(fade[:, None])
    for axis in (0, 1):
        total, weight = blurred(total, SMOOTH_TEXELS, axis), blurred(weight, SMOOTH_TEXELS, axis)
    mean = total / np.maximum(weight, 1e-3)
    return np.asarray(mean[texels.row, texels.column] * fade[:, None])


def _spread(texels: Texels, values: Array) -> Array:
    """(S, S, 2) picture whose empty texels beside the head take their neighbours' values."""
    picture = texels.image(values)
    filled = texels.image(np.ones(len(values)))
    for _ in range(3):
        total, count = np.zeros_like(picture), np.zeros_like(filled)
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            total += np.roll(picture * filled[..., None], step, axis)
            count += np.roll(filled, step, axis)
        take = (filled == 0) & (count > 0)
        picture[take] = total[take] / count[take, None]
        filled[take] = 1
    return picture


def quantised(maps: Array) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Maps (M, C, S, S) as bytes, and what one step of each (M, C) is worth."""
    scale = np.maximum(np.abs(maps).max(axis=(2, 3)), 1e-6) / 127
    return np.round(maps / scale[..., None, None]).astype(np.int8), scale.astype(np.float32)
