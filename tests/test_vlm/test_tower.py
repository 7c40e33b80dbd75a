"""The vision tower and its prior: what it stands on, what it says of strangers, files."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import facegpt_model
from facegpt_model.data.features import SeenFaces, read_seen, see_shards
from facegpt_model.data.shards import BadShards, Order, write_shards
from facegpt_model.data.synthetic import SyntheticConfig, SyntheticFaces
from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception import analyse, load_photo
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.training.linear import calibrate_doubt, learn_linear, learn_scales, moments
from facegpt_model.vlm.frozen import see
from facegpt_model.vlm.mirror import MIRRORED_BLENDSHAPES, mirrored_identity, see_mirrored
from facegpt_model.vlm.tower import (
    FaceTower,
    TowerSettings,
    carried,
    load_identity_prior,
    read_tower,
    save_tower,
)

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"
CONFIG = SyntheticConfig(size=128, block=24, plain=1.0, composite=0.0, views=1, max_yaw=20, max_pitch=10)


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load("openhead@2")
    assert isinstance(model, OpenHead)
    return model


@pytest.fixture(scope="module")
def seen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shards, out = tmp_path_factory.mktemp("shards"), tmp_path_factory.mktemp("seen")
    write_shards(Order(24, 77_777, CONFIG), shards)
    see_shards(shards, out)
    return out


@pytest.fixture(scope="module")
def strangers(seen_folder: Path) -> SeenFaces:
    return read_seen(seen_folder)


def test_the_prior_knows_strangers_from_each_other(strangers: SeenFaces, head: OpenHead) -> None:
    """People of a seed that no training used, of one colour; the mean face explains 0."""
    prior = load_identity_prior()
    with torch.no_grad():
        reading = prior.tower(strangers.features(torch.arange(24)))
    assert ShapeMetric(head).explained(reading.mean, strangers.identity) > 0.3
    swapped = strangers.identity.roll(1, dims=0)
    assert ShapeMetric(head).explained(reading.mean, swapped) < 0
    z = (reading.mean - strangers.identity) / reading.std
    assert 0.6 < float(z.square().mean().sqrt()) < 1.5  # the doubt is neither vain nor shy


def test_a_photo_has_a_mean_and_a_deviation_for_every_coefficient() -> None:
    photo = load_photo(PORTRAIT)
    face = analyse(photo)[0]
    picture, points = photo_tensor(photo)[None], face.points478[None]
    mean, std = load_identity_prior()(picture, points, face.blendshapes[None])
    assert mean.shape == std.shape == (1, 150)
    assert float(mean.abs().max()) < 4 and float(std.min()) > 0
    larger = torch.nn.functional.interpolate(picture, scale_factor=1.5, mode="bilinear")
    again, _ = load_identity_prior()(larger, points * 1.5)
    assert float((again - mean).norm() / mean.norm()) < 0.35


def test_a_mirrored_photo_has_the_mirrored_code(head: OpenHead) -> None:
    photo = load_photo(PORTRAIT)
    face = analyse(photo)[0]
    picture, points, shapes = photo_tensor(photo)[None], face.points478[None], face.blendshapes[None]
    mirror = mirrored_identity(head)
    torch.testing.assert_close(mirror @ mirror, torch.eye(150), atol=1e-5, rtol=0)
    code = head.mean_code(1)
    lopsided = replace(code, identity=torch.randn(1, 150, generator=torch.Generator().manual_seed(0)))
    other = replace(code, identity=lopsided.identity @ mirror)
    across = head.vertices(lopsided)[:, head.mirror] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(head.vertices(other), across, atol=1e-3, rtol=0)
    assert (head.vertices(other) - head.vertices(lopsided)).abs().max() > 0.3
    seen = see(picture, points, shapes)
    twice = see_mirrored(picture.flip(3), flipped(points, photo.width), shapes[:, list(MIRRORED_BLENDSHAPES)])
    torch.testing.assert_close(twice.embedding, seen.embedding, atol=0.02, rtol=0)
    torch.testing.assert_close(twice.blendshapes, seen.blendshapes)
    prior = load_identity_prior()
    mean, std = prior(picture, points, shapes)
    there, there_std = prior(
        picture.flip(3), flipped(points, photo.width), shapes[:, list(MIRRORED_BLENDSHAPES)]
    )
    torch.testing.assert_close(there + prior.offset, (mean + prior.offset) @ mirror, atol=0.01, rtol=0)
    torch.testing.assert_close(there_std, std, atol=0.01, rtol=0)


def flipped(points: Tensor, width: int) -> Tensor:
    """Landmarks of a mirrored picture; of all points only the outer corners of the eyes change places."""
    moved = points.clone()
    moved[..., 0] = width - moved[..., 0]
    moved[:, [33, 263]] = moved[:, [263, 33]]
    return moved


def test_faces_together_are_read_as_alone(strangers: SeenFaces) -> None:
    tower = load_identity_prior().tower
    together = tower(strangers.features(torch.arange(3)))
    alone = tower(strangers.features(torch.tensor([2])))
    assert together.tokens.shape == (3, 55, tower.settings.width)
    torch.testing.assert_close(together.mean[2:], alone.mean, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(together.tokens[2:], alone.tokens, atol=2e-4, rtol=1e-3)


def test_points_are_carried_whatever_their_place_size_and_turn() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(30, 3, generator=generator)
    points = reference[None] + 0.1 * torch.randn(2, 30, 3, generator=generator)
    a, b = 0.5, -0.3
    turn = torch.tensor([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1.0]])
    nod = torch.tensor([[1.0, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    moved = 2.5 * points @ (turn @ nod) + torch.tensor([4.0, -7, 1])
    torch.testing.assert_close(carried(moved, reference), carried(points, reference), atol=1e-4, rtol=1e-4)
    mirrored = points * torch.tensor([-1.0, 1, 1])
    assert (carried(mirrored, reference) - carried(points, reference)).abs().max() > 0.1


def test_a_tower_comes_back_from_its_file(strangers: SeenFaces, tmp_path: Path) -> None:
    torch.manual_seed(1)
    tower = FaceTower(TowerSettings(width=32, depth=1))
    features = strangers.features(torch.arange(24))
    learn_scales(tower, strangers, torch.arange(24))
    learn_linear(tower, strangers, torch.arange(24), 1.0)
    calibrate_doubt(tower, strangers, torch.arange(24))
    save_tower(tower, torch.full((150,), 0.25), tmp_path, {"name": "test"})
    again, offset = read_tower(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(again(features).mean, tower(features).mean, atol=0.02, rtol=0.02)
        torch.testing.assert_close(again(features).std, tower(features).std, atol=0.02, rtol=0.02)
    assert float(offset.mean()) == 0.25
    assert (tmp_path / "tower.safetensors").stat().st_size < 1.3e6


def test_the_linear_reading_finds_what_is_linear(strangers: SeenFaces) -> None:
    tower = FaceTower(TowerSettings(width=32, depth=1))
    features = strangers.features(torch.arange(24))
    planted = torch.zeros(24, 150)
    planted[:, 3] = features.embedding[:, 5] * 4 + 1
    learn_scales(tower, strangers, torch.arange(24))
    learn_linear(tower, replace(strangers, identity=planted), torch.arange(24), 1e-4)
    tower.eval()
    with torch.no_grad():
        torch.testing.assert_close(tower(features).mean[:, 3], planted[:, 3], atol=0.03, rtol=0)
        assert float(tower(features).mean[:, 4].abs().max()) < 1e-4


def test_a_doubt_that_is_wrong_by_a_factor_is_put_right(strangers: SeenFaces) -> None:
    tower = FaceTower(TowerSettings(width=32, depth=1, dropout=0))
    index = torch.arange(24)
    learn_scales(tower, strangers, index)
    with torch.no_grad():
        tower.doubt.bias.fill_(math.log(0.2))
    factor = calibrate_doubt(tower, strangers, index)
    assert factor > 2  # of a tower that says "the mean face" and hardly doubts it
    with torch.no_grad():
        reading = tower(strangers.features(index))
    missed = ((reading.mean - strangers.identity) / reading.std).square().mean().sqrt()
    assert float(missed) == pytest.approx(1, abs=0.01)


def test_moments_of_parts_are_those_of_the_whole(strangers: SeenFaces) -> None:
    tower = FaceTower(TowerSettings(width=32, depth=1))
    learn_scales(tower, strangers, torch.arange(24))
    whole = moments(tower, strangers, torch.arange(24))
    with torch.no_grad():
        x = tower.vector_scale(tower.vector(strangers.features(torch.arange(24)))).double()
    y = (strangers.identity - strangers.identity.mean(0)).double()
    by_hand = torch.linalg.solve(x.T @ x + 24 * torch.eye(x.shape[1], dtype=torch.float64), x.T @ y)
    torch.testing.assert_close(whole.solved(1.0).double(), by_hand, atol=1e-4, rtol=1e-2)


def test_seen_faces_are_kept_and_not_seen_again(
    seen_folder: Path, strangers: SeenFaces, tmp_path: Path
) -> None:
    faces = SyntheticFaces(load_head(), CONFIG, 77_777).block(0)
    torch.testing.assert_close(strangers.identity, faces.code.identity)
    picture = torch.from_numpy(np.asarray(Image.open(io.BytesIO(faces.jpegs[4])), np.float32) / 255)
    direct = see(picture.permute(2, 0, 1)[None], faces.points478[4:5])
    kept = strangers.features(torch.tensor([4]))
    assert float((direct.embedding - kept.embedding).norm()) < 0.25  # the crop was shaken
    file = next(seen_folder.glob("*.pt"))
    before = file.stat().st_mtime_ns
    shards = tmp_path / "shards"
    write_shards(Order(24, 77_777, CONFIG), shards)
    see_shards(shards, seen_folder)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(BadShards, match="holds no seen faces"):
        read_seen(tmp_path)


def load_head() -> OpenHead:
    model = load("openhead@2")
    assert isinstance(model, OpenHead)
    return model


def test_the_gradient_of_what_is_seen_reaches_the_picture() -> None:
    photo = load_photo(PORTRAIT)
    points: Tensor = analyse(photo)[0].points478[None]
    picture = photo_tensor(photo)[None].requires_grad_()
    seen = see(picture, points)
    for part in (seen.embedding, seen.trunk8):
        (gradient,) = torch.autograd.grad(part.sum(), picture, retain_graph=True)
        assert float(gradient.abs().sum()) > 0
