"""Photos through <FACE>: both maps in closed form, their file, and what is spoken of a portrait."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

import facegpt_model
from facegpt_model.perception import analyse, load_photo
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.serving.backend import BackendError
from facegpt_model.training.config import ConfigError
from facegpt_model.training.sight import SightConfig, align
from facegpt_model.vlm.looking import spoken_face
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint
from facegpt_model.vlm.sight import Sight, face_states, read_sight, save_sight
from facegpt_model.vlm.tower import load_identity_prior

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def gpt() -> FaceGPT:
    return load_checkpoint(SHIPPED_CHECKPOINT)


@pytest.fixture(scope="module")
def codes() -> Tensor:
    return 0.5 * torch.randn(960, 150, generator=torch.Generator().manual_seed(1)) + 0.1


@pytest.fixture(scope="module")
def aligned(gpt: FaceGPT, codes: Tensor) -> tuple[Sight, float]:
    return align(gpt, codes, SightConfig(held_out=64))


def test_codes_survive_the_frozen_layers(gpt: FaceGPT, codes: Tensor, aligned: tuple[Sight, float]) -> None:
    sight, agreement = aligned
    assert 0.9 < agreement < 1
    model = gpt.model.model.language_model
    together = face_states(model, gpt.tokenizer, sight.shown(codes[-4:]))
    alone = face_states(model, gpt.tokenizer, sight.shown(codes[-1:]))
    told = sight(torch.cat([together, alone]))
    assert float((told[3] - told[4]).detach().norm() / codes[-1].norm()) < 0.1
    assert float((told[3] - codes[-1]).norm() / codes[-1].norm()) < 0.5
    silent = sight(face_states(model, gpt.tokenizer, torch.zeros(1, model.config.hidden_size)))
    assert float((silent[0] - codes.mean(0)).norm()) < float((silent[0] - codes[-1]).norm())


def test_too_few_faces_are_refused(gpt: FaceGPT, codes: Tensor) -> None:
    with pytest.raises(ConfigError, match="at least 640 are needed"):
        align(gpt, codes[:600], SightConfig(held_out=64))


def test_sight_belongs_to_its_checkpoint(aligned: tuple[Sight, float], tmp_path: Path) -> None:
    sight, _ = aligned
    shutil.copy(SHIPPED_CHECKPOINT / "facegpt.safetensors", tmp_path)
    assert read_sight(tmp_path) is None
    save_sight(sight, tmp_path, {"name": "test"})
    again = read_sight(tmp_path)
    assert again is not None
    state = torch.randn(2, sight.lift.shape[1])
    torch.testing.assert_close(again(state), sight(state))
    torch.testing.assert_close(again.lift, sight.lift)
    with (tmp_path / "facegpt.safetensors").open("ab") as file:
        file.write(b"x")
    assert read_sight(tmp_path) is None


def test_a_portrait_is_spoken_as_the_tower_reads_it(gpt: FaceGPT, aligned: tuple[Sight, float]) -> None:
    photo = load_photo(PORTRAIT)
    gpt.sight = aligned[0]
    estimate = spoken_face(gpt, photo, "photo:test", "facegpt-test")
    face = analyse(photo)[0]
    mean, _ = load_identity_prior()(photo_tensor(photo)[None], face.points478[None], face.blendshapes[None])
    assert float((estimate.code.identity - mean).norm() / mean.norm()) < 0.4
    assert estimate.view is None and estimate.source == "photo:test"
    assert 0 <= float(estimate.code.expression.min()) <= float(estimate.code.expression.max()) <= 1


def test_a_checkpoint_without_sight_says_so(gpt: FaceGPT) -> None:
    gpt.sight = None
    with pytest.raises(BackendError, match="facegpt train alignment"):
        spoken_face(gpt, load_photo(PORTRAIT))
