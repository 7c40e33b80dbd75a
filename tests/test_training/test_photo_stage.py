"""The photo stages: losses' gradients, poses, a short run, a kill, two processes as one."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import facegpt_model
from facegpt_model.data.features import read_seen
from facegpt_model.data.seen_photos import SIDE, read_seen_photos
from facegpt_model.fitting.landmark_fit import INNER
from facegpt_model.fitting.portraits import BadPortraits
from facegpt_model.fitting.pseudo_codes import NothingToFit
from facegpt_model.losses.landmarks import landmark_loss
from facegpt_model.losses.likeness import likeness_loss
from facegpt_model.losses.photometric import photometric_loss
from facegpt_model.losses.priors import code_prior, consistency_loss
from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception import analyse, load_photo
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.rendering.cameras import portrait_view, project, rotation_matrix
from facegpt_model.training import run
from facegpt_model.training.config import ConfigError, load_config
from facegpt_model.training.tower_codes import read_codes
from facegpt_model.training.tower_data import portraits_of, read_faces
from facegpt_model.training.tower_photos import PhotoConfig, PhotoStage
from facegpt_model.vlm.tower import FaceTower, TowerSettings, read_tower, save_tower
from facegpt_model.vlm.tower_scene import aligned_view
from tests.test_training.halves import in_two, learn_half

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"
SMALL = [
    *("held_out=4", "faces_per_step=8", "photos_per_step=2", "compared=1", "ema=0.5", "warmup_steps=1"),
    *("scene_ridge=0.1", "learning_rate=1e-3"),
]
PEOPLE = 24


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load("openhead@2")
    assert isinstance(model, OpenHead)
    return model


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, head: OpenHead) -> Path:
    """faces: features without pictures, in pairs; portraits: one photograph under six names and four shifts
    of colour; codes.npz for three of them; tower: a small untrained one."""
    root = tmp_path_factory.mktemp("photos")
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "embedding": (128,), "grid": (256, 4, 4), "middle": (128, 8, 8), "trunk16": (1,),
        "trunk8": (8, 8, 128), "trunk2": (2, 2, 128), "points": (478, 3), "blendshapes": (52,),
    }  # fmt: skip
    faces = {name: torch.randn(PEOPLE, *size, generator=generator).half() for name, size in shapes.items()}
    truths = {
        "identity": 0.5 * torch.randn(PEOPLE, 150, generator=generator),
        "expression": torch.zeros(PEOPLE, 52),
        "rotation": torch.zeros(PEOPLE, 3), "translation": torch.zeros(PEOPLE, 3),
        "focal": torch.ones(PEOPLE), "points478": torch.zeros(PEOPLE, 478, 2),
        "person": torch.arange(PEOPLE) // 2,
    }  # fmt: skip
    (root / "faces").mkdir()
    torch.save({**faces, **truths, "kind": ["plain"] * PEOPLE}, root / "faces" / "00000.pt")
    photo = load_photo(PORTRAIT)
    face = analyse(photo)[0]
    folder = root / "portraits"
    (folder / "images").mkdir(parents=True)
    names = [f"p{k}.png" for k in range(8)]
    rows = ["file,person_id,source,licence,licence_verified,attribution," + ",".join(
        f"l{k}_x,l{k}_y" for k in range(68)
    )]  # fmt: skip
    for k, name in enumerate(names):
        photo.point(lambda level, k=k: min(255, level + 4 * k)).save(folder / "images" / name)
        verified = int(k != 7)
        rows.append(f"images/{name},person{k},source{k % 2},CC0,{verified},nobody," + ",".join(["1"] * 136))
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    points = np.repeat(face.points478.numpy()[None], 8, axis=0)
    np.savez(
        folder / "landmarks.npz", files=names, landmarks478=points,
        blendshapes=np.repeat(face.blendshapes.numpy()[None], 8, axis=0), blendshape_names=BLENDSHAPE_NAMES,
    )  # fmt: skip
    view = torch.cat([torch.zeros(3, 7), 0.5 * torch.ones(3, 27)], dim=1).numpy()
    np.savez(
        root / "codes.npz", files=names[:3], basis=np.array([head.basis] * 3),
        identity=0.3 * np.ones((3, 150), np.float32), expression=0.1 * np.ones((3, 52), np.float32),
        albedo=0.2 * np.ones((3, head.layout.albedo), np.float32), view=view,
    )  # fmt: skip
    torch.manual_seed(0)
    tower = FaceTower(TowerSettings(width=32, depth=1, dropout=0))
    tower.learn_scales(read_seen(root / "faces").features(torch.arange(PEOPLE)))
    save_tower(tower, torch.zeros(150), root / "tower", {"name": "test"})
    photos = portraits_of(folder, root / "seen", None, lambda doing, share: None)
    assert len(photos) == 7  # the one without a verified licence is left out
    return root


def settings_of(places: Path, *overrides: str) -> list[str]:
    return [
        *SMALL, f"faces={places / 'faces'}", f"portraits={places / 'seen'}", f"codes={places / 'codes.npz'}",
        f"start={places / 'tower'}", *overrides,
    ]  # fmt: skip


def stage_of(places: Path, *overrides: str) -> PhotoStage:
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    torch.manual_seed(0)
    config = load_config(PhotoConfig, "photos", "cpu", settings_of(places, *overrides))
    photos = read_seen_photos(Path(config.portraits))
    tower, _ = read_tower(Path(config.start))
    codes = read_codes(Path(config.codes), head, photos)
    return PhotoStage(head, tower, read_faces(config.faces), photos, codes, config)


def test_gradients_of_the_losses_match_finite_differences(head: OpenHead) -> None:
    torch.manual_seed(0)
    picture = 0.1 + 0.8 * torch.rand(2, 3, 4, 4, dtype=torch.float64)
    photo, mask = torch.rand(2, 3, 4, 4).double(), (torch.rand(2, 1, 4, 4) > 0.3).double()
    assert gradcheck(lambda p: photometric_loss(p, photo, mask), picture.requires_grad_())
    points = torch.rand(2, 5, 2, dtype=torch.float64, requires_grad=True)
    eyes = torch.tensor([2.0, 3.0]).double()
    detected = torch.rand(2, 5, 2).double()
    assert gradcheck(lambda p: landmark_loss(p, detected, eyes), points)
    embedding = torch.randn(2, 128, dtype=torch.float64, requires_grad=True)
    wanted = torch.randn(2, 128).double()
    assert gradcheck(lambda e: likeness_loss(e, wanted), embedding)
    codes = [torch.randn(2, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert gradcheck(lambda *c: code_prior(*c, torch.ones(2, 4).double()), tuple(codes))
    metric = ShapeMetric(head).double()
    first = torch.randn(2, 150, dtype=torch.float64, requires_grad=True)
    second = torch.randn(2, 150, dtype=torch.float64, requires_grad=True)
    spread = torch.tensor(3.0).double()
    assert gradcheck(lambda a, b: consistency_loss(a, b, metric, spread), (first, second))


def test_losses_are_zero_where_nothing_is_wrong_and_forgive_outliers(head: OpenHead) -> None:
    photo = 0.2 + 0.6 * torch.rand(1, 3, 4, 4)
    linear, everywhere = photo.pow(2.2), torch.ones(1, 1, 4, 4)
    assert float(photometric_loss(linear, photo, everywhere)) == pytest.approx(0, abs=1e-5)
    empty = linear.clone().requires_grad_()
    loss = photometric_loss(empty, photo, torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == 0 and empty.grad is not None and float(empty.grad.abs().max()) == 0
    far = [float(photometric_loss(linear, (photo + gap).clamp(0, 5), everywhere)) for gap in (0.1, 1.0, 3.0)]
    assert far[0] < 0.5 and far[2] - far[1] < 0.05  # a lock of hair is no worse than a fringe
    points = torch.rand(1, 5, 2)
    assert float(landmark_loss(points, points, torch.ones(1))) == 0
    assert float(landmark_loss(points, points + 1, torch.tensor([2.0]))) == pytest.approx(
        float(landmark_loss(3 * points, 3 * points + 3, torch.tensor([6.0])))
    )
    still = head.mean_code(2)
    assert float(code_prior(still.identity, still.albedo, still.expression, still.expression)) == 0


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 10, 0), (-20, -15, 40)])
def test_the_aligned_view_is_that_of_the_picture(
    head: OpenHead, yaw: float, pitch: float, roll: float
) -> None:
    view = portrait_view(yaw, pitch, SIDE)
    turn = rotation_matrix(torch.tensor([[0.0, 0.0, math.radians(roll)]]))
    shape = head.landmarks468(head.vertices(head.mean_code()))[:, INNER]
    flat = project(shape, view)[..., :2]
    turned = (flat - SIDE / 2) @ turn[:, :2, :2].transpose(1, 2) + SIDE / 2 + torch.tensor([7.0, -4.0])
    both = torch.cat([flat, turned])
    found = aligned_view(shape.expand(2, -1, -1), both, SIDE)
    again = project(shape.expand(2, -1, -1), found)[..., :2]
    torch.testing.assert_close(again, both, atol=0.15, rtol=0)
    torch.testing.assert_close(
        rotation_matrix(found.rotation[:1]), rotation_matrix(view.rotation), atol=0.03, rtol=0
    )


def test_a_short_run_comes_nearer_to_its_portraits(places: Path, tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []
    settings = settings_of(places, "steps=20", "learning_rate=3e-3")
    out = run.main("photos", "cpu", settings, tmp_path, lines.append)
    names = {"synthetic", "consistency", "photometric", "landmarks", "likeness", "prior", "pseudo"}
    assert names <= set(lines[0])
    assert lines[-1]["photometric"] < lines[0]["photometric"]
    assert lines[-1]["landmarks"] < lines[0]["landmarks"]
    card = json.loads((out / "tower.json").read_text())["card"]
    assert card["portraits"] + 0 < 7 and card["pseudo_codes"] == 3 and card["steps"] == 20
    assert card["before"]["landmark_percent"] > 0 and set(card["before"]) == set(card["after"])
    before, _ = read_tower(places / "tower")
    after, offset = read_tower(out)
    assert not torch.equal(before.linear.weight, after.linear.weight) and float(offset.abs().max()) > 0


def test_a_loss_of_weight_zero_is_left_out(places: Path) -> None:
    stage = stage_of(places, "photometric_weight=0", "likeness_weight=0", "pseudo_weight=0")
    batch = stage.batch(stage.train_photos[:2], torch.arange(8), 4)
    assert set(stage(batch)) == {"synthetic", "consistency", "landmarks", "prior"}
    bare = stage_of(places, *(f"{n}_weight=0" for n in ("photometric", "landmark", "likeness", "pseudo")))
    assert set(bare(batch)) == {"synthetic", "consistency"}


def test_pairs_show_one_person_and_the_colours_reach_the_tower(places: Path) -> None:
    stage = stage_of(places).train()
    batch = next(stage.batches(random.Random(0)))
    faces = stage.faces
    row = {tuple(v.tolist()): int(p) for v, p in zip(faces.identity[:, :3], faces.person, strict=True)}
    people = [row[tuple(v.tolist())] for v in batch.identity[: batch.paired, :3]]
    assert batch.paired == 4 and people[0::2] == people[1::2]
    stage(batch)["photometric"].backward()
    for part in (stage.scene.linear.weight, stage.tower.linear.weight, stage.tower.correct.weight):
        assert part.grad is not None and float(part.grad.abs().max()) > 0


def test_what_is_missing_is_told(places: Path, tmp_path: Path, head: OpenHead) -> None:
    with pytest.raises(ConfigError, match="needs portraits=FOLDER"):
        run.main("photos", "cpu", [f"faces={places / 'faces'}"], tmp_path / "a")
    photos = read_seen_photos(places / "seen")
    with pytest.raises(NothingToFit, match="holds no code of these portraits"):
        read_codes(places / "codes.npz", head, replace(photos, names=("other.png",) * len(photos)))
    with pytest.raises(BadPortraits, match="holds no seen portraits"):
        read_seen_photos(tmp_path)
    with pytest.raises(ValueError, match="too few for a step"):
        stage_of(places, "faces_per_step=100")


def test_a_killed_run_goes_on(places: Path, tmp_path: Path) -> None:
    settings = settings_of(places, "steps=60", "save_minutes=0.0001", "likeness_weight=0")
    code = (
        "from pathlib import Path\nfrom facegpt_model.training import run\n"
        f"run.main('photos', 'cpu', {settings!r}, Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})
    log = tmp_path / "log.jsonl"
    try:
        for _ in range(6000):
            if log.is_file() and log.read_text().count("\n") >= 2:
                break
            time.sleep(0.1)
        else:
            pytest.fail("the run never began")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    killed_at = torch.load(tmp_path / "resume.pt", weights_only=True)["progress"]["step"]
    assert 10 <= killed_at < 60 and not (tmp_path / "checkpoint").exists()
    run.main("photos", "cpu", settings, tmp_path)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps[-1] == 60 and len(steps) <= 8  # nothing began again from the first step
    assert (tmp_path / "checkpoint" / "tower.safetensors").is_file()


def learn(rank: int, places: str, meeting: str, results: str) -> None:
    """One of two processes."""
    stage = stage_of(Path(places), "compared=2").train()
    photos = stage.train_photos[2 * rank : 2 * rank + 2]
    batch = stage.batch(photos, torch.arange(4 * rank, 4 * rank + 4), 4)
    learn_half(stage, batch, stage.tower.correct.weight, rank, meeting, results)


@pytest.mark.slow
def test_two_processes_learn_from_photos_what_one_does(places: Path, tmp_path: Path) -> None:
    halves = in_two("tests.test_training.test_photo_stage", places, tmp_path)
    stage = stage_of(places, "compared=4").train()
    total = torch.stack(list(stage(stage.batch(stage.train_photos[:4], torch.arange(8), 8)).values())).sum()
    total.backward()
    torch.testing.assert_close(
        (halves[0]["loss"] + halves[1]["loss"]) / 2, total.detach(), atol=1e-5, rtol=1e-5
    )
    gradient = stage.tower.correct.weight.grad
    assert gradient is not None and float(gradient.abs().max()) > 0
    torch.testing.assert_close(halves[0]["gradient"], halves[1]["gradient"])
    gap = (halves[0]["gradient"] - gradient).norm() / gradient.norm()
    assert float(gap) < 0.01  # single precision: a pixel may see the neighbouring triangle
