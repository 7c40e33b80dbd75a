"""Photographs to a 3D face: a learned prior, the landmarks, then the colours that the skin shows.

"fast" stops after the landmarks, coloured; "default" goes on to fit shape, expression, pose,
skin and light to the picture itself.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode, FaceEstimate, View
from facegpt_model.fitting.appearance_fit import finish_appearance, fit_appearance
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.estimates import camera_of, code_and_view
from facegpt_model.fitting.evidence import PhotoEvidence, PhotoState
from facegpt_model.fitting.joint_fit import JointFit, Person, fit_jointly
from facegpt_model.fitting.landmark_fit import (
    INNER,
    Array,
    Belief,
    LandmarkFit,
    fit_landmarks,
    landmark_basis,
)
from facegpt_model.fitting.photo_skin import skin_detail
from facegpt_model.fitting.settle import settled
from facegpt_model.fitting.spread import spread_of_parts
from facegpt_model.fitting.worn import SeenWorn, as_one_person, put_on, see_worn
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import FaceObservation, analyse
from facegpt_model.perception.person_mask import person_mask
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.vlm.frozen import FrozenFeatures, see
from facegpt_model.vlm.tower import load_identity_prior
from facegpt_model.wearing.readouts import Worn

Quality = Literal["fast", "default"]
METHODS: dict[Quality, str] = {"fast": "landmark-fit@3", "default": "photometric-fit@2"}
PRIOR_DOUBT: dict[Quality, float] = {  # of the deviations that the learned prior gives, which are
    "fast": 0.35,  # too large; landmarks alone are drawn towards a mean face and deserve less belief
    "default": 0.5,
}
FAST_LOOSENESS = 0.5  # of the prior's deviations, by which landmarks may move the identity at the end
QUICK_VERTICES = 500  # looked at for first colours
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
    seconds:     processor time, detection included; of several photos together, each its share
    worn:        what the photo shows of hair, beard, glasses, age; None if that was not asked for
    """

    estimate: FaceEstimate
    observation: FaceObservation
    nme_percent: float
    faces_seen: int
    seconds: float
    worn: Worn | None = None


@dataclass(frozen=True)
class _Shot:
    """One photo with its largest face and what the landmarks say of it."""

    photo: Image.Image
    face: FaceObservation
    faces_seen: int
    points: Array
    expected: Array
    belief: Belief
    fit: LandmarkFit
    worn: SeenWorn | None = None


def fit_photo(
    photo: Image.Image,
    on_progress: Progress | None = None,
    name: str = "the photo",
    quality: Quality = "default",
    with_detail: bool = True,
    with_worn: bool = True,
) -> PhotoFit:
    """Fit the largest face of an upright RGB photo; raises NoFace.

    The estimate's source is the digest of the file when the photo comes from `load_photo`, else
    of the pixels. name: how an error calls the photo; with_detail, with_worn: see fit_person.
    """
    return fit_person([photo], on_progress, [name], quality, with_detail, with_worn)[0]


