"""What is painted on skin: places by words, round moles, scars, brows, folds, and nothing for zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.irises import iris_tones
from facegpt_model.appearance.painted import PaintedSkin, painted
from facegpt_model.appearance.parameters import Appearance, Brows, Mole, Scar
from facegpt_model.appearance.places import place
from facegpt_model.appearance.texels import Texels, texels_of
from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead

SIZE = 512


@pytest.fixture(scope="module")
def model() -> OpenHead:
    return OpenHead()


@pytest.fixture(scope="module")
def texels(model: OpenHead) -> Texels:
    return texels_of(model, model.mean.numpy(), SIZE)


@pytest.fixture(scope="module")
def bare(model: OpenHead) -> PaintedSkin:
    return painted(model, model.mean_code(), SIZE)


def skin(model: OpenHead, appearance: Appearance, **albedo: float) -> PaintedSkin:
    code = replace(model.mean_code(), appearance=appearance.row())
    for name, value in albedo.items():
        code.albedo[0, model.albedo_names.index(name.replace("_", " "))] = value
    return painted(model, code, SIZE)


def changed(one: PaintedSkin, other: PaintedSkin, texels: Texels) -> NDArray[np.bool_]:
    """(F,) which texels of the outer skin differ visibly."""
    difference = np.abs(one.colour - other.colour).max(axis=2).ravel()
    return np.asarray(difference[texels.index] > 0.02)


def test_places_are_shares_of_any_face(model: OpenHead) -> None:
    people = model.sample_identity(20, torch.Generator().manual_seed(4))
    for identity in people:
        vertices = model.vertices(replace(model.mean_code(), identity=identity[None]))
        points = model.landmarks68(vertices)[0].numpy()
        head = vertices[0].numpy()
        tip, chin = place(model, head, 0, 0).point, place(model, head, 0, -1).point
        assert abs(tip[1] - points[30, 1]) < 0.1 and abs(chin[1] - points[8, 1]) < 0.1
        left, right = place(model, head, 1, 0.3), place(model, head, -1, 0.3)
        assert abs(left.point[0] - points[45, 0]) < 0.1, "positive across is the person's left"
        assert abs(right.point[0] - points[36, 0]) < 0.1
        assert place(model, head, 0, 1).point[1] > points[17:27, 1].max() + 25, "1 is at the hairline"
        assert left.normal[2] > 0.2 and abs(np.linalg.norm(left.normal) - 1) < 1e-6


def test_a_mole_is_round_in_space_and_as_large_as_it_says(
    model: OpenHead, bare: PaintedSkin, texels: Texels
) -> None:
    mole = Mole(size=1, across=0.7, up=-0.2)
    spot = place(model, model.mean.numpy(), mole.across, mole.up)
    marked = changed(skin(model, Appearance(mole=mole)), bare, texels)
    from_middle = texels.on(model.mean.numpy())[marked] - spot.point
    assert np.linalg.norm(from_middle.mean(axis=0)) < 0.8
    wide, high = np.ptp(from_middle[:, 0]), np.ptp(from_middle[:, 1])
    assert 5.5 < high < 9 and 0.6 < wide / high < 1.3
    second = changed(skin(model, Appearance(second_mole=mole)), bare, texels)
    assert np.array_equal(second, marked)


def test_a_scar_has_place_length_and_lean(model: OpenHead, bare: PaintedSkin, texels: Texels) -> None:
    def marked(scar: Scar) -> NDArray[np.float32]:
        return texels.design[changed(skin(model, Appearance(scar=scar)), bare, texels)]

    short, long = (marked(Scar(1, -0.7, 0.8, length, 0)) for length in (0.1, 0.5))
    assert np.ptp(long[:, 1]) > np.ptp(short[:, 1]) + 12, "longer"
    assert (long[:, 0] < 0).all(), "on the person's right"
    assert np.ptp(long[:, 1]) > 2 * np.ptp(long[:, 0]), "upright without tilt"
    leaning = marked(Scar(1, 0.0, 0.8, 0.5, 0.5))
    assert np.corrcoef(leaning[:, 0], leaning[:, 1])[0, 1] > 0.5, "its upper end towards the person's left"


def test_monobrow_and_arch_move_hair(model: OpenHead, bare: PaintedSkin, texels: Texels) -> None:
    def hair(appearance: Appearance, **albedo: float) -> NDArray[np.float64]:
        image = skin(model, appearance, **albedo).colour.reshape(-1, 3)[texels.index].mean(axis=1)
        shaved = skin(model, appearance, brow_darkness=-6, brow_thickness=-6)
        plain = shaved.colour.reshape(-1, 3)[texels.index].mean(axis=1)
        return np.asarray(np.clip(plain - image, 0, 1), np.float64)

    x, y = np.abs(texels.design[:, 0]), texels.design[:, 1]
    brows = (y > 35) & (y < 62) & (texels.facing > 0.1)
    usual, joined = hair(Appearance()), hair(Appearance(brows=Brows(meeting=1)))
    middle = brows & (x < 6)
    assert joined[middle].sum() > 4 * usual[middle].sum() + 1
    arched = hair(Appearance(brows=Brows(arch=1)))
    peak = brows & (x > 32) & (x < 44)
    rise = (arched * y)[peak].sum() / arched[peak].sum() - (usual * y)[peak].sum() / usual[peak].sum()
    assert 1.5 < rise < 5
    bushy = hair(Appearance(), brow_thickness=2.5, brow_darkness=2)
    plucked = hair(Appearance(), brow_thickness=-2.5)
    assert bushy[brows].sum() > 2 * usual[brows].sum() > 3 * plucked[brows].sum()


def test_folds_come_with_age_as_relief(model: OpenHead) -> None:
    young, middle, old = (skin(model, Appearance(), skin_age=age) for age in (-2, 1, 2.5))
    assert not young.slope.any()
    steep = [np.linalg.norm(one.slope, axis=2).max() for one in (middle, old)]
    assert 0.1 < steep[0] < steep[1] < 1.5


def test_zero_numbers_paint_no_marks_and_painting_repeats(model: OpenHead, bare: PaintedSkin) -> None:
    again = skin(model, Appearance(mole=Mole(0, 0.5, 0.5), scar=Scar(0, 0.5, 0.5, 1, 1)))
    assert np.array_equal(again.colour, bare.colour) and np.array_equal(again.slope, bare.slope)


def test_eyes_have_the_colours_of_their_names() -> None:
    brown, blue, green, dark = (iris_tones(*z)[0] for z in ((0, 0), (2.4, 0), (0, 2.4), (-2, 0)))
    assert brown[0] > 1.5 * brown[1] > 1.5 * brown[2]
    assert blue[2] > blue[1] > blue[0]
    assert green[1] > green[0] and green[1] > green[2]
    assert dark.max() < 0.4 * brown.max() and dark[0] > dark[2]


def test_a_face_of_any_batch_but_one_is_refused(model: OpenHead) -> None:
    two: FaceCode = model.mean_code(2)
    with pytest.raises(ValueError, match="one face"):
        painted(model, two, SIZE)
