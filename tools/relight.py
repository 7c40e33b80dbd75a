"""Relight: the photo of a fitted face as if a lamp stood elsewhere.

The fit knows the face's form and the light it was photographed in. Each pixel of the face is multiplied
by new light over old light at its normal, so skin keeps all that the photo shows; outside the face
(hair, neck, what is behind) nothing is known of form, and nothing changes. Cast shadows stay where they
were and none are added.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageFilter
from pydantic import BaseModel, Field
from torch import Tensor

from facegpt_model.face import FaceCode, View
from facegpt_model.mesh import srgb
from facegpt_model.rendering.deferred import interpolate, render
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.lighting import Y0, ambient_light, directional_light, sh_basis
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.reconstruct import checked_photo
from tools.studio import Studio
from tools.workspace import Workspace
from tools.writing import write_through

SIDE = 768  # longest side of the picture, pixels
AMBIENT, LAMP = 0.2, 1.0  # shares of the light, before it is made as bright as the photo's
LEAST_LIGHT = 0.08  # below this, old light says nothing of the skin
MOST, LEAST = 3.0, 0.25  # how much brighter or darker a pixel may become
FEATHER = 0.015  # of the picture's longest side


class RelightRequest(BaseModel, extra="forbid"):
    """Show the photo of a fitted face as if its lamp stood elsewhere."""

    face: str = Field(default="", description="handle of a face fitted to a photo, empty for the current one")
    yaw: int = Field(default=45, ge=-90, le=90, description="degrees; positive is the right of the picture")
    pitch: int = Field(default=20, ge=-60, le=80, description="degrees; positive is above")


def relight(request: RelightRequest, workspace: Workspace) -> Outcome:
    """Write face-N-light+45+20.png and name it; ToolError for a face that was fitted to no photo."""
    face = workspace.face(request.face)
    view, handle = face.estimate.view, str(face.made_by.get("photo", ""))
    if view is None or handle not in workspace.photos:
        raise ToolError(
            f"{face.handle} was not fitted to a photo of this conversation, so no photo can be relit"
        )
    photo = checked_photo(workspace.photo(handle))
    picture = relit(photo, workspace.studio, face.estimate.code, view, request.yaw, request.pitch)
    path = workspace.folder / f"{face.handle}-light{request.yaw:+d}{request.pitch:+d}.png"
    write_through(path, picture.save)
    workspace.wrote("relight", {"handle": face.handle, **request.model_dump()}, (path.name,))
    where = f"{request.yaw:+d} degrees to the side and {request.pitch:+d} above"
    return Outcome(f"{path.name}: the photo of {face.handle} with its lamp {where}", files=(path.name,))


def relit(
    photo: Image.Image, studio: Studio, code: FaceCode, view: View, yaw: float, pitch: float
) -> Image.Image:
    """RGB photo, at most SIDE wide or high, with the face in the new light.

    Raises ValueError when view.image_size is not the photo's (height, width).
    """
    if tuple(view.image_size) != (photo.height, photo.width):
        raise ValueError(f"the view is of {view.image_size} pixels, the photo has {photo.size[::-1]}")
    factor = min(1.0, SIDE / max(photo.size))
    size = (max(1, round(photo.height * factor)), max(1, round(photo.width * factor)))
    small = photo.convert("RGB").resize(size[::-1], Image.Resampling.LANCZOS)
    scaled = replace(view, focal=view.focal * factor, image_size=size)
    with torch.no_grad():
        vertices = studio.head.vertices(code).float()
        white = torch.ones_like(vertices)
        drawn = render(vertices, studio.head.triangles, white, scaled)
        inside = interpolate(drawn, studio.head.triangles, face_area(studio.head, code)[None, :, None])
        weight = (drawn.mask * inside).clamp(0, 1)[0, 0]
        basis = sh_basis(drawn.normals[0].permute(1, 2, 0))
        ratio = _ratio(basis, weight, view.light[0].float(), new_light(yaw, pitch))
    soft = _feathered(weight, FEATHER * max(size))[..., None]
    pixels = np.asarray(small, dtype=np.float32) / 255
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    lit = linear * (1 + soft * (ratio.numpy() - 1))
    return Image.fromarray((srgb(lit.clip(0, 1).astype(np.float32)) * 255).round().astype(np.uint8))


def new_light(yaw: float, pitch: float) -> Tensor:
    """(9, 3) a white lamp from there, and some light from everywhere; yaw, pitch in degrees as seen."""
    side, up = math.radians(yaw), math.radians(pitch)
    towards = (math.sin(side) * math.cos(up), math.sin(up), math.cos(side) * math.cos(up))
    return (ambient_light([AMBIENT] * 3) + directional_light(towards, [LAMP] * 3)).float()


def _ratio(basis: Tensor, weight: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """(H, W, 3) new over old light, as bright over the whole face as before."""
    before = (basis @ old).clamp_min(LEAST_LIGHT * float(old[0].mean()) * Y0)
    after = (basis @ new).clamp_min(0)
    total = weight.sum().clamp_min(1e-6)
    mean_before = (before * weight[..., None]).sum((0, 1)) / total
    mean_after = (after * weight[..., None]).sum((0, 1)) / total
    return (after / before * mean_before / mean_after.clamp_min(1e-6)).clamp(LEAST, MOST)


def _feathered(weight: Tensor, radius: float) -> np.ndarray:
    mask = Image.fromarray((weight * 255).round().byte().numpy())
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255
    return np.clip(2 * soft - 1, 0, 1)
