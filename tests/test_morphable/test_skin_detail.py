"""Learned detail of skin on the shipped head: tones, symmetry, what it may and may not touch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegpt_model.face import FaceCode
from facegpt_model.layout import MAX_FLAT_CODE
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.skin.colour import individual_typology_angle, lab

COMPONENTS = 7


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load()
    assert isinstance(model, OpenHead)
    return model


def with_albedo(head: OpenHead, name: str, value: float) -> FaceCode:
    code = head.mean_code()
    albedo = code.albedo.clone()
    albedo[0, head.albedo_names.index(name)] = value
    return replace(code, albedo=albedo)


def all_components(head: OpenHead, value: float) -> FaceCode:
    albedo = torch.zeros(COMPONENTS, head.layout.albedo)
    albedo[:, -COMPONENTS:] = value * torch.eye(COMPONENTS)
    return replace(head.mean_code(COMPONENTS), albedo=albedo)


def cheek(head: OpenHead, code: FaceCode) -> np.ndarray:
    x, y, z = head.mean.T
    place = (x.abs() > 25) & (x.abs() < 50) & (y > -30) & (y < 5) & (z > -30)
    return head.albedo(code)[0, place].median(dim=0).values.numpy()


def test_components_follow_the_painted_ones(head: OpenHead) -> None:
    assert head.albedo_names[0] == "melanin" and head.albedo_names[15] == "lash darkness"
    assert head.albedo_names[16:] == tuple(f"skin {k}" for k in range(1, COMPONENTS + 1))
    assert head.layout.code_size <= MAX_FLAT_CODE


def test_melanin_spans_very_light_to_dark_skin(head: OpenHead) -> None:
    assert individual_typology_angle(cheek(head, with_albedo(head, "melanin", -2.5))) > 55
    assert individual_typology_angle(cheek(head, with_albedo(head, "melanin", 2.5))) < -30


def test_melanin_beyond_its_range_changes_nothing_more(head: OpenHead) -> None:
    end, beyond = (head.albedo(with_albedo(head, "melanin", z)) for z in (2.5, 3.0))
    assert torch.equal(end, beyond)


@pytest.mark.parametrize("melanin", [-2.5, 0.0, 2.5])
def test_lips_stand_out_from_every_skin(head: OpenHead, melanin: float) -> None:
    code = with_albedo(head, "melanin", melanin)
    place = head.region_weights[:, head.region_names.index("lips")] > 0.9
    lips = head.albedo(code)[0, place].median(dim=0).values.numpy()
    assert np.linalg.norm(lab(lips) - lab(cheek(head, code))) > 5


def test_ruddy_skin_is_redder_and_darker_not_orange(head: OpenHead) -> None:
    pale, ruddy = (lab(cheek(head, with_albedo(head, "haemoglobin", z))) for z in (-2.0, 2.0))
    assert ruddy[1] > pale[1] + 5 and ruddy[0] < pale[0] and abs(ruddy[2] - pale[2]) < 6


def test_the_mean_is_symmetric(head: OpenHead) -> None:
    colour = head.albedo(head.mean_code())[0]
    assert (colour - colour[head.mirror]).abs().mean() < 0.004
    components = head.albedo(all_components(head, 2.0))
    assert (components - components[:, head.mirror]).abs().mean() < 0.004


def test_components_move_skin_but_no_hair_eyes_or_lips(head: OpenHead) -> None:
    moved = (head.albedo(all_components(head, 2.5)) - head.albedo(head.mean_code())).abs().amax(dim=2)
    assert (moved.amax(dim=1) > 0.02).all(), "each does something"
    assert moved.max() < 0.15, "and none paints a mask"
    for name, least in (("scalp", 0.5), ("brow", 0.5), ("lips", 0.9), ("iris", 0.3), ("teeth", 0.5)):
        place = head.region_weights[:, head.region_names.index(name)] > least
        assert place.any() and moved[:, place].max() < 0.002, name


def test_a_batch_is_its_singles(head: OpenHead) -> None:
    codes = all_components(head, -1.5)
    textures = head.texture(codes, 128)
    for k in range(COMPONENTS):
        torch.testing.assert_close(head.albedo(codes)[k], head.albedo(codes[k])[0])
        torch.testing.assert_close(textures[k], head.texture(codes[k], 128)[0])


def test_texture_and_vertices_show_the_same_detail(head: OpenHead) -> None:
    code = with_albedo(head, "skin 1", 2.5)
    corners, vertex = head.uv[head.triangles_uv].flatten(0, 1), head.triangles.flatten()
    column, row = (corners[:, 0] * 256).long().clamp(0, 255), ((1 - corners[:, 1]) * 256).long().clamp(0, 255)
    by_texture = (head.texture(code, 256) - head.texture(head.mean_code(), 256))[0, row, column]
    by_vertex = (head.albedo(code) - head.albedo(head.mean_code()))[0, vertex]
    assert by_vertex.abs().max() > 0.02
    assert (by_texture - by_vertex).abs().mean() < 0.1 * by_vertex[by_vertex.abs() > 0.005].abs().mean()


def test_random_people_differ_in_learned_skin(head: OpenHead) -> None:
    drawn = head.sample_albedo(200, torch.Generator().manual_seed(3))[:, -COMPONENTS:]
    assert (drawn.std(dim=0) > 0.8).all()


def test_the_file_tells_its_portraits(head: OpenHead) -> None:
    assert head.skin is not None
    about = head.skin.about
    assert sum(about["portraits"].values()) >= 200
    assert all("CC" in source for source in about["portraits"])
    assert about["attribution"] and about["made_by"] == "python -m facegpt_model.skin"


def test_painted_skin_alone_has_the_painted_components(head: OpenHead) -> None:
    painted = OpenHead(skin=None)
    assert painted.albedo_names == head.albedo_names[:16]
    assert painted.albedo(painted.mean_code()).shape == head.albedo(head.mean_code()).shape
