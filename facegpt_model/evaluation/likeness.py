"""Does the drawn face look like its photo? Colours over the face, and an identity net's view.

The net (perception/identity.py) tells pictures of one person from those of others; here it
compares the drawing of each fitted face with every photo of the set. Nobody is named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.appearance.painted import painted
from facegpt_model.evaluation.surfaces import Array
from facegpt_model.face import FaceEstimate, View
from facegpt_model.mesh import srgb
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import NoFace, analyse
from facegpt_model.perception.identity import load_identity_net
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.rendering.deferred import interpolate, render
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.materials import Texture

TEXTURE_SIZE = 1024
GREY = 0.2  # linear, behind the drawn head


@dataclass(frozen=True)
class Drawing:
    """A fitted head where the photo shows it.

    picture: sRGB, of the photo's size, on grey; face: (H, W) in [0, 1], where the face proper is
    """

    picture: Image.Image
    face: Array


def draw(model: OpenHead, estimate: FaceEstimate, view: View) -> Drawing:
    """The head of one estimate under the view's camera and light, with its painted skin."""
    with torch.no_grad():
        skin = painted(model, estimate.code, TEXTURE_SIZE).colour
        texture = Texture(
            torch.from_numpy(skin).float()[None].permute(0, 3, 1, 2), model.uv, model.triangles_uv
        )
        vertices = model.vertices(estimate.code).float()
        drawn = render(vertices, model.triangles, texture, view, torch.full((3,), GREY))
        weight = face_area(model, estimate.code)[None, :, None]
        face = drawn.mask * interpolate(drawn, model.triangles, weight).clamp(0, 1)
    pixels = np.round(srgb(drawn.image[0].permute(1, 2, 0).numpy()) * 255).astype(np.uint8)
    return Drawing(Image.fromarray(pixels), face[0, 0].double().numpy())


def photometric_percent(photo: Image.Image, drawing: Drawing) -> float:
    """Mean absolute difference of sRGB over the face, percent of full range; NaN where no face shows."""
    gap = np.abs(np.asarray(photo.convert("RGB"), np.float64) - np.asarray(drawing.picture, np.float64)).mean(
        axis=2
    )
    total = float(drawing.face.sum())
    return float((gap * drawing.face).sum() / total / 255 * 100) if total > 0 else float("nan")


def embedding(picture: Image.Image, points478: Tensor) -> Tensor:
    """(128,) of the face with these landmarks, in the picture's pixels."""
    with torch.no_grad():
        return load_identity_net().embed(photo_tensor(picture)[None], points478[None])[0]


def drawn_embedding(drawing: Drawing, points478: Tensor) -> Tensor:
    """(128,) of a drawn face, found again by the detector, else where the photo's landmarks are."""
    try:
        found = analyse(drawing.picture)[0].points478
    except NoFace:
        found = points478
    return embedding(drawing.picture, found)


@dataclass(frozen=True)
class Likeness:
    """N drawings against N photos of different people by an identity net.

    distance: (N,) of each drawing to its own photo, dlib's scale (0.6: perhaps one person)
    rank:     (N,) place of its own photo among all, 1 is nearest
    """

    distance: Array
    rank: Array

    @property
    def nearest_own(self) -> float:
        """Share of drawings whose nearest photo is their own."""
        return float((self.rank == 1).mean())


def likeness(drawings: Tensor, photos: Tensor) -> Likeness:
    """Compare (N, 128) embeddings of drawings and of their photos, in the same order."""
    if drawings.shape != photos.shape:
        raise ValueError(f"drawings are {tuple(drawings.shape)}, photos {tuple(photos.shape)}")
    gaps = torch.cdist(drawings.double(), photos.double()).numpy()
    own = np.diag(gaps)
    return Likeness(own, 1.0 + (gaps < own[:, None]).sum(axis=1))
