"""An exported checkpoint loads in transformers' Llava class and reads the same faces."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlavaForConditionalGeneration

from facegpt_model.serving.backend import ChatTurn, CheckpointError
from facegpt_model.serving.export import ADAPTER, export_checkpoint, read_card
from facegpt_model.serving.launch import ServeSettings, command
from facegpt_model.serving.slots import (
    OFFSET,
    ROWS_SCALE,
    axis_slot,
    heard_again,
    heard_numbers,
    slot_tokens,
)
from facegpt_model.vlm.clause_head import Heard
from facegpt_model.vlm.face_head import FaceHead
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, load_checkpoint
from facegpt_model.vlm.tokens import FACE, prompt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_checkpoint(tmp_path_factory.mktemp("served") / "model", precision="float32")


def test_transformers_reads_the_export_as_the_checkpoint_itself(folder: Path) -> None:
    gpt = load_checkpoint(SHIPPED_CHECKPOINT)
    text = prompt([ChatTurn("user", "a man with a broad nose")], ()) + f"A man with a broad nose. {FACE}"
    ids = gpt.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    served = LlavaForConditionalGeneration.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert torch.equal(tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids, ids)
    with torch.no_grad():
        own = gpt.model.model.language_model(input_ids=ids).last_hidden_state
        theirs = served.model.language_model(input_ids=ids).last_hidden_state
    assert torch.allclose(own, theirs, atol=1e-4)
    tensors = load_file(folder / "model.safetensors")
    head = FaceHead(own.shape[-1], gpt.model.face_head.value.in_features, gpt.axes.directions)
    head.load_state_dict({n.removeprefix("face_head."): t for n, t in tensors.items() if "face_head." in n})
    code = gpt.model.face_head(own[:, -1])
    assert code.abs().max() > 0.1 and torch.allclose(head(theirs[:, -1]), code, atol=1e-3)


def test_an_adapter_kept_apart_makes_the_same_model(folder: Path, tmp_path: Path) -> None:
    apart = export_checkpoint(tmp_path / "apart", merged=False)
    merged, base = (load_file(one / "model.safetensors") for one in (folder, apart))
    adapter = load_file(apart / ADAPTER / "adapter_model.safetensors")
    config = json.loads((apart / ADAPTER / "adapter_config.json").read_text())
    layers = [name for name in merged if ".layers." in name and "language_model" in name]
    changed = [name for name in layers if not torch.equal(merged[name], base[name])]
    prefix = "base_model.model."
    assert changed and len(changed) == len(adapter) // 2
    for name in (changed[0], changed[-1]):
        down, up = (adapter[prefix + name.replace("weight", f"lora_{part}.weight")] for part in "AB")
        whole = base[name] + config["lora_alpha"] / config["r"] * up @ down
        assert torch.allclose(whole, merged[name], atol=1e-5)
    line = command(ServeSettings(model=apart), Path("python"), "facegpt@test")
    assert f"facegpt@test={apart / ADAPTER}" in line and "--served-model-name=facegpt@test-base" in line
    plain = command(ServeSettings(model=folder), Path("python"), "facegpt@test")
    assert "--enable-lora" not in plain and "--served-model-name=facegpt@test" in plain


def test_the_slots_stand_in_the_vocabulary_in_the_order_of_the_card(folder: Path) -> None:
    card = read_card(folder)
    config = json.loads((folder / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    slots = slot_tokens(card["axes"], bool(card["hears"]), card["intents"], card["looks"])
    ids = tokenizer.convert_tokens_to_ids(slots)
    start = config["face_slot_start"]
    assert ids == list(range(start, start + len(slots))) and config["face_axes"] == len(card["axes"])
    assert config["text_config"]["vocab_size"] == start + len(slots) == len(tokenizer)
    assert tokenizer(axis_slot("cupid's bow"), add_special_tokens=False).input_ids == [
        ids[card["axes"].index("cupid's bow")]
    ]


def test_the_chat_template_writes_the_prompt_of_this_house(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    turns = [ChatTurn("user", "an old man"), ChatTurn("assistant", "A man."), ChatTurn("user", "younger")]
    messages = [{"role": "system", "content": "You are FaceGPT. Faces: face-1."}]
    messages += [{"role": turn.role, "content": turn.text} for turn in turns]
    written = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert written == prompt(turns, ["face-1"])


def test_other_folders_are_left_alone_and_told_apart(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="holds other files"):
        export_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="json is missing; write one with"):
        read_card(tmp_path)


def test_what_was_heard_survives_as_numbers() -> None:
    ends = torch.full((2, 40), -9.0)
    ends[0, 27], ends[0, 3] = 5.0, 4.0
    degrees = torch.zeros(2, 40, 3)
    degrees[0, 27, 2], degrees[0, 3, 1] = 3.0, 3.0
    numbers = heard_numbers(Heard(ends, degrees))
    told = [13.0 / ROWS_SCALE, -17.0 / ROWS_SCALE]  # axis 7 high, axis 3 low, of 20
    assert numbers[0, :2].tolist() == told and numbers.abs().max() <= 2.0
    assert numbers[0, 12:14].min() > 0.98 and numbers[1, 12:24].max() < 0.01
    assert numbers[0, 24:26].tolist() == [2.0, 1.0]  # strong, plain
    many = 9 * torch.eye(300)  # the likeliest end is each of 150 axes' two in turn
    slots = heard_numbers(Heard(many, torch.zeros(300, 300, 3)))
    assert slots.max() + OFFSET < -90  # else a slot would be said instead of a word
    again = heard_again(numbers, [20 - axis for axis in range(20)])
    assert torch.allclose(again.ends.sigmoid(), ends.sigmoid(), atol=2e-4)
    assert torch.equal(again.degrees.argmax(-1)[0, [27, 3]], degrees.argmax(-1)[0, [27, 3]])
    fewer = heard_again(numbers, [0] * 7 + [13] + [0] * 12)  # a house that knows axis 7 only
    assert fewer.ends.sigmoid()[0].argmax() == 27 and fewer.ends.sigmoid()[0, 3] < 0.01
