"""Vectors: codes come back bit for bit, distance is Mahalanobis, parts move alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegpt_model.face import FaceCode
from tools.store.estimates import expression_of, looks_and_years
from tools.store.regions import SHAPE_PARTS
from tools.store.vectors import calibrate, scale_of
from tools.studio import open_studio

STUDIO = open_studio()
CALIBRATION = calibrate(STUDIO.head)


def random_codes(count: int = 6) -> FaceCode:
    generator = torch.Generator().manual_seed(1)
    return STUDIO.head.layout.unpack(torch.randn(count, STUDIO.head.layout.code_size, generator=generator))


def test_a_code_comes_back_bit_for_bit() -> None:
    codes = random_codes()
    back = CALIBRATION.code(CALIBRATION.vectors(codes))
    for name in ("identity", "expression", "albedo", "appearance"):
        assert torch.equal(getattr(back, name), getattr(codes, name))
    assert np.array_equal(scale_of(CALIBRATION.scales), CALIBRATION.scale)


def test_expression_does_not_count_and_identity_does() -> None:
    axes = STUDIO.axes
    plain = axes.code({})

    def apart(code: FaceCode) -> float:
        return float(np.linalg.norm(CALIBRATION.vectors(code) - CALIBRATION.vectors(plain)))

    assert apart(axes.code({"smile": 1.0})) < 0.01
    assert apart(axes.code({"nose width": 0.1})) > 0.1


def test_part_vectors_have_unit_variance_under_the_prior() -> None:
    generator = torch.Generator().manual_seed(2)
    layout = STUDIO.head.layout
    codes = layout.unpack(torch.randn(4000, layout.code_size, generator=generator))
    vectors = CALIBRATION.vectors(codes)
    for part, space in CALIBRATION.parts.items():
        numbers = CALIBRATION.part_vectors(vectors, part)
        assert numbers.shape == (4000, space.size)
        assert np.allclose(np.cov(numbers.T), np.eye(space.size), atol=0.12), part


@pytest.mark.parametrize(
    ("slider", "moved"),
    [("nose width", "nose"), ("mouth width", "mouth"), ("jaw strength", "jaw"), ("eye spacing", "eyes")],
)
def test_a_slider_moves_its_own_part_most(slider: str, moved: str) -> None:
    pair = [CALIBRATION.vectors(STUDIO.axes.code(values)) for values in ({}, {slider: 0.5})]
    mm = {part: float(CALIBRATION.part_mm(*pair, part)[0]) for part in SHAPE_PARTS}
    assert max(mm, key=lambda part: mm[part]) == moved
    assert mm[moved] > 0.3


def test_millimetres_agree_with_vertices_laid_over_each_other() -> None:
    first, second = (STUDIO.axes.code({"nose width": value}) for value in (0.0, 0.6))
    ids = CALIBRATION.regions.vertices["nose"]
    with torch.no_grad():
        shapes = [STUDIO.head.vertices(code)[0][ids].double() for code in (first, second)]
    here, there = (shape - shape.mean(0) for shape in shapes)
    u, _, v = torch.linalg.svd(there.T @ here)
    rms = float((there @ (u @ v) - here).square().sum(1).mean().sqrt())
    told = float(CALIBRATION.part_mm(*(CALIBRATION.vectors(c) for c in (first, second)), "nose")[0])
    assert told == pytest.approx(rms, rel=0.15)  # the vector holds 90 % of the variance


def test_turning_a_part_is_no_change_of_shape() -> None:
    from tools.store.regions import without_motion

    points = CALIBRATION.regions.mean[CALIBRATION.regions.vertices["nose"]]
    axis = torch.tensor([0.2, -0.3, 0.1]).expand(len(points), 3)
    motion = torch.linalg.cross(axis, points) + torch.tensor([1.0, 2.0, 3.0])
    assert without_motion(points, motion[None]).abs().max() < 1e-3 * motion.abs().max()


def test_estimates_follow_the_sliders() -> None:
    axes = STUDIO.axes
    man, woman = (axes.code({"masculinity": value}) for value in (0.6, -0.6))
    assert (looks_and_years(man)[0], looks_and_years(woman)[0]) == ("man", "woman")
    young, old = (looks_and_years(axes.code({"age": value}))[1] for value in (-0.6, 0.6))
    assert old - young > 25
    assert looks_and_years(replace(man, basis="other@1")) == ("unsure", 0.0)


def test_the_strongest_expression_is_named() -> None:
    assert expression_of(STUDIO.axes.code({"smile": 0.8}), STUDIO.axes) == "smile"
    assert expression_of(STUDIO.axes.code({}), STUDIO.axes) == "neutral"
