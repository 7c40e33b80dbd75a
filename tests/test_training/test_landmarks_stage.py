"""The stage of the dense landmarks: known offsets are recovered, doubts become honest, runs go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from facegpt_model.data.features import crops_seen
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.training import run
from facegpt_model.training.config import ConfigError, load_config
from facegpt_model.training.landmarks import LandmarksConfig, LandmarksStage
from facegpt_model.vlm.dense_points import LANDMARKS, read_dense_points

FACES = 120
SMALL = [
    "held_out=24", "batch_size=12", "vertices=30", "rank=6", "channels=4", "width=8",
    "feature_noise=0", "ridge=0.05", "learning_rate=0.01", "warmup_steps=2", "ema=0.9",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces whose detected landmarks are the mean face's, and whose embedding tells three ways to differ."""
    out = tmp_path_factory.mktemp("seen")
    head = load()
    assert isinstance(head, OpenHead)
    generator = torch.Generator().manual_seed(0)
    identity = torch.zeros(FACES, head.layout.identity)
    identity[:, :3] = torch.randn(FACES, 3, generator=generator)
    view = portrait_view(size=224, batch=FACES)
    empty = head.mean_code(FACES)
    code = FaceCode(identity, empty.expression, empty.albedo, head.basis)
    points478 = project(head.landmarks478(head.vertices(code)), view)[..., :2]
    mean = project(head.landmarks478(head.vertices(empty)), view)
    seen = crops_seen(7, points478).from_picture(mean[..., :2])
    tensors = {
        "embedding": torch.zeros(FACES, 128), "grid": torch.zeros(FACES, 256, 4, 4),
        "middle": torch.zeros(FACES, 128, 8, 8), "trunk16": torch.zeros(FACES, 16, 16, 128),
        "trunk8": torch.zeros(FACES, 8, 8, 128), "trunk2": torch.zeros(FACES, 2, 2, 128),
        "points": torch.cat([seen, seen[..., :1]], dim=2), "blendshapes": torch.zeros(FACES, 52),
    }  # fmt: skip
    tensors["embedding"][:] = identity[:, torch.arange(128) % 3]
    torch.save(
        {
            **{name: t.half() for name, t in tensors.items()},
            "identity": identity, "expression": code.expression, "rotation": view.rotation.clone(),
            "translation": view.translation.clone(), "focal": view.focal, "points478": points478,
            "person": torch.arange(FACES), "kind": ["plain"] * FACES,
        },
        out / "00007.pt",
    )  # fmt: skip
    return out


def stage_of(folder: Path, *overrides: str) -> LandmarksStage:
    head = load()
    assert isinstance(head, OpenHead)
    torch.manual_seed(0)
    config = load_config(LandmarksConfig, "landmarks", "cpu", [*SMALL, f"faces={folder}", *overrides])
    return LandmarksStage(head, config)


def test_known_offsets_are_recovered_with_honest_doubt(folder: Path, tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []
    out = run.main("landmarks", "cpu", [*SMALL, f"faces={folder}", "steps=120"], tmp_path, lines.append)
    card = json.loads((out / "points.json").read_text())["card"]
    missed, begun = card["held_out_percent_of_eyes"], card["held_out_of_closed_form"]
    for part in ("landmarks", "vertices", "jaw"):
        assert missed[f"{part}_detected"] > 1.0  # percent: these people differ from the mean face
        assert begun[part] < 0.5 * missed[f"{part}_detected"]  # read off in closed form
        assert missed[part] < 0.5 * missed[f"{part}_detected"]
    assert lines[-1]["surprise"] < lines[0]["surprise"] - 1
    assert 0.5 < missed["honest"] < 2
    assert read_dense_points(out).count == LANDMARKS + 30 + 17


def test_places_learned_from_are_those_of_the_picture(folder: Path) -> None:
    stage = stage_of(folder)
    stored = torch.load(folder / "00007.pt", weights_only=True)
    pixels = crops_seen(7, stored["points478"]).to_picture(stage.faces.places[:, :LANDMARKS])
    torch.testing.assert_close(pixels, stored["points478"], atol=0.01, rtol=0)


def test_a_run_goes_on_from_its_state(folder: Path) -> None:
    stage = stage_of(folder).train()
    stage(stage.batch(torch.arange(6)))
    with torch.no_grad():
        stage.net.mean.add_(1.0)
    stage(stage.batch(torch.arange(6)))
    other = stage_of(folder)
    other.restore({name: tensor.clone() for name, tensor in stage.trainable().items()})
    torch.testing.assert_close(other.net.mean, stage.net.mean)
    assert other.average.steps == 2
    other.finish()
    change = (other.net.mean - stage.net.mean).abs().max()
    assert 0.0 < change < 1.0  # the average lags behind


def test_faces_must_be_named_and_be_enough(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give faces=FOLDER"):
        run.main("landmarks", "cpu", [], tmp_path)
    with pytest.raises(ValueError, match="too few to keep 60"):
        stage_of(folder, "held_out=60")
