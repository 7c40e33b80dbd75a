"""Synthetic faces: reproducible, exact codes, what is drawn is where the view says; tar files."""

from __future__ import annotations

import io
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import facegpt_model
from facegpt_model.data.backdrops import Backdrops, BadBackdrops, read_backdrops
from facegpt_model.data.camera_faults import occluded
from facegpt_model.data.drawing import Model, draw
from facegpt_model.data.scenes import Placed, framed, nudged, random_rotation
from facegpt_model.data.shards import BadShards, Order, read_shard, read_shards, write_shards
from facegpt_model.data.synthetic import SyntheticBlock, SyntheticConfig, SyntheticFaces
from facegpt_model.data.wardrobe import make_outfits
from facegpt_model.face import View
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.rendering.cameras import project, rotation_matrix

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"
POINTS = Path(__file__).parents[1] / "test_perception" / "portrait_mediapipe.npz"
BARE = SyntheticConfig(size=64, block=6, plain=1.0, composite=0.0)


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load("openhead@2")
    assert isinstance(model, OpenHead)
    return model


@pytest.fixture(scope="module")
def bare(head: OpenHead) -> SyntheticBlock:
    return SyntheticFaces(head, BARE, seed=5).block(3)


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two portraits: the example, and the same without a verified licence."""
    folder = tmp_path_factory.mktemp("portraits")
    points = np.load(POINTS)["points478"]
    columns = ["file", "person_id", "source", "licence", "licence_verified", "attribution"]
    lines = [",".join(columns + [f"l{k}_{axis}" for k in range(68) for axis in "xy"])]
    for name, verified in (("a.jpg", 1), ("b.jpg", 0)):
        shutil.copy(PORTRAIT, folder / name)
        lines.append(",".join([name, "p1", "faker", "CC0", str(verified), "", *["1.0"] * 136]))
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    np.savez(
        folder / "landmarks.npz", files=["a.jpg", "b.jpg"], landmarks478=np.stack([points] * 2),
        blendshapes=np.zeros((2, 52)), blendshape_names=list(BLENDSHAPE_NAMES),
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def backdrops(portraits: Path, head: OpenHead, tmp_path_factory: pytest.TempPathFactory) -> Backdrops:
    return read_backdrops(portraits, head, tmp_path_factory.mktemp("kept") / "poses.npz")


def picture(block: SyntheticBlock, k: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(block.jpegs[k])), np.float32) / 255


def first_of(view: View) -> View:
    parts = {name: getattr(view, name)[:1] for name in ("rotation", "translation", "focal", "light")}
    return replace(view, **parts)


def test_a_block_depends_on_seed_and_number_only(head: OpenHead, bare: SyntheticBlock) -> None:
    again = SyntheticFaces(head, BARE, seed=5)
    again.block(2)
    block = again.block(3)
    assert block.jpegs == bare.jpegs
    torch.testing.assert_close(block.code.identity, bare.code.identity, atol=0, rtol=0)
    assert again.block(4).jpegs != bare.jpegs
    assert SyntheticFaces(head, BARE, seed=6).block(3).jpegs != bare.jpegs


def test_views_of_one_person_share_the_identity_only(bare: SyntheticBlock) -> None:
    assert bare.person.tolist() == [9, 9, 10, 10, 11, 11]
    assert torch.equal(bare.code.identity[0], bare.code.identity[1])
    assert not torch.equal(bare.code.identity[1], bare.code.identity[2])
    assert not torch.equal(bare.view.rotation[0], bare.view.rotation[1])


def test_landmarks_are_where_code_and_view_put_them(head: OpenHead, bare: SyntheticBlock) -> None:
    seen = project(head.landmarks478(head.vertices(bare.code)), bare.view)[..., :2]
    torch.testing.assert_close(bare.points478, seen, atol=0.02, rtol=0)
    assert ((bare.points478 > 0) & (bare.points478 < 64)).all(2).float().mean() > 0.95


def test_a_head_is_drawn_where_its_vertices_are_seen(head: OpenHead) -> None:
    block = SyntheticFaces(head, BARE, seed=1).block(0)
    vertices = head.vertices(block.code)[0].numpy()
    model = Model(vertices, np.zeros_like(vertices), np.ones_like(vertices), head.triangles.numpy())
    rotation = rotation_matrix(block.view.rotation)[0].numpy()
    placed = Placed(rotation, block.view.translation[0].numpy(), float(block.view.focal[0]))
    _, cover, ids = draw(model, placed, np.zeros((9, 3), np.float32), 64, None)
    rows, columns = np.nonzero(ids >= 0)
    box = project(torch.from_numpy(vertices)[None], first_of(block.view))
    low, high = box[0, :, :2].amin(0), box[0, :, :2].amax(0)
    assert abs(columns.min() - max(float(low[0]), 0)) < 2 and abs(rows.min() - max(float(low[1]), 0)) < 2
    assert abs(columns.max() + 1 - min(float(high[0]), 64)) < 2
    assert (cover[ids < 0] == 0).all() and 0 < cover[ids >= 0].min() <= 1


def test_poses_keep_their_limits_and_turn_the_right_way() -> None:
    rng = np.random.default_rng(0)
    rotations = np.stack([random_rotation(rng, 40.0, 15.0) for _ in range(300)])
    nose = rotations @ np.array([0.0, 0.0, 1.0])  # where the face looks, camera frame
    yaw = np.degrees(np.arctan2(nose[:, 0], -nose[:, 2]))
    assert np.abs(yaw).max() < 48 and yaw.std() > 12  # roll mixes a little pitch in
    assert np.degrees(np.arcsin(np.abs(nose[:, 1]))).max() < 35
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-4)


def test_a_framed_face_fills_the_crop_as_in_photographs(head: OpenHead) -> None:
    rng = np.random.default_rng(1)
    points = head.landmarks478(head.mean[None])[0].numpy()
    for _ in range(20):
        seen = framed(rng, random_rotation(rng, 60, 30), points, 128).pixels(points, 128)
        extent = (seen.max(0) - seen.min(0)).max() / 128
        assert 0.5 < extent < 0.8 and np.abs(seen.mean(0) - 64).max() < 30


def test_a_nudge_is_small() -> None:
    rng = np.random.default_rng(2)
    start = framed(rng, random_rotation(rng, 30, 20), np.random.default_rng(0).normal(0, 60, (50, 3)), 128)
    for _ in range(20):
        turned = nudged(rng, start)
        angle = math.acos(min(1.0, (np.trace(turned.rotation @ start.rotation.T) - 1) / 2))
        assert math.degrees(angle) < 22


def test_composites_keep_the_photograph_around_the_face(head: OpenHead, backdrops: Backdrops) -> None:
    config = SyntheticConfig(size=64, block=4, plain=0.0, composite=1.0)
    block = SyntheticFaces(head, config, 3, backdrops).block(0)
    assert set(block.kinds) == {"composite"}
    photo = backdrops.picture(0, 64)
    corners = [np.abs(picture(block, k)[:10, :10] - photo[:10, :10]).mean() for k in range(4)]
    middles = [np.abs(picture(block, k)[28:44, 26:38] - photo[28:44, 26:38]).mean() for k in range(4)]
    assert np.median(corners) < 0.12 < np.median(middles) * 2
    assert np.median(middles) > np.median(corners)


def test_only_verified_portraits_stand_behind_faces(
    portraits: Path, head: OpenHead, backdrops: Backdrops, tmp_path: Path
) -> None:
    assert [Path(file).name for file in backdrops.files] == ["a.jpg"]
    table = (portraits / "metadata.csv").read_text().replace("CC0,1", "CC0,0")
    shutil.copytree(portraits, tmp_path / "none")
    (tmp_path / "none" / "metadata.csv").write_text(table)
    with pytest.raises(BadBackdrops, match="no training portrait with a verified licence"):
        read_backdrops(tmp_path / "none", head, tmp_path / "poses.npz")
    assert len(read_backdrops(tmp_path / "none", head, tmp_path / "poses.npz", unverified=True)) == 2


def test_hair_follows_the_head(head: OpenHead) -> None:
    women, men = make_outfits(head, 1, torch.Generator().manual_seed(4))
    part = next(part for outfit in women + men for part in outfit.hairy + outfit.glasses)
    np.testing.assert_allclose(part.on(np.zeros((len(head.mean), 3), np.float32)), part.vertices)
    moved = np.broadcast_to(np.array([3, -2, 5], np.float32), (len(head.mean), 3))
    np.testing.assert_allclose(part.on(moved), part.vertices + moved[:1], atol=1e-3)


def test_an_occluder_leaves_the_middle_free() -> None:
    black = np.zeros((60, 60, 3), np.float32)
    rng = np.random.default_rng(0)
    hidden = np.stack([(occluded(rng, black) > 0).any(2) for _ in range(100)])
    assert hidden.any(axis=(1, 2)).mean() > 0.9
    assert not hidden[:, 27:33, 27:33].any()


def test_shards_bring_back_what_was_drawn_and_a_second_call_draws_nothing(
    head: OpenHead, tmp_path: Path
) -> None:
    order = Order(7, 5, BARE)
    files = write_shards(order, tmp_path)
    before = [file.stat().st_mtime_ns for file in files]
    stored = next(read_shards(tmp_path))
    first = SyntheticFaces(head, BARE, seed=5).block(0)
    assert len(stored.jpegs) == 12 and stored.jpegs[:6] == first.jpegs
    for name in ("identity", "expression", "albedo"):
        torch.testing.assert_close(getattr(stored.code, name)[:6], getattr(first.code, name), atol=0, rtol=0)
    torch.testing.assert_close(stored.view.light[:6], first.view.light)
    torch.testing.assert_close(stored.points478[:6], first.points478)
    write_shards(order, tmp_path)
    assert [file.stat().st_mtime_ns for file in files] == before
    data = files[0].read_bytes()
    files[0].unlink()
    assert write_shards(order, tmp_path)[0].read_bytes() == data


def test_a_folder_of_another_order_or_a_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadShards, match="no shard"):
        next(read_shards(tmp_path))
    (tmp_path / "order.json").write_text(json.dumps({"count": 1, "seed": 9}))
    with pytest.raises(BadShards, match="other settings"):
        write_shards(Order(1, 1, BARE), tmp_path)
    (tmp_path / "shard-00000.tar").write_bytes(b"not a tar file")
    with pytest.raises(BadShards, match="not a whole shard"):
        read_shard(tmp_path / "shard-00000.tar")


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        SyntheticConfig(plain=0.7, composite=0.5)
