"""Skin detail of a drawn photo: what was painted is found again, what is no skin is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from facegpt_model.appearance.painted import painted
from facegpt_model.appearance.texels import texels_of
from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.photo_skin import SIZE, skin_detail
from facegpt_model.mesh import srgb
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.materials import Texture
from facegpt_model.skin.detail import STEP, SkinDetail


@pytest.fixture(scope="module")
def model() -> OpenHead:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    return head


def drawn(model: OpenHead, code: FaceCode, view: View) -> Image.Image:
    paint = torch.from_numpy(painted(model, code, 1024).colour).float()[None].permute(0, 3, 1, 2)
    texture = Texture(paint, model.uv, model.triangles_uv)
    image = render(model.vertices(code).float(), model.triangles, texture, view).image
    return Image.fromarray(np.round(srgb(image[0].permute(1, 2, 0).numpy()) * 255).astype(np.uint8))


def around(model: OpenHead, landmark: int, radius: float) -> np.ndarray:
    """(S, S) whether a texel lies within so many mm of a mesh landmark of the mean face."""
    texels = texels_of(model, model.mean.numpy(), SIZE)
    middle = model.landmarks468(model.mean[None])[0, landmark].numpy()
    found = np.zeros(SIZE * SIZE, bool)
    found[texels.index] = np.linalg.norm(texels.design - middle, axis=1) < radius
    return found.reshape(SIZE, SIZE)


def test_a_mark_on_the_cheek_is_found_and_a_fringe_is_left_out(model: OpenHead) -> None:
    code = model.mean_code()
    view = portrait_view(0.0, 0.0, 320, 1200.0)
    mark, fringe = around(model, 50, 4.0), around(model, 151, 16.0)
    logs = np.zeros((SIZE, SIZE, 3))
    logs[mark], logs[fringe] = -0.4, -1.3
    photo = drawn(model, replace(code, detail=SkinDetail.of_logarithms(logs)), view)
    at = model.landmarks468(model.vertices(code)).double() + load_correspondence().mediapipe468
    points = np.zeros((478, 2))
    points[:468] = project(at, view)[0, :, :2].numpy()
    points[468:] = points[[33, 33, 33, 33, 33, 263, 263, 263, 263, 263]]
    steps = (skin_detail(photo, points, model, code, view).steps.astype(float) - 128) * STEP
    assert steps[around(model, 50, 2.0)].mean() == pytest.approx(-0.4, abs=0.12)
    assert abs(steps[around(model, 280, 4.0)].mean()) < 0.06  # the other cheek
    assert abs(steps[around(model, 151, 8.0)].mean()) < 0.25
    outside = np.ones((SIZE, SIZE), bool)
    outside[60:420, 60:452] = False
    assert np.abs(steps[outside]).max() == 0
