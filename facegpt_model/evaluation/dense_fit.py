"""Landmark fits to the points of a dense-landmark net, to be compared with the ways that ship.

`--quality points=FOLDER` fits the points of the net that `facegpt train landmarks` wrote to FOLDER, as
"landmarks only" fits those detected; `points+prior=FOLDER` adds the learned prior;
`points+skin=FOLDER` is the default fit with these points in the place of detected landmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from facegpt_model.face import FaceCode, FaceEstimate, View
from facegpt_model.fitting.appearance_fit import finish_appearance, fit_appearance
from facegpt_model.fitting.dense_marks import dense_marks, see_points
from facegpt_model.fitting.estimates import code_and_view
from facegpt_model.fitting.evidence import Marks, PhotoEvidence, PhotoState
from facegpt_model.fitting.joint_fit import Person, fit_jointly
from facegpt_model.fitting.landmark_fit import Belief, LandmarkFit, fit_landmarks
from facegpt_model.fitting.photo import PRIOR_DOUBT, expected_expression, fit_observation, learned_belief
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.person_mask import person_mask
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.vlm.dense_points import DensePointNet, read_dense_points

ALONE, BESIDE_PRIOR = 4.0, 8.0  # times the doubts of points: they err together, and as the prior does
WAYS = ("points", "points+prior", "points+skin")


def dense_method(name: str, head: OpenHead) -> Callable[[Image.Image], FaceEstimate]:
    """The way WAY=FOLDER; raises ValueError for another way, OSError for a folder without a net."""
    way, _, folder = name.partition("=")
    if way not in WAYS:
        raise ValueError(f"no way called {way!r}; known: {', '.join(f'{known}=FOLDER' for known in WAYS)}")
    return partial(_estimate, head, read_dense_points(Path(folder)), way)


def _estimate(head: OpenHead, net: DensePointNet, way: str, photo: Image.Image) -> FaceEstimate:
    face = analyse(photo)[0]
    landmarks = face.points478[:, :2].double().numpy()
    expected = expected_expression(head, face)
    if way == "points":
        belief, together = Belief.of_nobody(head.layout.identity), ALONE
    else:
        belief, together = learned_belief(photo, face, PRIOR_DOUBT["default"]), BESIDE_PRIOR
    fit, _ = fit_observation(head, face, photo.size, belief)
    points = see_points(net, head, photo, face)
    for _ in range(2):  # the jaw line slides with the pose
        marks = dense_marks(net, head, points, fit, together)
        size = (photo.height, photo.width)
        fit = fit_landmarks(marks.basis, marks.points, expected, size, fit, marks.sigma_mm, belief)
    code, view = code_and_view(head, fit)
    albedo, light = fit_appearance(photo, landmarks, head, code, view)
    code, view = replace(code, albedo=albedo), replace(view, light=light)
    if way == "points+skin":
        code, view = _with_skin(head, photo, landmarks, expected, fit, marks, belief, code, view)
    return FaceEstimate(code, view, source="photo", model="dense-points@1")


@torch.no_grad()
def _with_skin(
    head: OpenHead,
    photo: Image.Image,
    landmarks: np.ndarray,
    expected: np.ndarray,
    fit: LandmarkFit,
    marks: Marks,
    belief: Belief,
    code: FaceCode,
    view: View,
) -> tuple[FaceCode, View]:
    """The shape fitted to points and to the colours of the skin together."""
    cover = person_mask(photo_tensor(photo)[None])[0, 0]
    evidence = PhotoEvidence(photo, landmarks, expected, head, cover, marks)
    state = PhotoState.begin(fit, view.light[0])
    joint = fit_jointly([evidence], Person(fit.identity, code.albedo[0].double(), (state,)), belief)
    person, last = joint.person, joint.person.photos[0]
    code, view = code_and_view(head, LandmarkFit(person.identity, last.expression, last.camera))
    light = joint.problems[0].light(person.colour(0)).float()[None]
    code, view = replace(code, albedo=person.albedo[None].float()), replace(view, light=light)
    albedo, light = finish_appearance(photo, landmarks, head, code, view)
    return replace(code, albedo=albedo), replace(view, light=light)
