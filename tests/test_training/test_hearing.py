"""The hearing stage for real: it learns below the layer it reads, leaves the rest alone, and loads."""

from pathlib import Path

import pytest
import torch

from facegpt_model.training import run
from facegpt_model.training.config import load_preset
from facegpt_model.training.hearing import HearingStage
from facegpt_model.vlm.model import load_base, load_checkpoint

SMALL = ["steps=3", "tokens_per_step=200", "warmup_steps=1", "lora.first_layer=20", "lora.rank=2"]


@pytest.mark.slow
def test_three_steps_make_a_checkpoint_that_hears(tmp_path: Path) -> None:
    folder = run.main("hearing", "cpu", SMALL, tmp_path)
    assert load_checkpoint(folder).clause_layer == 22


def test_only_what_lies_below_the_ear_learns() -> None:
    config = load_preset("hearing", "cpu", SMALL)
    stage = HearingStage(load_base(), config)
    learned = {name for name, parameter in stage.named_parameters() if parameter.requires_grad}
    assert any(".layers.21." in name for name in learned) and any("clause_head" in name for name in learned)
    assert not any(f".layers.{layer}." in name for name in learned for layer in (*range(20), *range(22, 30)))
    assert not any("face_head" in name or name == "rows" for name in learned)


def test_the_ear_reads_what_the_whole_model_passes_on() -> None:
    stage = HearingStage(load_base(), load_preset("hearing", "cpu", SMALL))
    ids = torch.tensor([stage.gpt.tokenizer("a man with thin lips", add_special_tokens=False).input_ids])
    with torch.no_grad():
        whole = stage.language_model(input_ids=ids, output_hidden_states=True).hidden_states[22]
        assert torch.equal(stage.ear(ids), whole)
    assert len(stage.language_model.layers) == 30
