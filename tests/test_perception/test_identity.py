"""The identity net and the person mask against the runtimes they were made for."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import facegpt_model
from facegpt_model.perception import load_photo
from facegpt_model.perception.crops import Windows, cut
from facegpt_model.perception.identity import (
    GRID_CHANNELS,
    GRID_SIZES,
    BadIdentityNet,
    chip_windows,
    face_chips,
    load_identity_net,
    read_identity_net,
)
from facegpt_model.perception.person_mask import FILE, load_person_mask_net, person_mask
from facegpt_model.perception.photos import photo_tensor

HERE = Path(__file__).parent
PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"
SELFIE_SHA256 = "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    return photo_tensor(load_photo(PORTRAIT))[None]


@pytest.fixture(scope="module")
def points() -> Tensor:
    return torch.from_numpy(np.load(HERE / "portrait_mediapipe.npz")["points478"])[None].float()


def test_the_net_gives_dlibs_descriptor_of_dlibs_chip() -> None:
    stored = np.load(HERE / "portrait_dlib.npz")  # dlib 20.0.1: get_face_chip, compute_face_descriptor
    chip = torch.from_numpy(stored["chip"]).permute(2, 0, 1)[None] / 255
    seen = load_identity_net()(chip)
    torch.testing.assert_close(seen.embedding[0], torch.from_numpy(stored["embedding"]), atol=2e-6, rtol=0)
    assert [tuple(grid.shape[1:]) for grid in seen.grids] == [
        (c, s, s) for c, s in zip(GRID_CHANNELS, GRID_SIZES, strict=True)
    ]


def test_our_chip_of_the_portrait_is_dlibs_chip(portrait: Tensor, points: Tensor) -> None:
    stored = np.load(HERE / "portrait_dlib.npz")
    chip = torch.from_numpy(stored["chip"]).permute(2, 0, 1) / 255
    assert float((face_chips(portrait, points)[0] - chip).abs().mean()) < 2 / 255  # its pixels are whole
    embedding = load_identity_net().embed(portrait, points)[0]
    assert float((embedding - torch.from_numpy(stored["embedding"])).norm()) < 0.05  # one person: 0.6


def test_pictures_together_give_what_each_gives_alone(portrait: Tensor, points: Tensor) -> None:
    net = load_identity_net()
    turned, there = portrait.flip(3), points.clone()
    there[..., 0] = portrait.shape[3] - there[..., 0]  # landmarks keep their numbers: the chip turns over
    together = net.embed(torch.cat([portrait, turned]), torch.cat([points, there]))
    torch.testing.assert_close(together[:1], net.embed(portrait, points), atol=1e-4, rtol=0)
    torch.testing.assert_close(together[1:], net.embed(turned, there), atol=1e-4, rtol=0)
    assert float((together[0] - together[1]).norm()) > 0.1


def test_the_chip_follows_a_turned_and_scaled_face(points: Tensor) -> None:
    angle, scale, move = 0.4, 1.7, torch.tensor([30.0, -12.0])
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    before, after = chip_windows(points), chip_windows(scale * points[..., :2] @ turn.T + move)
    torch.testing.assert_close(after.side, scale * before.side)
    torch.testing.assert_close(after.angle, before.angle + angle)
    torch.testing.assert_close(after.centre, scale * before.centre @ turn.T + move)


def test_the_chip_has_the_eyes_where_dlib_wants_them(portrait: Tensor, points: Tensor) -> None:
    spot = torch.zeros_like(portrait)
    x, y = (round(float(v)) for v in points[0, 468, :2])  # the right iris
    spot[:, :, y - 3 : y + 3, x - 3 : x + 3] = 1
    chip = face_chips(spot, points)[0, 0]
    where = (chip.sum(0) * torch.arange(150)).sum() / chip.sum()
    assert 40 < float(where) < 65  # of 150; a mirrored chip would have it near 97


def test_gradient_reaches_the_picture(portrait: Tensor, points: Tensor) -> None:
    net = load_identity_net()
    picture = portrait.clone().requires_grad_()
    step = torch.zeros_like(portrait)
    step[:, :, 120:150, 110:140] = torch.rand(3, 30, 30, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(net.embed(picture, points)[0, 3], picture)
    with torch.no_grad():
        ahead, back = (net.embed(portrait + s * step, points)[0, 3] for s in (2e-3, -2e-3))
    expected = float((gradient * step).sum())
    assert abs(expected) > 1e-3
    assert float(ahead - back) / 4e-3 == pytest.approx(expected, rel=0.05)


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.dat"
    file.write_bytes(b"\x01\x02 some other numbers" * 100)
    with pytest.raises(BadIdentityNet, match=r"net\.dat is not dlib's face recognition ResNet"):
        read_identity_net(file)


def test_the_person_mask_is_that_of_googles_runtime(portrait: Tensor) -> None:
    stored = np.load(HERE / "portrait_person_mask.npz")["mask"]  # LiteRT 2.3.0, rounded to bytes
    mask = person_mask(portrait)[0, 0].numpy() * 255
    assert np.abs(mask - stored).max() < 0.51
    assert 0.3 < mask.mean() / 255 < 0.9
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SELFIE_SHA256


def test_masks_of_other_sizes_and_batches(portrait: Tensor) -> None:
    window = Windows(torch.tensor([[128.0, 128.0]]), torch.tensor([256.0]), torch.zeros(1))
    small = cut(portrait[0], window, 96).permute(0, 3, 1, 2)
    mask = person_mask(torch.cat([small, torch.zeros_like(small)]))
    assert mask.shape == (2, 1, 96, 96)
    whole = person_mask(portrait)
    difference = torch.nn.functional.interpolate(whole, (96, 96), mode="area") - mask[:1]
    assert float(difference.abs().mean()) < 0.05
    assert float(mask[1].mean()) < float(mask[0].mean()) - 0.2  # nobody in the dark


def test_the_mask_is_differentiable(portrait: Tensor) -> None:
    picture = portrait.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(load_person_mask_net()(picture).sum(), picture)
    assert float(gradient.abs().sum()) > 0
