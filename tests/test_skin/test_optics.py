"""Skin's colour from pigments: order, ranges and the tones of the head model."""

from __future__ import annotations

import numpy as np
import pytest

from facegpt_model.morphable.build.palette import REACH, through_three_tones
from facegpt_model.skin.optics import WAVELENGTHS, colour_matching, reflectance, skin_colour
from facegpt_model.skin.tones import pigments, three_tones, tone


def test_more_of_either_pigment_reflects_less_at_every_wavelength() -> None:
    shares = np.geomspace(0.005, 0.4, 12)
    for spectra in (reflectance(shares, np.full(12, 0.02)), reflectance(np.full(12, 0.03), shares / 5)):
        assert (np.diff(spectra, axis=0) < 0).all()
        assert spectra.min() > 0 and spectra.max() < 1


def test_blood_shows_its_two_bands_between_540_and_580_nm() -> None:
    spectrum = reflectance(np.array(0.02), np.array(0.03))
    at = dict(zip(WAVELENGTHS.astype(int).tolist(), spectrum.tolist(), strict=True))
    assert at[540] < at[560] > at[580], "the dip of oxygenated blood is double"
    assert at[650] > 1.5 * at[560], "red light passes blood"


def test_colours_go_from_fair_to_dark_brown_and_never_turn_grey_or_orange() -> None:
    melanin = np.linspace(-REACH, REACH, 11)
    colours = np.stack([tone(z) for z in melanin])
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) < 0).all()
    red_to_blue = colours[:, 0] / colours[:, 2]
    assert red_to_blue.min() > 1.4 and red_to_blue.max() < 6


def test_pigments_are_told_apart_by_colour() -> None:
    melanin, blood = pigments()
    assert (melanin < 0).all() and (blood < 0).all()
    assert melanin[2] < melanin[1] < melanin[0], "melanin takes most of blue"
    assert blood[1] < blood[2] < blood[0], "blood takes most of green"
    np.testing.assert_allclose([melanin.mean(), blood.mean()], -1)


def test_three_tones_stand_for_the_whole_curve() -> None:
    mean, slope, gain = through_three_tones(three_tones())
    for z in np.linspace(-REACH, REACH, 11):
        np.testing.assert_allclose((mean + z * slope) * np.exp(z * gain), tone(z), atol=0.06)


def test_colour_matching_gives_a_white_of_equal_energy() -> None:
    sums = colour_matching(np.arange(380.0, 781.0, 5.0)).sum(axis=0)
    np.testing.assert_allclose(sums / sums[1], 1, atol=0.02)


def test_shares_may_have_any_shape() -> None:
    both = skin_colour(np.array([[0.01, 0.1]]), np.array([[0.02, 0.03]]))
    assert both.shape == (1, 2, 3)
    assert both[0, 1] == pytest.approx(skin_colour(np.array(0.1), np.array(0.03)))