def fit_person(
    photos: Sequence[Image.Image],
    on_progress: Progress | None = None,
    names: Sequence[str] = (),
    quality: Quality = "default",
    with_detail: bool = True,
    with_worn: bool = True,
) -> list[PhotoFit]:
    """Fit one person in all photos: one identity and skin, per photo its expression and view.

    Raises NoFace, naming the photo. The estimates are in the order of the photos. "fast" shares
    the mean of what the landmarks of each photo say.
    with_detail: keep what the photo shows of the skin beyond albedo ("default" only).
    with_worn: put on each face what its photo shows of hair, beard and glasses, and leave those
    pixels out of the evidence.
    """
    started = time.process_time()
    report = on_progress or _silent
    model = load("openhead@2")
    if not isinstance(model, OpenHead):
        raise TypeError("photos are fitted with the landmarks of openhead@2 only")
    shots = []
    for k, photo in enumerate(photos):
        report("looking for faces", 0.3 * k / len(photos))
        name = names[k] if k < len(names) else f"photo {k + 1}"
        shots.append(_observe(model, photo, name, quality, with_worn))
    if len(shots) > 1 and with_worn:
        together = as_one_person([shot.worn for shot in shots if shot.worn is not None])
        shots = [replace(shot, worn=one) for shot, one in zip(shots, together, strict=True)]
    if len(shots) > 1:
        shots = _with_one_identity(model, shots)
    if quality == "fast":
        shots = [_settled(model, shot, FAST_LOOSENESS if len(shots) == 1 else 0.0) for shot in shots]
    report("fitting skin and light", 0.3)
    coloured = [_coloured(model, shot) for shot in shots]
    spread: dict[str, float] | None = None
    deviation: Tensor | None = None
    if quality == "default":
        report("fitting shape to the picture", 0.5)
        covers = [_cover(shot) for shot in shots]
        joint = _refined(model, shots, coloured, covers)
        coloured = [_finished(model, shot, joint, k) for k, shot in enumerate(shots)]
        if with_detail:
            report("reading the skin", 0.9)
            coloured = [
                (_detailed(model, shot, *looks, cover), looks[1])
                for shot, looks, cover in zip(shots, coloured, covers, strict=True)
            ]
        spread = spread_of_parts(model, joint.covariance)
        deviation = torch.from_numpy(np.sqrt(np.diag(joint.covariance))).float()[None]
    coloured = [
        (_dressed(model, shot, code), view) for shot, (code, view) in zip(shots, coloured, strict=True)
    ]
    report("done", 1.0)
    seconds = (time.process_time() - started) / len(shots)
    source = "photo:" + "+".join(shot.photo.info.get("file_sha256") or _digest(shot.photo) for shot in shots)
    return [
        PhotoFit(
            FaceEstimate(code, view, source, METHODS[quality], spread=deviation, spread_mm=spread),
            shot.face,
            landmark_error(model, shot.points, code, view),
            shot.faces_seen,
            seconds,
            None if shot.worn is None else shot.worn.worn,
        )
        for shot, (code, view) in zip(shots, coloured, strict=True)
    ]


def fit_observation(
    model: OpenHead, face: FaceObservation, size: tuple[int, int], belief: Belief | None = None
) -> tuple[LandmarkFit, float]:
    """Shape and camera of one observed face in a photo of (width, height), and its error in percent."""
    points = face.points478[:, :2].double().numpy()
    basis = landmark_basis(model)[INNER]
    expected = expected_expression(model, face)
    fit = fit_landmarks(basis, points[INNER], expected, (size[1], size[0]), belief=belief)
    found = fit.camera.project(basis.points(fit.identity, fit.expression))
    return fit, _percent(found, points)


def expected_expression(model: OpenHead, face: FaceObservation) -> Array:
    """(E,) blend weights that the detected blendshapes mean."""
    order = [face.blendshape_names.index(name) for name in model.expression_names]
    return load_correspondence().expression(face.blendshapes.double().numpy())[order]


def learned_belief(
    photo: Image.Image, face: FaceObservation, doubt: float, seen: FrozenFeatures | None = None
) -> Belief:
    """What frozen face nets say of the identity (vlm/tower.py); doubt scales its deviations."""
    mean, deviation = load_identity_prior()(
        photo_tensor(photo)[None], face.points478[None], face.blendshapes[None], seen
    )
    return Belief(mean[0].double().numpy(), doubt * deviation[0].double().numpy())


def landmark_error(model: OpenHead, points: Array, code: FaceCode, view: View) -> float:
    """Mean distance of the 432 inner landmarks, percent of that between the outer eye corners."""
    basis = landmark_basis(model)[INNER]
    shape = basis.points(code.identity[0].double().numpy(), code.expression[0].double().numpy())
    return _percent(camera_of(view).project(shape), points)


def _percent(found: Array, points: Array) -> float:
    missed = np.linalg.norm(found - points[INNER], axis=1)
    eyes = np.linalg.norm(points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER])
    return float(missed.mean() / max(eyes, 1e-9) * 100)


