"""The instruction stage for real, three steps long: train, save, load, answer."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from facegpt_model.training import run
from facegpt_model.training.config import ConfigError, load_preset
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, load_base, load_checkpoint, read_checkpoint


@pytest.mark.slow
def test_three_steps_make_a_checkpoint_that_loads(tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []
    folder = run.main("instruction", "tiny", ["steps=10"], tmp_path, lines.append)
    assert lines and {"language", "replay"} <= set(lines[0])
    with pytest.raises(ConfigError, match="other settings"):
        run.main("instruction", "tiny", ["steps=11"], tmp_path)
    gpt = load_checkpoint(folder)
    saved = torch.load(tmp_path / "resume.pt", weights_only=True)["trainable"]
    rows = gpt.token_rows[gpt.special_ids]
    assert torch.allclose(rows, saved["rows"], atol=1e-3)
    assert torch.allclose(gpt.model.face_head.value.weight, saved["face_head.value.weight"], atol=1e-3)
    assert gpt.model.lm_head.weight.data_ptr() == gpt.token_rows.data_ptr()


def test_a_run_begins_from_a_checkpoint_by_the_names_of_its_axes(tmp_path: Path) -> None:
    meta, tensors = read_checkpoint(SHIPPED_CHECKPOINT)
    names = list(meta["axes"])
    forgotten = {**meta, "axes": [name if name != "nose width" else "nose girth" for name in names]}
    (tmp_path / "facegpt.json").write_text(json.dumps(forgotten))
    shutil.copy(SHIPPED_CHECKPOINT / "facegpt.safetensors", tmp_path)
    stage = InstructionStage(load_base(), load_preset("instruction", "cpu"))
    before = stage.model.face_head.value.weight[stage.gpt.axes.row("nose width")].clone()
    stage.begin_from(tmp_path)
    head = stage.model.face_head
    found = tensors["face_head.value.weight"]
    assert torch.equal(head.value.weight[stage.gpt.axes.row("smile")], found[names.index("smile")])
    assert torch.equal(head.value.weight[stage.gpt.axes.row("nose width")], before)
    assert torch.equal(stage.rows, tensors["token_rows"])
    other = InstructionStage(load_base(), load_preset("instruction", "tiny"))
    with pytest.raises(ConfigError, match="other adapters"):
        other.begin_from(tmp_path)


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(ConfigError, match="no stage called 'castle'"):
        run.main("castle")


def test_what_hears_may_learn_slower_than_what_answers() -> None:
    config = load_preset("instruction", "cpu", ["hearing_rate=0.2", "lora.first_layer=20", "lora.rank=2"])
    stage = InstructionStage(load_base(), config)
    rates = {id(p): group["rate_factor"] for group in stage.parameter_groups() for p in group["params"]}  # type: ignore[attr-defined]
    named = {name: rates.pop(id(p)) for name, p in stage.named_parameters() if p.requires_grad}
    assert not rates  # every parameter learns, and none is named twice
    assert {rate for name, rate in named.items() if ".21." in name or "clause_head" in name} == {0.2}
    assert {rate for name, rate in named.items() if ".22." in name or name == "rows"} == {1.0}
    assert {rate for name, rate in named.items() if "face_head" in name} == {config.head_rate}
