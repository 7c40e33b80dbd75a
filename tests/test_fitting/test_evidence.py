"""Slopes of the colours against finite differences; a known head found again by its shading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from facegpt_model.fitting.estimates import camera_of
from facegpt_model.fitting.evidence import Marks, PhotoEvidence, PhotoState, blurred
from facegpt_model.fitting.joint_fit import Person, fit_jointly
from facegpt_model.fitting.landmark_fit import INNER, Belief, LandmarkFit, landmark_basis, moved
from facegpt_model.fitting.shading_rows import rings_of, shading_rows
from facegpt_model.fitting.spread import spread_of_parts
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.lighting import ambient_light, directional_light
from facegpt_model.rendering.topology import vertex_normals


@pytest.fixture(scope="module")
def model() -> OpenHead:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    return head


def test_rows_are_the_slopes_of_normals_and_places(model: OpenHead) -> None:
    rings = rings_of(model.triangles.numpy(), len(model.mean))
    draw = np.random.default_rng(0)
    vertex = np.flatnonzero(rings.closed)[::60]
    by_normal, by_place = draw.normal(size=(2, len(vertex), 2, 3))
    directions = model.identity_basis[:4].permute(1, 2, 0).contiguous().numpy()
    mean = model.mean.double().numpy()
    rows = shading_rows(mean, directions, rings, vertex, by_normal, by_place)

    def values(vertices: np.ndarray) -> np.ndarray:
        normals = vertex_normals(torch.from_numpy(vertices)[None], model.triangles)[0].numpy()[vertex]
        return np.einsum("sck,sk->sc", by_normal, normals) + np.einsum(
            "sck,sk->sc", by_place, vertices[vertex]
        )

    for d in range(4):
        step = 1e-4 * directions[:, :, d].astype(np.float64)
        slope = (values(mean + step) - values(mean - step)) / 2e-4
        np.testing.assert_allclose(rows[:, :, d], slope, atol=1e-3 * np.abs(slope).max())


def test_an_open_border_has_no_ring() -> None:
    rings = rings_of(np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]]), 4)
    assert rings.closed.tolist() == [True, False, False, False]


@pytest.fixture(scope="module")
def known(model: OpenHead) -> tuple[PhotoEvidence, Person, torch.Tensor]:
    """A drawn head of one colour, exact landmarks, and its true person."""
    code = replace(
        model.mean_code(), identity=0.8 * model.sample_identity(1, torch.Generator().manual_seed(3))
    )
    lamp = ambient_light((0.35, 0.35, 0.35)) + directional_light((-0.6, 0.4, 0.7), (0.5, 0.5, 0.5))
    view = replace(portrait_view(12.0, -4.0, size=256), light=lamp.float()[None])
    with torch.no_grad():
        linear = render(model.vertices(code), model.triangles, model.albedo(code), view).image[0]
    pixels = linear.clamp(0, 1).pow(1 / 2.2).permute(1, 2, 0).numpy()
    photo = Image.fromarray((pixels * 255).round().astype(np.uint8))
    camera = camera_of(view)
    basis = landmark_basis(model, corrected=True)
    marks = basis.points(code.identity[0].double().numpy(), np.zeros(52))
    points = np.concatenate([camera.project(marks), np.zeros((10, 2))])
    points[468:] = points[[33] * 5 + [263] * 5]
    exact = Marks(landmark_basis(model)[INNER], points[INNER], 2.0)  # mm; a detector's are worse
    evidence = PhotoEvidence(photo, points, np.zeros(52), model, marks=exact)
    fit = LandmarkFit(code.identity[0].double().numpy(), np.zeros(52), camera)
    state = PhotoState.begin(fit, view.light[0])
    return evidence, Person(fit.identity, code.albedo[0].double(), (state,)), code.identity[0]


@pytest.mark.parametrize(
    ("unknown", "step"), [(0, 1e-3), (1, 1e-3), (2, 1e-3), (3, 0.1), (5, 1e-3), (6, 0.02), (9, 0.02)]
)
def test_rows_of_a_photo_match_finite_differences(
    known: tuple[PhotoEvidence, Person, torch.Tensor], unknown: int, step: float
) -> None:
    evidence, person, _ = known
    identity, state, colour = person.identity + 0.3, person.photos[0], person.colour(0)
    sight = evidence.look(identity, state, 2.0)
    rows = evidence.geometry_rows(sight, state, colour, sight.problem.residual(colour))[:, :, unknown]

    def residual(by: float) -> np.ndarray:
        moves = np.zeros(156)
        moves[unknown] = by
        there = replace(state, camera=moved(state.camera, moves[:6]))
        problem = evidence.look(identity + moves[6:], there, 2.0, sight).problem
        return np.asarray(problem.residual(colour).numpy())

    wanted = -(residual(step) - residual(-step)) / (2 * step)
    assert np.corrcoef(rows.ravel(), wanted.ravel())[0, 1] > 0.98
    assert (rows * wanted).sum() / (rows**2).sum() == pytest.approx(1, abs=0.05)


def test_shading_finds_the_person_whom_landmarks_start(
    known: tuple[PhotoEvidence, Person, torch.Tensor], model: OpenHead
) -> None:
    evidence, person, truth = known
    start = replace(person, identity=np.zeros(150))
    found = fit_jointly([evidence], start, Belief.of_nobody(150))
    error = np.linalg.norm(found.person.identity - truth.double().numpy())
    assert error < 0.75 * np.linalg.norm(truth.double().numpy())
    spread = spread_of_parts(model, found.covariance)
    assert 0 < spread["nose"] < spread_of_parts(model, np.eye(150))["nose"]


def test_two_photos_say_more_than_one(known: tuple[PhotoEvidence, Person, torch.Tensor]) -> None:
    evidence, person, _ = known
    one = fit_jointly([evidence], person, Belief.of_nobody(150))
    two = fit_jointly([evidence, evidence], replace(person, photos=person.photos * 2), Belief.of_nobody(150))
    assert np.trace(two.covariance) < 0.95 * np.trace(one.covariance)


def test_blur_keeps_the_mean_and_the_border() -> None:
    flat = np.full((20, 30, 2), 0.3)
    np.testing.assert_allclose(blurred(flat, 1.5), flat)
    spot = np.zeros((31, 31, 1))
    spot[15, 15] = 1
    soft = blurred(spot, 2.0)
    assert soft.sum() == pytest.approx(1) and soft.max() < 0.05
