"""Finished pictures: transparent and repeatable portraits, sheets, overlays on photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel, load
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.still import (
    contact_sheet,
    overlay_sheet,
    render_overlay,
    render_still,
    studio_background,
)
from facegpt_model.rendering.surface import EYE, surface_of

SIZE = 96


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load("openhead@2")


@pytest.fixture(scope="module")
def mean(model: MorphableModel) -> FaceCode:
    layout = model.layout
    sizes = (layout.identity, layout.expression, layout.albedo)
    return FaceCode(*(torch.zeros(1, size) for size in sizes), basis=model.basis)


class RedNose:
    """The same head in grey with a red nose tip, and no texture."""

    def __init__(self, model: MorphableModel) -> None:
        self.basis, self.layout = model.basis, model.layout
        self.expression_names, self.part_names = model.expression_names, model.part_names
        self.triangles, self.part = model.triangles, model.part
        self.vertices, self.landmarks68 = model.vertices, model.landmarks68

    def albedo(self, code: FaceCode) -> Tensor:
        vertices = self.vertices(code)
        near = (vertices - self.landmarks68(vertices)[:, 30:31]).norm(dim=2, keepdim=True) < 12
        return torch.where(near, torch.tensor([0.8, 0.0, 0.0]), torch.tensor([0.3, 0.3, 0.3]))


def test_a_still_is_transparent_around_the_head_and_fades_out_below(
    model: MorphableModel, mean: FaceCode
) -> None:
    still = render_still(model, mean, size=SIZE)
    assert still.mode == "RGBA" and still.size == (SIZE, SIZE)
    alpha = np.asarray(still)[..., 3]
    assert alpha[0].max() == alpha[-1].max() == alpha[:, 0].max() == alpha[:, -1].max() == 0
    assert alpha[SIZE // 2, SIZE // 2] == 255
    neck = alpha[int(0.75 * SIZE) :, SIZE // 2].astype(int)
    assert (np.diff(neck) <= 0).all() and len(np.unique(neck)) > 6


def test_the_same_face_gives_the_same_bytes(model: MorphableModel, mean: FaceCode) -> None:
    first, second = (render_still(model, mean, 20, -5, SIZE) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_yaw_and_pitch_turn_the_nose_as_documented(model: MorphableModel, mean: FaceCode) -> None:
    def nose(yaw: float, pitch: float) -> np.ndarray:
        pixels = np.asarray(render_still(RedNose(model), mean, yaw, pitch, SIZE)).astype(float)
        red = np.clip(pixels[..., 0] - pixels[..., 1] - 60, 0, None)
        return np.array([(red * axis).sum() for axis in np.mgrid[:SIZE, :SIZE]]) / red.sum()

    row, column = nose(0, 0)
    assert abs(column - SIZE / 2) < 2
    assert nose(25, 0)[1] > column + 5 and nose(-25, 0)[1] < column - 5
    assert nose(0, 20)[0] < row - 2


@pytest.mark.parametrize("melanin", [-2.0, 0.0, 2.0])
def test_light_and_dark_skin_are_neither_burnt_out_nor_lost(
    model: MorphableModel, mean: FaceCode, melanin: float
) -> None:
    albedo = mean.albedo.clone()
    albedo[0, 0] = melanin
    pixels = np.asarray(render_still(model, replace(mean, albedo=albedo), size=SIZE)).astype(float)
    face = pixels[int(0.35 * SIZE) : int(0.65 * SIZE), int(0.35 * SIZE) : int(0.65 * SIZE), :3]
    brightness = face @ [0.2126, 0.7152, 0.0722]
    assert 45 < brightness.mean() < 215
    assert (face.min(axis=2) > 250).mean() < 0.01


def test_backgrounds(model: MorphableModel, mean: FaceCode) -> None:
    painted = render_still(model, mean, size=SIZE, background=(10, 200, 30))
    assert painted.getpixel((1, 1)) == (10, 200, 30, 255)
    studio = render_still(model, mean, size=SIZE, background="studio")
    assert studio.getpixel((1, 1)) == (*studio_background(SIZE).getpixel((1, 1)), 255)
    with pytest.raises(ValueError, match="'studio' or a colour"):
        render_still(model, mean, size=SIZE, background="beach")


def test_a_still_refuses_two_faces_and_silly_sizes(model: MorphableModel, mean: FaceCode) -> None:
    two = FaceCode(
        *(part.expand(2, -1) for part in (mean.identity, mean.expression, mean.albedo)), basis=mean.basis
    )
    with pytest.raises(ValueError, match="one face, but the code holds 2"):
        render_still(model, two, size=SIZE)
    with pytest.raises(ValueError, match="16 to 4096 pixels"):
        render_still(model, mean, size=5)


def test_contact_sheet_places_pictures_row_by_row_over_the_wall() -> None:
    colours = [(250, 0, 0, 255), (0, 250, 0, 255), (0, 0, 250, 0)]
    pictures = [Image.new("RGBA", (40, 40), colour) for colour in colours]
    plain = contact_sheet(pictures, 2)
    assert plain.mode == "RGB" and plain.size == (80, 80)
    assert plain.getpixel((20, 20)) == (250, 0, 0) and plain.getpixel((60, 20)) == (0, 250, 0)
    assert plain.getpixel((20, 60)) == studio_background(40).getpixel((20, 20))
    labelled = contact_sheet(pictures, 3, ["a", "b", "c"])
    assert labelled.size[0] == 120 and labelled.size[1] > 40
    for bad, columns, labels in (([], 2, []), (pictures, 0, []), (pictures, 2, ["a"])):
        with pytest.raises(ValueError):
            contact_sheet(bad, columns, labels)
    with pytest.raises(ValueError, match="one size"):
        contact_sheet([pictures[0], Image.new("RGB", (30, 40))], 2)


def test_an_overlay_changes_the_face_and_nothing_else(model: MorphableModel, mean: FaceCode) -> None:
    view = portrait_view(yaw_deg=15, size=(120, 100))
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 255, (120, 100, 3), dtype=np.uint8))
    overlay = render_overlay(photo, model, mean, view)
    assert overlay.mode == "RGB" and overlay.size == photo.size
    changed = (np.asarray(overlay) != np.asarray(photo)).any(axis=2)
    vertices = model.vertices(mean)
    points = project(model.landmarks68(vertices), view)[0, :, :2]
    nose_x, nose_y = points[30].int().tolist()
    assert changed[nose_y - 2 : nose_y + 3, nose_x - 2 : nose_x + 3].all()
    crown = project(vertices[:, vertices[0, :, 1].argmax()][:, None], view)[0, 0]
    assert not changed[: int(crown[1]) + 8].any()
    assert not changed[int(points[8, 1]) + 8 :].any()
    assert 0.05 < changed.mean() < 0.5


def test_a_large_photo_keeps_its_size_and_a_wrong_one_is_refused(
    model: MorphableModel, mean: FaceCode
) -> None:
    photo = Image.new("RGB", (1200, 700), (90, 120, 150))
    view = portrait_view(size=(700, 1200))
    assert render_overlay(photo, model, mean, view).size == photo.size
    with pytest.raises(ValueError, match="but the photo has"):
        render_overlay(photo.resize((1199, 700)), model, mean, view)
    strip = overlay_sheet(photo, model, mean, view)
    assert strip.size[0] % 3 == 0 and abs(strip.size[0] / 3 / strip.size[1] - 1200 / 700) < 0.01


def test_the_face_area_holds_the_features_but_no_ears_scalp_or_neck(
    model: MorphableModel, mean: FaceCode
) -> None:
    weight = face_area(model, mean)
    vertices = model.vertices(mean)[0]
    marks = model.landmarks68(vertices[None])[0]
    nearest = torch.cdist(marks, vertices).argmin(dim=1)
    assert (weight[nearest[17:]] > 0.9).float().mean() > 0.9
    assert weight[vertices[:, 1].argmax()] == 0 and weight[vertices[:, 1].argmin()] == 0
    assert weight[vertices[:, 2].argmin()] == 0
    skin = torch.unique(model.triangles[model.part == 0])
    assert weight[skin[vertices[skin, 0].abs() > 78]].max() == 0


def test_the_mesh_behind_a_still_is_smooth_and_keeps_its_place(model: MorphableModel, mean: FaceCode) -> None:
    surface = surface_of(model, mean, 64)
    coarse = model.vertices(mean)[0].numpy()
    moved = np.linalg.norm(surface.vertices[: len(coarse)] - coarse, axis=1)
    assert np.median(moved) < 0.5 and moved.max() < 12  # most at the sharp rim of the bust
    assert surface.material.max() == EYE + 1 and len(surface.eyes) == 2
    np.testing.assert_allclose(surface.eyes[:, 3:], [[0, 0, 1]] * 2, atol=0.1)
    assert surface.occlusion.min() >= 0 and surface.occlusion.max() <= 1
