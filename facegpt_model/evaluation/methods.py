"""The ways from a photo to a face that are evaluated, by the name given to `--quality`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

import torch
from PIL import Image

from facegpt_model.evaluation.dense_fit import dense_method
from facegpt_model.face import FaceEstimate
from facegpt_model.fitting.appearance_fit import fit_appearance
from facegpt_model.fitting.estimates import code_and_view
from facegpt_model.fitting.photo import expected_expression, fit_observation, fit_photo
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.vlm.looking import spoken_face
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint
from facegpt_model.vlm.tower import load_identity_prior

Method = Callable[[Image.Image], FaceEstimate]  # the largest face of a photo; NoFace


class UnknownQuality(ValueError):
    """A name of a method that does not exist."""


def landmarks_only(photo: Image.Image) -> FaceEstimate:
    """The Gauss-Newton fit of the detected landmarks, then skin and light; nothing refines the shape."""
    model = head()
    face = analyse(photo)[0]
    fit, _ = fit_observation(model, face, photo.size)
    code, view = code_and_view(model, fit)
    albedo, light = fit_appearance(photo, face.points478[:, :2].double().numpy(), model, code, view)
    return FaceEstimate(
        code=replace(code, albedo=albedo),
        view=replace(view, light=light),
        source="photo",
        model="landmark-fit@1",
    )


def by_fit(photo: Image.Image) -> FaceEstimate:
    """What `facegpt reconstruct` finds."""
    return fit_photo(photo).estimate


def by_fast_fit(photo: Image.Image) -> FaceEstimate:
    """What `facegpt reconstruct --fast` finds."""
    return fit_photo(photo, quality="fast").estimate


def by_tower(photo: Image.Image) -> FaceEstimate:
    """The learned tower's mean alone: shape without any fitting, expression from the blendshapes, no view."""
    model = head()
    face = analyse(photo)[0]
    mean, _ = load_identity_prior()(photo_tensor(photo)[None], face.points478[None], face.blendshapes[None])
    expected = expected_expression(model, face)
    code = replace(model.mean_code(), identity=mean, expression=torch.from_numpy(expected).float()[None])
    return FaceEstimate(code=code, view=None, source="photo", model="face-tower@1")


@lru_cache(maxsize=1)
def _speaker() -> FaceGPT:
    return load_checkpoint(SHIPPED_CHECKPOINT)


def spoken(photo: Image.Image) -> FaceEstimate:
    """The tower's mean through the language model's <FACE>, no fit, no view; BackendError without sight."""
    return spoken_face(_speaker(), photo)


QUALITIES: dict[str, Method] = {
    "default": by_fit,
    "fast": by_fast_fit,
    "tower": by_tower,
    "spoken": spoken,
}
LANDMARKS = "landmarks only"


def methods(qualities: Iterable[str]) -> dict[str, Method]:
    """The landmark fit, then these, or WAY=FOLDER of dense_fit.py; raises UnknownQuality."""
    chosen: dict[str, Method] = {LANDMARKS: landmarks_only}
    for name in qualities:
        if "=" in name:
            try:
                chosen[name] = dense_method(name, head())
            except (OSError, ValueError) as error:
                raise UnknownQuality(f"{name}: {error}") from error
            continue
        if name not in QUALITIES:
            raise UnknownQuality(f"no quality called {name!r}; known: {', '.join(QUALITIES)}")
        chosen[name] = QUALITIES[name]
    return chosen


def head() -> OpenHead:
    """The shipped head, the only one photographs are fitted with."""
    model = load()
    if not isinstance(model, OpenHead):
        raise TypeError("photographs are fitted with openhead@2 only")
    return model
