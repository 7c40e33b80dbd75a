"""The skin of one face while it is painted: colour, relief and shine over the head's atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.texels import Texels

Floats = NDArray[np.floating]
Chosen = NDArray[np.int64] | slice


@dataclass
class Coat:
    """Changed in place, texel by texel of `texels`.

    image: (S * S, 3) linear RGB; slope: (S * S, 3) gradient in space of the relief painted on the
    skin, in the frame of the neutral head: a normal n becomes n - slope; gloss: (S * S,) factor
    """

    texels: Texels
    image: NDArray[np.float32]
    slope: NDArray[np.float32]
    gloss: NDArray[np.float32]

    @staticmethod
    def of(image: NDArray[np.float32], texels: Texels) -> Coat:
        """A coat over a texture (S, S, 3), with nothing painted yet."""
        count = texels.size**2
        return Coat(
            texels,
            image.reshape(count, 3).copy(),
            np.zeros((count, 3), np.float32),
            np.ones(count, np.float32),
        )

    def colour(self, chosen: Chosen) -> NDArray[np.float64]:
        """(n, 3) present colour of chosen texels."""
        return self.image[self.texels.index[chosen]].astype(np.float64)

    def mix(self, chosen: Chosen, colour: Floats, cover: Floats) -> None:
        """Lay a colour (n, 3) over chosen texels, by cover (n,) in [0, 1]."""
        at = self.texels.index[chosen]
        self.image[at] += ((np.clip(colour, 0, 1) - self.image[at]) * cover[:, None]).astype(np.float32)

    def tilt(self, chosen: Chosen, gradient: Floats) -> None:
        """Add relief whose height rises by gradient (n, 3), mm per mm."""
        self.slope[self.texels.index[chosen]] += gradient.astype(np.float32)

    def shine(self, chosen: Chosen, factor: Floats) -> None:
        """Multiply how much chosen texels mirror."""
        self.gloss[self.texels.index[chosen]] *= factor.astype(np.float32)
