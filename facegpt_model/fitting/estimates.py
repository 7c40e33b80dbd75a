"""Fits in numpy as the types of the house: codes and views in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.landmark_fit import Camera, LandmarkFit
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import axis_angle_of, rotation_matrix
from facegpt_model.rendering.lighting import soft_light


def code_and_view(model: OpenHead, fit: LandmarkFit) -> tuple[FaceCode, View]:
    """A fit as the types of the house: mean albedo, default light."""
    code = FaceCode(
        identity=_row(fit.identity),
        expression=_row(fit.expression),
        albedo=torch.zeros(1, model.layout.albedo),
        basis=model.basis,
    )
    return code, view_of(fit.camera)


def view_of(camera: Camera) -> View:
    """A View under the default light."""
    return View(
        rotation=axis_angle_of(torch.from_numpy(camera.rotation)[None]).float(),
        translation=_row(camera.translation),
        focal=torch.tensor([camera.focal], dtype=torch.float32),
        light=soft_light(1),
        image_size=camera.image_size,
    )


def _row(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))[None]


def camera_of(view: View) -> Camera:
    """The Camera of a View of one face."""
    return Camera(
        rotation_matrix(view.rotation.double())[0].numpy(),
        view.translation[0].double().numpy(),
        float(view.focal[0]),
        view.image_size,
    )
