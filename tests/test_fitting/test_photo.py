"""Photo to face: the example portrait, several faces, none, and known colours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import facegpt_model
from facegpt_model.face import FaceCode, View
from facegpt_model.fitting.appearance_fit import fit_appearance, shape_precision
from facegpt_model.fitting.colour_samples import linear_rgb, sample_colours
from facegpt_model.fitting.correspondence import FILE
from facegpt_model.fitting.estimates import code_and_view
from facegpt_model.fitting.photo import PhotoFit, fit_observation, fit_person, fit_photo
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception import NoFace, load_photo
from facegpt_model.perception.analyse import analyse
from facegpt_model.rendering.cameras import project
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.lighting import Y0, ambient_light, directional_light

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def model() -> OpenHead:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    return head


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return load_photo(PORTRAIT)


@pytest.fixture(scope="module")
def fitted(portrait: Image.Image) -> PhotoFit:
    return fit_photo(portrait)


def view(fit: PhotoFit) -> View:
    assert fit.estimate.view is not None
    return fit.estimate.view


def test_the_example_portrait_is_fitted_and_says_where_it_came_from(
    fitted: PhotoFit, portrait: Image.Image
) -> None:
    assert fitted.nme_percent < 1.5
    assert fitted.faces_seen == 1
    assert fitted.estimate.model == "photometric-fit@2"
    assert fitted.estimate.source == "photo:" + hashlib.sha256(PORTRAIT.read_bytes()).hexdigest()
    assert fitted.estimate.code.basis == "openhead@2"
    assert view(fitted).image_size == (portrait.height, portrait.width)
    for part in (fitted.estimate.code.identity, fitted.estimate.code.albedo, view(fitted).light):
        assert torch.isfinite(part).all()
    assert fitted.estimate.code.albedo.abs().max() <= 2.5


def test_the_models_own_landmarks_lie_on_the_photo(fitted: PhotoFit, model: OpenHead) -> None:
    points = project(model.landmarks68(model.vertices(fitted.estimate.code)), view(fitted))[0, :, :2]
    seen = fitted.observation.points478[:, :2]
    eyes = (seen[33] - seen[263]).norm()
    for own, mesh in ((36, 33), (45, 263), (30, 1), (48, 61), (54, 291), (8, 152)):
        assert (points[own] - seen[mesh]).norm() < 0.1 * eyes, own


def test_fitting_twice_gives_the_same_face(fitted: PhotoFit, portrait: Image.Image) -> None:
    again = fit_photo(portrait)
    torch.testing.assert_close(again.estimate.code.identity, fitted.estimate.code.identity)
    torch.testing.assert_close(view(again).light, view(fitted).light)


def test_progress_rises_to_one(portrait: Image.Image) -> None:
    heard: list[float] = []
    fit_photo(portrait, lambda what, share: heard.append(share))
    assert heard == sorted(heard) and heard[-1] == 1.0 and len(heard) >= 3


def test_the_fast_way_keeps_to_the_landmarks(portrait: Image.Image, fitted: PhotoFit) -> None:
    fast = fit_photo(portrait, quality="fast")
    assert fast.estimate.model == "landmark-fit@3" and fast.estimate.spread_mm is None
    assert fast.nme_percent < 0.8 and fast.nme_percent < fitted.nme_percent


def test_every_part_has_a_likely_error(fitted: PhotoFit) -> None:
    spread = fitted.estimate.spread_mm
    assert spread is not None and set(spread) == {"brows", "eyes", "nose", "mouth", "jaw", "whole"}
    assert all(0.2 < mm < 6 for mm in spread.values())
    assert spread["nose"] < spread["jaw"]  # the jaw line has no landmarks
    assert fitted.estimate.spread is not None and fitted.estimate.spread.shape == (1, 150)
    assert (fitted.estimate.spread < 1).all()  # the prior's own deviation


def test_two_photos_of_one_person_share_the_shape(portrait: Image.Image, model: OpenHead) -> None:
    darker = portrait.point(lambda value: int(value * 0.8)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    one, two = fit_person([portrait, darker])
    assert torch.equal(one.estimate.code.identity, two.estimate.code.identity)
    assert not torch.equal(one.estimate.code.expression, two.estimate.code.expression)
    assert max(one.nme_percent, two.nme_percent) < 2.0
    assert view(one).light[0, 0].mean() > view(two).light[0, 0].mean()


def test_the_largest_of_two_faces_is_fitted(portrait: Image.Image) -> None:
    scene = Image.new("RGB", (620, 300), (100, 120, 140))
    scene.paste(portrait.resize((150, 150)), (20, 100))
    scene.paste(portrait, (340, 20))
    fit = fit_photo(scene)
    assert fit.faces_seen == 2
    assert fit.nme_percent < 1.5
    nose = project(torch.zeros(1, 1, 3), view(fit))[0, 0]
    assert 400 < float(nose[0]) < 560
    assert fit.estimate.source.startswith("photo:") and len(fit.estimate.source) == 6 + 64


def test_a_picture_on_its_side_gives_the_same_person(
    portrait: Image.Image, fitted: PhotoFit, model: OpenHead
) -> None:
    lying = fit_photo(portrait.transpose(Image.Transpose.ROTATE_270))
    one, other = (model.landmarks468(model.vertices(f.estimate.code.neutral()))[0] for f in (lying, fitted))
    assert (one - other).norm(dim=1).mean() < 1.0  # mm


def test_no_face_names_the_file(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), (90, 130, 90)).save(tmp_path / "meadow.png")
    with pytest.raises(NoFace, match=r"meadow\.png"):
        fit_photo(load_photo(tmp_path / "meadow.png"))


def drawn(model: OpenHead, code: FaceCode, where: View) -> Image.Image:
    """An sRGB picture of the coloured mesh."""
    with torch.no_grad():
        picture = render(model.vertices(code), model.triangles, model.albedo(code), where).image[0]
    linear = picture.clamp(0, 1).permute(1, 2, 0).numpy()
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Image.fromarray((srgb * 255).round().astype(np.uint8))


@pytest.mark.parametrize("melanin", [-1.5, 1.8])
def test_known_skin_and_light_are_recovered(portrait: Image.Image, model: OpenHead, melanin: float) -> None:
    face = analyse(portrait)[0]
    fit, _ = fit_observation(model, face, portrait.size)
    code, where = code_and_view(model, fit)
    albedo = torch.zeros_like(code.albedo)
    albedo[0, model.albedo_names.index("melanin")] = melanin
    known = replace(code, albedo=albedo)
    lamp = ambient_light((0.4, 0.4, 0.4)) + directional_light((-0.5, 0.4, 0.8), (0.5, 0.5, 0.5))
    known_view = replace(where, light=lamp.float()[None])
    photo = drawn(model, known, known_view)
    found, light = fit_appearance(photo, face.points478[:, :2].double().numpy(), model, code, where)
    assert found[0, model.albedo_names.index("melanin")] == pytest.approx(
        melanin, abs=0.9
    )  # the prior draws towards 0
    again = drawn(model, replace(code, albedo=found), replace(where, light=light))
    face_box = tuple(round(v) for v in face.box)
    differences = np.abs(np.asarray(photo.crop(face_box), float) - np.asarray(again.crop(face_box), float))
    assert np.median(differences) < 8  # of 255
    left, right = (
        light[0].T @ torch.tensor([Y0, 0, 0, 0.488603 * s, 0, 0, -0.315392, 0, 0.546274]) for s in (-1, 1)
    )
    assert (left > right).all()  # the lamp stands at image left


def test_samples_come_from_seen_skin_only(portrait: Image.Image, model: OpenHead) -> None:
    face = analyse(portrait)[0]
    fit, _ = fit_observation(model, face, portrait.size)
    code, where = code_and_view(model, fit)
    samples = sample_colours(portrait, face.points478[:, :2].double().numpy(), model, code, where)
    names = np.array(model.region_names)[model.region_weights[samples.vertex].argmax(dim=1)]
    assert set(names) <= {"skin", "mottle", "flush", "socket", "lips", "beard"}
    assert samples.features == ("brow", "iris", "scalp")
    brow, iris, hair = samples.colour[-3:].sum(dim=1)
    skin = samples.colour[: len(samples.vertex)].sum(dim=1).median()
    assert brow < 0.5 * skin and hair < 0.3 * skin and iris < 0.5 * skin  # dark brows and hair


def test_colour_conversion_and_prior_shapes() -> None:
    np.testing.assert_allclose(linear_rgb(np.array([0.0, 0.5, 1.0])), [0.0, 0.21404, 1.0], atol=1e-5)
    precision = shape_precision(torch.tensor([Y0, 0, 0.3, 0, 0, 0, 0.1, 0, 0]).double())
    assert precision.shape == (27, 27)
    assert torch.linalg.eigvalsh(precision).min() > 0


def test_shipped_offsets_tell_their_sources() -> None:
    about = json.loads(FILE.with_suffix(".json").read_text())
    assert sum(about["portraits"].values()) >= 300
    assert all("CC" in source for source in about["portraits"])
