"""A photograph to a 3D face by optimisation: landmarks first, then skin and light."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode, FaceEstimate, View
from facegpt_model.fitting.appearance_fit import fit_appearance
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.landmark_fit import INNER, Camera, LandmarkFit, fit_landmarks, landmark_basis
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import FaceObservation, analyse
from facegpt_model.rendering.cameras import axis_angle_of
from facegpt_model.rendering.lighting import soft_light

METHOD = "landmark-fit@1"
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263

Progress = Callable[[str, float], None]  # what is being done, and the finished share of it, 0..1


@dataclass(frozen=True)
class PhotoFit:
    """One photo's largest face.

    estimate:    code and view; the view is of the whole photo
    observation: what perception saw
    nme_percent: mean distance of the 432 inner landmarks to the fit, percent of the distance
                 between the outer eye corners in the photo
    faces_seen:  how many faces the photo shows; the largest is the one fitted
    """

    estimate: FaceEstimate
    observation: FaceObservation
    nme_percent: float
    faces_seen: int
    seconds: float


def fit_photo(photo: Image.Image, on_progress: Progress | None = None, name: str = "the photo") -> PhotoFit:
    """Fit the largest face of an upright RGB photo; raises NoFace.

    The estimate's source is the digest of the file when the photo comes from `load_photo`, else
    of the pixels. name: how an error calls the photo.
    """
    started = time.perf_counter()
    report = on_progress or _silent
    report("looking for faces", 0.0)
    faces = analyse(photo, str(photo.info.get("file_name", name)))
    report("fitting the shape", 0.3)
    model = load("openhead@2")
    if not isinstance(model, OpenHead):
        raise TypeError("landmark-fit@1 knows the landmarks of openhead@2 only")
    fit, nme = fit_observation(model, faces[0], photo.size)
    code, view = code_and_view(model, fit)
    report("fitting skin and light", 0.7)
    points = faces[0].points478[:, :2].double().numpy()
    albedo, light = fit_appearance(photo, points, model, code, view)
    estimate = FaceEstimate(
        code=replace(code, albedo=albedo),
        view=replace(view, light=light),
        source=f"photo:{photo.info.get('file_sha256') or _digest(photo)}",
        model=METHOD,
    )
    report("done", 1.0)
    return PhotoFit(estimate, faces[0], nme, len(faces), time.perf_counter() - started)


def fit_observation(
    model: OpenHead, face: FaceObservation, size: tuple[int, int]
) -> tuple[LandmarkFit, float]:
    """Shape and camera of one observed face in a photo of (width, height), and its error in percent."""
    points = face.points478[:, :2].double().numpy()
    order = [face.blendshape_names.index(name) for name in model.expression_names]
    expected = load_correspondence().expression(face.blendshapes.double().numpy())[order]
    basis = landmark_basis(model)[INNER]
    fit = fit_landmarks(basis, points[INNER], expected, (size[1], size[0]))
    missed = np.linalg.norm(
        fit.camera.project(basis.points(fit.identity, fit.expression)) - points[INNER], axis=1
    )
    eyes = np.linalg.norm(points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER])
    return fit, float(missed.mean() / max(eyes, 1e-9) * 100)


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


def _digest(photo: Image.Image) -> str:
    return hashlib.sha256(repr(photo.size).encode() + photo.convert("RGB").tobytes()).hexdigest()


def _silent(what: str, share: float) -> None:
    """Report nothing."""
