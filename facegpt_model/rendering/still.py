"""Finished pictures: portraits of a face, sheets of several, and a face over its photograph.

A portrait is a separate pass, not differentiable (portrait.py); the overlay goes through the
differentiable renderer, so it shows what a fit has seen. Pictures are 8-bit sRGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import Tensor

from facegpt_model.appearance.painted import painted
from facegpt_model.face import FaceCode, View
from facegpt_model.mesh import srgb
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.morphable.textured import TexturedModel
from facegpt_model.rendering.deferred import interpolate, render
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.lamps import STUDIO, Lamps
from facegpt_model.rendering.lighting import Y0, sh_basis
from facegpt_model.rendering.materials import Texture
from facegpt_model.rendering.portrait import draw_portrait
from facegpt_model.rendering.surface import surface_of
from facegpt_model.rendering.worn import worn_now

TEXTURE_SIZE = 1024
OVERLAY_SIDE = 1024  # longest side, in pixels, at which a face over a photo is drawn
FEATHER = 0.012  # of that side: how far the face's border runs out into the photo
LABEL_HEIGHT, LABEL_SIZE = 26, 14
PAPER, INK = (236, 237, 239), (40, 42, 46)


def render_still(
    model: MorphableModel,
    code: FaceCode,
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    size: int = 512,
    background: str | tuple[int, int, int] | None = None,
    lamps: Lamps = STUDIO,
) -> Image.Image:
    """Square RGBA portrait of one face with what it wears; the same input gives the same bytes.

    yaw_deg: positive turns the nose to the person's left (image right); pitch_deg: positive
    raises the chin; size: pixels. background: None for transparent, "studio" for a neutral
    gradient, or an sRGB colour 0-255. lamps: what lights it, see lamps.py. Raises ValueError
    unless the code holds one face and size is 16 to 4096.
    """
    samples = samples_for(size)
    if isinstance(background, str) and background != "studio":
        raise ValueError(f"a background is None, 'studio' or a colour of three numbers, not {background!r}")
    surface = surface_of(model, code, TEXTURE_SIZE)
    worn = worn_now(model, code)
    portrait = Image.fromarray(draw_portrait(surface, yaw_deg, pitch_deg, size, samples, worn, lamps), "RGBA")
    if background is None:
        return portrait
    canvas = (
        studio_background(size) if isinstance(background, str) else Image.new("RGB", (size, size), background)
    )
    canvas = canvas.convert("RGBA")
    canvas.alpha_composite(portrait)
    return canvas


def samples_for(size: int) -> int:
    """Samples per pixel, along one side, of a still that wide; ValueError unless it is 16 to 4096 pixels."""
    if not 16 <= size <= 4096:
        raise ValueError(f"a still is 16 to 4096 pixels wide, not {size}")
    return 3 if size <= 384 else 2


def studio_background(size: int) -> Image.Image:
    """Square RGB picture of a neutral grey wall, lighter behind the head."""
    return Image.frombytes("RGB", (size, size), _wall(size))


def contact_sheet(images: Sequence[Image.Image], columns: int, labels: Sequence[str] = ()) -> Image.Image:
    """RGB sheet of pictures of one size, row by row; transparent ones before the studio's wall.

    labels: one short line under each picture, or none at all. Raises ValueError for no
    pictures, different sizes, or a number of labels that does not fit.
    """
    if not images or columns < 1:
        raise ValueError("a contact sheet needs at least one picture and one column")
    if len({image.size for image in images}) != 1:
        raise ValueError("the pictures of a contact sheet must have one size")
    if labels and len(labels) != len(images):
        raise ValueError(f"{len(images)} pictures need {len(images)} labels or none, not {len(labels)}")
    width, height = images[0].size
    cell = height + (LABEL_HEIGHT if labels else 0)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (width * columns, cell * rows), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LABEL_SIZE)
    for index, image in enumerate(images):
        x, y = index % columns * width, index // columns * cell
        wall = studio_background(max(width, height)).resize((width, height)).convert("RGBA")
        wall.alpha_composite(image.convert("RGBA"))
        sheet.paste(wall.convert("RGB"), (x, y))
        if labels:
            line = labels[index]
            shrunk = min(1.0, (width - 6) / max(pen.textlength(line, font), 1.0))
            fitting = font if shrunk == 1 else ImageFont.load_default(max(6.0, LABEL_SIZE * shrunk))
            pen.text((x + width / 2, y + height + LABEL_HEIGHT / 2), line, INK, fitting, "mm")
    return sheet


def render_overlay(photo: Image.Image, model: MorphableModel, code: FaceCode, view: View) -> Image.Image:
    """RGB photo with the face drawn over it, under the view's own light; photo-sized.

    The scalp, the ears and the neck are left to the photo. Raises ValueError when the code
    or view holds more than one face or view.image_size is not the photo's (height, width).
    """
    colour, opacity = _face_layer(photo, model, code, view)
    picture = photo.convert("RGB")
    soft = opacity.filter(ImageFilter.GaussianBlur(FEATHER * max(opacity.size)))
    inward = soft.point([max(0, 2 * value - 255) for value in range(256)])
    picture.paste(colour.resize(photo.size, Image.Resampling.BICUBIC), mask=inward.resize(photo.size))
    return picture


def overlay_sheet(photo: Image.Image, model: MorphableModel, code: FaceCode, view: View) -> Image.Image:
    """RGB strip: the photo, the face over it, and the face alone; errors as render_overlay."""
    colour, opacity = _face_layer(photo, model, code, view, whole_head=True)
    alone = Image.new("RGB", colour.size, (120, 124, 130))
    alone.paste(colour, mask=opacity)
    over = render_overlay(photo, model, code, view)
    return contact_sheet([image.convert("RGB").resize(colour.size) for image in (photo, over, alone)], 3)


def _face_layer(
    photo: Image.Image, model: MorphableModel, code: FaceCode, view: View, whole_head: bool = False
) -> tuple[Image.Image, Image.Image]:
    """Colour and opacity of the face at twice the photo's size, at most OVERLAY_SIDE."""
    if code.batch_size != 1 or len(view.focal) != 1:
        raise ValueError(
            f"an overlay shows one face, but there are {code.batch_size} and {len(view.focal)} views"
        )
    if tuple(view.image_size) != (photo.height, photo.width):
        raise ValueError(
            f"the view is of a picture of {view.image_size} pixels (height, width), "
            f"but the photo has {(photo.height, photo.width)}"
        )
    factor = min(2.0, OVERLAY_SIDE / max(photo.size))
    size = (max(1, round(photo.height * factor)), max(1, round(photo.width * factor)))
    with torch.no_grad():
        vertices = model.vertices(code).float()
        albedo = model.albedo(code).float()
        weight = torch.ones_like(albedo[..., :1]) if whole_head else face_area(model, code)[None, :, None]
        flat = torch.zeros(1, 9, 3)
        flat[:, 0] = 1 / Y0
        drawn = render(
            vertices,
            model.triangles,
            albedo,
            replace(view, focal=view.focal * factor, light=flat, image_size=size),
        )
        colour = _texture_colour(model, code, drawn.triangle_ids, drawn.barycentrics)
        colour = drawn.image / drawn.mask.clamp_min(1e-6) if colour is None else colour
        light = torch.einsum(
            "bhwk,bkc->bchw", sh_basis(drawn.normals.permute(0, 2, 3, 1)), view.light.float()
        )
        opacity = drawn.mask * interpolate(drawn, model.triangles, weight).clamp(0, 1)
    pixels = (srgb((colour * light)[0].permute(1, 2, 0).numpy()) * 255).round().astype(np.uint8)
    return Image.fromarray(pixels), Image.fromarray((opacity[0, 0] * 255).round().byte().numpy())


def _texture_colour(model: MorphableModel, code: FaceCode, ids: Tensor, weights: Tensor) -> Tensor | None:
    """(1, 3, H, W) albedo from the model's texture, None for models that have none."""
    if not isinstance(model, TexturedModel):
        return None
    skin = painted(model, code, TEXTURE_SIZE).colour  # irises and brows as in a portrait
    image = torch.from_numpy(skin).float()[None].permute(0, 3, 1, 2)
    return Texture(image, model.uv, model.triangles_uv).at(ids, weights).permute(0, 3, 1, 2)


@lru_cache(maxsize=8)
def _wall(size: int) -> bytes:
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    glow = np.exp(-((x * 0.9) ** 2 + ((y + 0.1) * 0.9) ** 2))[..., None]
    colour = np.array([0.40, 0.41, 0.425]) + glow * np.array([0.29, 0.285, 0.275])
    return np.round(colour * 255).astype(np.uint8).tobytes()
