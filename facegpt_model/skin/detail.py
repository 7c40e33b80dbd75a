"""What a photo shows of a person's skin beyond the model's albedo: a map of factors on the atlas.

Wrinkles, moles, the true brows and lips. The map multiplies the painted skin of the head model,
so it stays with the face through edits of shape, expression and colours, and any light may fall
on it. It is kept as a small picture, grey where nothing is changed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.floating[Any]]

NO_CHANGE = 128
STEP = 1 / 96  # natural logarithm of the factor by one step
MOST = (NO_CHANGE - 1) * STEP  # largest logarithm that can be kept, of either sign


class BadDetail(ValueError):
    """A picture that is no map of skin detail."""


@dataclass(frozen=True, eq=False)
class SkinDetail:
    """steps: (S, S, 3) bytes, logarithm of a factor on linear RGB in units of STEP; row 0 is v = 1."""

    steps: NDArray[np.uint8]

    @classmethod
    def of_logarithms(cls, logs: Array) -> SkinDetail:
        """Of (S, S, 3) natural logarithms, cut to +-MOST."""
        steps = np.round(np.clip(logs, -MOST, MOST) / STEP) + NO_CHANGE
        return cls(steps.astype(np.uint8))

    @classmethod
    def from_png(cls, data: bytes) -> SkinDetail:
        """Of a file's bytes; raises BadDetail unless it is a square RGB picture."""
        try:
            picture = Image.open(io.BytesIO(data))
            picture.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise BadDetail("it is no readable picture") from error
        if picture.mode != "RGB" or picture.width != picture.height:
            raise BadDetail(f"it is a {picture.mode} picture of {picture.width} x {picture.height} pixels")
        return cls(np.asarray(picture))

    def png(self) -> bytes:
        """The file that keeps it, without loss; equal maps give equal bytes."""
        file = io.BytesIO()
        Image.fromarray(self.steps, "RGB").save(file, "PNG", compress_level=6)
        return file.getvalue()

    def factor(self, size: int) -> NDArray[np.float32]:
        """(size, size, 3) factors on linear RGB."""
        picture = Image.fromarray(self.steps, "RGB")
        if size != picture.width:
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)
        return _factors()[np.asarray(picture)]


@lru_cache(maxsize=1)
def _factors() -> NDArray[np.float32]:
    """(256,) factor of each byte."""
    return np.exp((np.arange(256) - NO_CHANGE) * STEP).astype(np.float32)