def _observe(model: OpenHead, photo: Image.Image, name: str, quality: Quality, with_worn: bool) -> _Shot:
    faces = analyse(photo, str(photo.info.get("file_name", name)))
    with torch.no_grad():
        seen = see(photo_tensor(photo)[None], faces[0].points478[None], faces[0].blendshapes[None])
    belief = learned_belief(photo, faces[0], PRIOR_DOUBT[quality], seen)
    worn = see_worn(photo, faces[0], seen) if with_worn else None
    fit, _ = fit_observation(model, faces[0], photo.size, belief)
    points = faces[0].points478[:, :2].double().numpy()
    expected = expected_expression(model, faces[0])
    return _Shot(photo, faces[0], len(faces), points, expected, belief, fit, worn)


def _with_one_identity(model: OpenHead, shots: Sequence[_Shot]) -> list[_Shot]:
    """The mean identity for all, with the poses and expressions that go with it."""
    mean = np.mean([shot.fit.identity for shot in shots], axis=0)
    held = Belief(mean, np.full(len(mean), 1e-3))
    fits = [fit_observation(model, s.face, s.photo.size, held)[0] for s in shots]
    return [replace(s, fit=replace(fit, identity=mean)) for s, fit in zip(shots, fits, strict=True)]


def _settled(model: OpenHead, shot: _Shot, looseness: float) -> _Shot:
    fit = settled(landmark_basis(model), shot.points, shot.fit, looseness * shot.belief.deviation)
    return replace(shot, fit=fit)


def _detailed(model: OpenHead, shot: _Shot, code: FaceCode, view: View, cover: Tensor) -> FaceCode:
    return replace(code, detail=skin_detail(shot.photo, shot.points, model, code, view, cover))


def _coloured(model: OpenHead, shot: _Shot) -> tuple[FaceCode, View]:
    code, view = code_and_view(model, shot.fit)
    albedo, light = fit_appearance(shot.photo, shot.points, model, code, view, most=QUICK_VERTICES)
    return replace(code, albedo=albedo), replace(view, light=light)


@torch.no_grad()
def _refined(
    model: OpenHead,
    shots: Sequence[_Shot],
    coloured: Sequence[tuple[FaceCode, View]],
    covers: Sequence[Tensor],
) -> JointFit:
    evidence, states = [], []
    albedo = torch.stack([code.albedo[0] for code, _ in coloured]).mean(dim=0).double()
    for shot, (_, view), cover in zip(shots, coloured, covers, strict=True):
        evidence.append(PhotoEvidence(shot.photo, shot.points, shot.expected, model, cover))
        states.append(PhotoState.begin(shot.fit, view.light[0]))
    start = Person(shots[0].fit.identity, albedo, tuple(states))
    belief = Belief(
        np.mean([shot.belief.mean for shot in shots], axis=0),
        np.mean([shot.belief.deviation for shot in shots], axis=0),
    )
    return fit_jointly(evidence, start, belief)


def _finished(model: OpenHead, shot: _Shot, joint: JointFit, index: int) -> tuple[FaceCode, View]:
    """One photo's code and view after the joint fit, with brows, irises and hair coloured."""
    person, state = joint.person, joint.person.photos[index]
    fit = LandmarkFit(person.identity, state.expression, state.camera)
    fit = settled(landmark_basis(model), shot.points, fit, np.zeros_like(person.identity))
    code, view = code_and_view(model, fit)
    light = joint.problems[index].light(person.colour(index)).float()[None]
    code, view = replace(code, albedo=person.albedo[None].float()), replace(view, light=light)
    albedo, light = finish_appearance(shot.photo, shot.points, model, code, view)
    return replace(code, albedo=albedo), replace(view, light=light)


def _cover(shot: _Shot) -> Tensor:
    """(H, W) in 0..1: how surely a pixel is the person and nothing worn on the face."""
    person = person_mask(photo_tensor(shot.photo)[None])[0, 0]
    return person if shot.worn is None else person * (1 - shot.worn.mask())


def _dressed(model: OpenHead, shot: _Shot, code: FaceCode) -> FaceCode:
    return code if shot.worn is None else put_on(model, code, shot.worn)


def _digest(photo: Image.Image) -> str:
    return hashlib.sha256(repr(photo.size).encode() + photo.convert("RGB").tobytes()).hexdigest()


def _silent(what: str, share: float) -> None:
    """Report nothing."""
