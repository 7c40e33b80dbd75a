"""Pigment is separated from light and hair, and few components hold what people share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegpt_model.rendering.lighting import ambient_light, directional_light, sh_basis
from facegpt_model.skin.atlas_maps import quantised
from facegpt_model.skin.delight import pigment_map
from facegpt_model.skin.lowrank import learn, robust_mean, symmetric, without_pattern
from facegpt_model.skin.tones import pigments, tone
from facegpt_model.skin.unproject import Unprojected


def sphere(count: int, seed: int = 0) -> np.ndarray:
    normals = np.random.default_rng(seed).standard_normal((count, 3))
    normals[:, 2] = np.abs(normals[:, 2]) + 0.5
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def lit_skin(pigment: np.ndarray, normals: np.ndarray) -> Unprojected:
    lamp = ambient_light((0.4, 0.4, 0.4)) + directional_light((-0.6, 0.5, 0.8), (0.6, 0.6, 0.6))
    light = (sh_basis(torch.from_numpy(normals)) @ lamp).numpy()
    colour = tone(-0.5) * np.exp(pigment @ pigments()) * light
    return Unprojected(colour, normals, normals[:, 2], np.ones(len(normals), dtype=bool))


def test_pigment_is_found_under_a_lamp_from_the_side() -> None:
    normals = sphere(3000)
    spots = np.random.default_rng(1).random((3000, 2)) < 0.2
    found = pigment_map(lit_skin(0.15 * spots, normals), np.ones(3000), np.ones(3000), pigments())
    for channel in (0, 1):
        apart = (
            found.pigment[spots[:, channel], channel].mean()
            - found.pigment[~spots[:, channel], channel].mean()
        )
        assert apart == pytest.approx(0.15, abs=0.04)


def test_shadow_leaves_no_trace_in_pigment() -> None:
    normals = sphere(3000)
    photo = lit_skin(np.zeros((3000, 2)), normals)
    shadow = np.random.default_rng(2).random(3000) < 0.15
    dark = Unprojected(photo.colour * np.where(shadow, 0.5, 1.0)[:, None], normals, photo.facing, photo.seen)
    found = pigment_map(dark, np.ones(3000), np.ones(3000), pigments())
    assert np.abs(found.pigment).max() < 0.01
    assert found.weight[shadow].mean() < 0.5 * found.weight[~shadow].mean()


def test_hair_and_hidden_places_hardly_count() -> None:
    normals = sphere(3000)
    photo = lit_skin(0.03 * np.random.default_rng(3).standard_normal((3000, 2)), normals)
    hair = np.arange(3000) < 400
    colour = np.where(hair[:, None], (0.05, 0.04, 0.035), photo.colour)
    seen = np.arange(3000) < 2900
    found = pigment_map(
        Unprojected(colour, normals, photo.facing, seen), np.ones(3000), np.ones(3000), pigments()
    )
    assert found.weight[hair].mean() < 0.1 * found.weight[400:2900].mean()
    assert found.weight[2900:].max() == 0


def test_a_portrait_that_shows_no_skin_teaches_nothing() -> None:
    normals = sphere(600)
    found = pigment_map(lit_skin(np.zeros((600, 2)), normals), np.zeros(600), np.ones(600), pigments())
    assert found.weight.max() == 0 and np.abs(found.pigment).max() == 0


def test_maps_are_averaged_with_their_mirror_by_weight() -> None:
    mirror = np.array([1, 0, 2])
    values = np.array([[[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]]])
    mixed, weight = symmetric(values, np.array([[1.0, 3.0, 1.0]]), mirror)
    np.testing.assert_allclose(mixed[0], [[2.5, 1.5], [2.5, 1.5], [5, 5]])
    np.testing.assert_allclose(weight[0], [2, 2, 1])


def test_a_tenth_of_wild_values_does_not_move_the_mean() -> None:
    rng = np.random.default_rng(4)
    values = 0.05 * rng.standard_normal((200, 30, 2)) + 0.1
    values[:20] += 2.0
    assert np.abs(robust_mean(values, np.ones((200, 30))) - 0.1).max() < 0.05


def test_a_beard_leaves_the_rest_of_the_map() -> None:
    beard = (np.arange(60) < 20).astype(float)
    values = 0.2 * beard[:, None] * np.array([1.0, -1.0]) + np.sin(np.arange(60.0))[:, None] * 0.01
    left = without_pattern(values, np.ones(60), beard)
    assert abs(left[:20].mean() - left[20:].mean()) < 1e-3
    assert left.std() == pytest.approx(0.007, abs=0.002)


def test_known_components_are_recovered_from_incomplete_maps() -> None:
    rng = np.random.default_rng(5)
    true = np.stack([np.sin(np.linspace(0, 3 * k, 400)) for k in (1, 2)])[..., None] * (0.12, 0.05)
    scores = rng.standard_normal((150, 2))
    values = np.einsum("nk,kpc->npc", scores, true) + 0.01 * rng.standard_normal((150, 400, 2))
    weight = (rng.random((150, 400)) > 0.3).astype(float)
    found = learn(values, weight, np.zeros(400), 2, 0)
    design = found.components.reshape(2, -1).T
    plain = true - true.mean(axis=1, keepdims=True)
    for wanted in plain.reshape(2, -1):
        left = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
        assert left.std() < 0.15 * wanted.std()
    np.testing.assert_allclose(found.scores.std(axis=0), 1, atol=0.1)
    assert found.explained > 0.7


def test_bytes_keep_maps_to_half_a_step() -> None:
    maps = np.random.default_rng(6).standard_normal((3, 2, 8, 8)) * 0.2
    steps, scale = quantised(maps)
    assert np.abs(steps * scale[..., None, None] - maps).max() <= 0.51 * scale.max()
