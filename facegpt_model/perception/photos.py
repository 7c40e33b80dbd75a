"""Photographs from files: upright RGB, or one sentence about what is wrong with the file."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

MIN_SIDE = 64  # pixels; below this no face can be read
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # others may start programs of their own
MAX_BYTES = 30_000_000  # of a file; the pixels of a well-packed one are counted before they are unpacked


class PhotoError(ValueError):
    """A file that cannot be used as a photograph."""


def load_photo(path: Path | str) -> Image.Image:
    """The picture, turned upright by its EXIF tag, as 8-bit RGB; transparency becomes white.

    Its `info` tells where it came from: file_name, and file_sha256 of the file's bytes.
    Raises PhotoError with one sentence when the file is missing, is not a picture, is cut
    short, larger than 30 MB, or has a side under 64 pixels or more than 50 million pixels.
    """
    path = Path(path)
    if not path.is_file():
        raise PhotoError(
            f"there is no file {path}; give the path of a picture with a face, such as a JPEG or PNG"
        )
    if path.stat().st_size > MAX_BYTES:
        raise PhotoError(f"{path.name} is larger than {MAX_BYTES // 10**6} MB; make it smaller")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=FORMATS) as image:
                _check_size(path, *image.size)
                photo = _as_rgb(ImageOps.exif_transpose(image))
        except Image.DecompressionBombError as error:
            raise PhotoError(
                f"{path.name} is too large; give a picture of at most 50 million pixels"
            ) from error
        except UnidentifiedImageError as error:
            raise PhotoError(
                f"{path.name} is not a picture; give a JPEG, PNG or another common image file"
            ) from error
        except (OSError, SyntaxError, ValueError) as error:
            if isinstance(error, PhotoError):
                raise
            raise PhotoError(f"{path.name} is damaged or cut short and cannot be read ({error})") from error
    photo.info = {"file_name": path.name, "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return photo


def photo_tensor(photo: Image.Image) -> Tensor:
    """(3, H, W) sRGB values in 0..1 of an RGB picture."""
    return (
        torch.from_numpy(np.asarray(photo.convert("RGB"), dtype=np.float32) / 255)
        .permute(2, 0, 1)
        .contiguous()
    )


def _check_size(path: Path, width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            f"{path.name} is only {width} x {height} pixels; both sides need at least {MIN_SIDE}"
        )
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"{path.name} has {width} x {height} pixels; at most 50 million are read, so make it smaller"
        )


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16-bit and float greys: stretched to their own range
        values = np.asarray(image, dtype=np.float64)
        span = max(float(values.max() - values.min()), 1e-9)
        image = Image.fromarray(((values - values.min()) / span * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")
