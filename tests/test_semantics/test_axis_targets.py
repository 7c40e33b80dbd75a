"""Sliders as morph targets: what a slider does to a face, its target does to the mesh."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegpt_model.face import FaceCode
from facegpt_model.mesh import Mesh, mesh_of
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import Axes, UnknownAxis, axis_named, load_axes
from facegpt_model.semantics.axis_targets import SHAPE_AXES, ColourOnly, shape_axis_names, with_axes

HEAD = load()


@pytest.fixture(scope="module")
def axes() -> Axes:
    return load_axes(HEAD)


@pytest.fixture(scope="module")
def person() -> FaceCode:
    code = HEAD.layout.unpack(torch.zeros(1, HEAD.layout.code_size))
    expression = torch.zeros(1, 52)
    expression[0, 3] = 0.5
    identity = torch.randn(1, 150, generator=torch.Generator().manual_seed(4)) * 0.5
    return replace(code, identity=identity, expression=expression)


@pytest.fixture(scope="module")
def bare(person: FaceCode) -> Mesh:
    return mesh_of(HEAD, person)


@pytest.mark.parametrize("weight", [-1.0, 0.4])
def test_a_target_does_what_its_slider_does(axes: Axes, person: FaceCode, bare: Mesh, weight: float) -> None:
    mesh = with_axes(bare, HEAD, person, axes, ["nose length", "jaw strength"])
    assert list(mesh.morph_targets)[-2:] == ["nose length", "jaw strength"]
    expected = HEAD.vertices(axes.shift(person, {"nose length": weight}))[0].numpy()
    np.testing.assert_allclose(
        mesh.vertices + weight * mesh.morph_targets["nose length"], expected, atol=2e-3
    )
    assert np.abs(expected - mesh.vertices).max() > 1
    assert mesh.morph_weights["nose length"] == 0 and mesh.morph_ranges["nose length"] == (-1, 1)
    np.testing.assert_allclose(mesh.neutral_vertices(), bare.neutral_vertices(), atol=1e-4)


def test_one_sided_sliders_say_so_and_a_combined_expression_can_be_a_target(
    axes: Axes, person: FaceCode, bare: Mesh
) -> None:
    mesh = with_axes(bare, HEAD, person, axes, ["chin cleft", "smile"])
    assert mesh.morph_ranges == {"chin cleft": (0, 1), "smile": (0, 1)}
    moved = np.linalg.norm(mesh.morph_targets["smile"], axis=1)
    assert moved.max() > 5


def test_the_default_sliders_are_two_sided_shapes() -> None:
    assert set(SHAPE_AXES) < set(shape_axis_names()) and len(set(SHAPE_AXES)) == 25
    assert all((axis_named(name).minimum, axis_named(name).maximum) == (-1, 1) for name in SHAPE_AXES)


def test_every_shape_slider_can_be_a_target(axes: Axes, person: FaceCode, bare: Mesh) -> None:
    mesh = with_axes(bare, HEAD, person, axes, shape_axis_names())
    assert len(mesh.morph_targets) == 52 + len(shape_axis_names())


def test_names_that_cannot_be_targets(axes: Axes, person: FaceCode, bare: Mesh) -> None:
    with pytest.raises(UnknownAxis, match="did you mean nose width"):
        with_axes(bare, HEAD, person, axes, ["nose widht"])
    with pytest.raises(ColourOnly, match="'skin tone' changes colour"):
        with_axes(bare, HEAD, person, axes, ["skin tone"])
    twice = with_axes(bare, HEAD, person, axes, ["nose width"])
    with pytest.raises(ValueError, match="given once"):
        with_axes(twice, HEAD, person, axes, ["nose width"])
