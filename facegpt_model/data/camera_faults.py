"""What spoils photographs: things in front, blur, low resolution, noise, colour, compression.

Pictures are (H, W, 3) float32 sRGB in 0..1; each step returns a new one.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Floats = NDArray[np.float32]


def photographed(rng: np.random.Generator, picture: Floats) -> Floats:
    """The picture as a bad camera might have taken it, any step by chance."""
    out = picture
    if rng.random() < 0.25:
        out = occluded(rng, out)
    if rng.random() < 0.45:
        out = blurred(rng, out)
    if rng.random() < 0.1:
        out = np.repeat(out.mean(axis=2, keepdims=True), 3, axis=2)
    gain = rng.uniform(0.8, 1.2) * (1 + 0.05 * rng.normal(size=3))
    out = out * gain.astype(np.float32)
    if rng.random() < 0.7:
        grain = rng.standard_normal(out.shape, dtype=np.float32)
        out = out + np.float32(rng.uniform(0, 0.03)) * grain
    return np.clip(out, 0, 1)


def occluded(rng: np.random.Generator, picture: Floats) -> Floats:
    """A hand, a microphone, a scarf: one flat ellipse that never covers the middle."""
    side = picture.shape[0]
    x, y = rng.uniform(0, side, 2)
    if abs(x - side / 2) < side / 4 and abs(y - side / 2) < side / 4:
        y = side * (0.06 if rng.random() < 0.5 else 0.94)
    rows, columns = np.ogrid[:side, :side]
    wide, high = rng.uniform(0.06, 0.22, 2) * side
    covered = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1
    out = picture.copy()
    out[covered] = rng.random(3)
    return out


def blurred(rng: np.random.Generator, picture: Floats) -> Floats:
    """Out of focus, or taken with too few pixels."""
    image, side = _image(picture), picture.shape[0]
    if rng.random() < 0.5:
        softened = image.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.002, 0.01)))
    else:
        fewer = round(side * rng.uniform(0.4, 0.9))
        softened = image.resize((fewer, fewer), Image.Resampling.BILINEAR).resize(
            (side, side), Image.Resampling.BILINEAR
        )
    return np.asarray(softened, np.float32) / np.float32(255)


def jpeg(picture: Floats, quality: int) -> bytes:
    """The bytes of a JPEG."""
    stream = io.BytesIO()
    _image(picture).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _image(picture: Floats) -> Image.Image:
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
