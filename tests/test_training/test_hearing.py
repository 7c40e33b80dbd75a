"""The hearing stage for real: it learns below the layer it reads, leaves the rest alone, and loads."""

import random
from pathlib import Path

import pytest
import torch

from facegpt_model.data.collate import Coded
from facegpt_model.data.overheard import overheard
from facegpt_model.data.packing import ROW, Packer
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


def test_packed_texts_are_read_as_if_each_were_alone() -> None:
    stage = HearingStage(load_base(), load_preset("hearing", "cpu", SMALL))
    packer = Packer(stage.collator)
    rng = random.Random(0)
    row: list[Coded] = []
    while len(row) < 4:
        one = packer.encode(overheard(rng))
        begin = one.heard[0][0] if one.heard else 0
        if one.heard and (not row or one.ids[:begin] == row[0].ids[: row[0].heard[0][0]]):
            row.append(one)
    batch = packer.batch([row, row[:1]])
    with torch.no_grad():
        packed = stage.ear(batch.ids, batch.positions, batch.sees)[batch.heard[:, 0], batch.heard[:, 1]]
        alone = [stage.ear(torch.tensor([one.ids]))[0, [token for token, _ in one.heard]] for one in row]
    assert torch.allclose(packed, torch.cat([*alone, alone[0]]), atol=1e-3 * float(packed.abs().max()))
    meant = [values for one in (*row, row[0]) for _, values in one.heard]
    assert torch.equal(batch.meant, torch.stack(meant)) and batch.meant.any()


def test_a_row_is_filled_and_not_overfull() -> None:
    stage = HearingStage(load_base(), load_preset("hearing", "cpu", SMALL))
    batch = next(stage.batches(random.Random(1)))
    assert batch.ids.shape[0] == 1 and 120 < batch.ids.shape[1] <= ROW
