"""The assembled model: prompt, face head, adapters, checkpoints."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.autograd import gradcheck
from transformers import LlamaConfig, LlamaModel

from facegpt_model.serving.backend import ChatTurn, CheckpointError, ToolCall
from facegpt_model.serving.in_process import SHIPPED_CHECKPOINT
from facegpt_model.vlm.face_head import MENTIONED, FaceHead
from facegpt_model.vlm.lora import LoraSettings, add_lora, load_lora, lora_tensors, merge_lora
from facegpt_model.vlm.model import load_checkpoint
from facegpt_model.vlm.tokens import prompt


def test_the_prompt_holds_the_state_and_the_running_turn_only() -> None:
    turns = [
        ChatTurn("system", "long instructions"),
        ChatTurn("user", "an old man"),
        ChatTurn("assistant", "A man of about 75. <FACE>"),
        ChatTurn("user", "here", photo_names=("photo-1",)),
        ChatTurn("assistant", "", (ToolCall("1", "reconstruct", {"photo": "photo-1"}),)),
        ChatTurn("tool", "face-2 from a.jpg", tool_name="reconstruct"),
    ]
    assert prompt(turns, ["face-1", "face-2"]) == (
        "<|im_start|>system\nYou are FaceGPT. Faces: face-1, face-2. Photos: photo-1.<|im_end|>\n"
        "<|im_start|>user\n[photo-1] here<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>{"name":"reconstruct","arguments":{"photo":"photo-1"}}<|im_end|>\n'
        "<|im_start|>tool\nface-2 from a.jpg<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_face_head_moves_only_mentioned_axes_and_batches_agree() -> None:
    torch.manual_seed(0)
    head = FaceHead(8, 16, torch.randn(5, 12))
    torch.nn.init.normal_(head.mention.bias, std=3.0)
    hidden = torch.randn(2, 8)
    read = head.readout(hidden)
    assert ((read.mention > MENTIONED).any() and (read.mention < MENTIONED).any()).item()
    expected = (read.values * (read.mention > MENTIONED)) @ head.directions
    assert torch.allclose(head(hidden), expected, atol=1e-6)
    assert torch.allclose(head(hidden), torch.cat([head(hidden[:1]), head(hidden[1:])]), atol=1e-6)


def test_face_head_gradient_matches_finite_differences() -> None:
    torch.manual_seed(1)
    head = FaceHead(4, 6, torch.randn(3, 5)).double()
    hidden = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda h: head.readout(h).values, (hidden,))
    assert gradcheck(lambda h: head.readout(h).mention, (hidden,))


def test_the_directions_are_not_part_of_the_checkpoint() -> None:
    assert "directions" not in FaceHead(4, 6, torch.randn(3, 5)).state_dict()


def tiny_llama() -> LlamaModel:
    torch.manual_seed(0)
    sizes = dict(vocab_size=20, hidden_size=16, intermediate_size=24, num_hidden_layers=3)
    return LlamaModel(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=1)).eval()


def test_a_merged_adapter_computes_what_the_adapter_computed() -> None:
    ids = torch.randint(20, (2, 6))
    adapted = tiny_llama()
    add_lora(adapted, LoraSettings(rank=2, alpha=4, first_layer=1))
    tensors = {k: torch.randn_like(v) * 0.1 for k, v in lora_tensors(adapted).items()}
    assert {k.split(".")[1] for k in tensors} == {"1", "2"}
    plain = tiny_llama()
    before = plain(ids).last_hidden_state
    add_lora(plain, LoraSettings(rank=2, alpha=4, first_layer=1))
    merged = merge_lora(plain, tensors)
    load_lora(adapted, tensors)
    assert torch.allclose(merged(ids).last_hidden_state, adapted(ids).last_hidden_state, atol=1e-5)
    assert not torch.allclose(merged(ids).last_hidden_state, before, atol=1e-3)


def test_a_missing_checkpoint_is_told_with_the_mending_command(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"facegpt\.json is missing.*facegpt train"):
        load_checkpoint(tmp_path)


def test_a_corrupt_checkpoint_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHIPPED_CHECKPOINT / "facegpt.json", tmp_path)
    (tmp_path / "facegpt.safetensors").write_bytes(b"not a tensor file")
    with pytest.raises(CheckpointError, match="corrupt"):
        load_checkpoint(tmp_path)


def test_a_face_head_with_too_few_axes_is_refused(tmp_path: Path) -> None:
    for file in ("facegpt.json", "facegpt.safetensors"):
        shutil.copy(SHIPPED_CHECKPOINT / file, tmp_path)
    meta = json.loads((tmp_path / "facegpt.json").read_text())
    (tmp_path / "facegpt.json").write_text(json.dumps(meta | {"axes": ["nose width"]}))
    with pytest.raises(CheckpointError, match="rows for 1 axes"):
        load_checkpoint(tmp_path)


def test_axes_are_found_by_name_and_unknown_ones_stay_silent(tmp_path: Path) -> None:
    shutil.copy(SHIPPED_CHECKPOINT / "facegpt.safetensors", tmp_path)
    meta = json.loads((SHIPPED_CHECKPOINT / "facegpt.json").read_text())
    renamed = ["nose girth" if name == "nose width" else name for name in meta["axes"]]
    (tmp_path / "facegpt.json").write_text(json.dumps(meta | {"axes": renamed}))
    whole, without = load_checkpoint(SHIPPED_CHECKPOINT), load_checkpoint(tmp_path)
    assert set(without.silent_axes) - set(whole.silent_axes) == {"nose width"}
    row = whole.axes.row("nose width")
    hidden = 3 * torch.randn(64, 576, generator=torch.Generator().manual_seed(0))
    read = without.model.face_head.readout(hidden)
    assert (read.mention[:, row] < MENTIONED).all() and not read.values[:, row].any()
    rest = [i for i in range(len(whole.axes.names)) if i != row]
    assert torch.equal(read.values[:, rest], whole.model.face_head.readout(hidden).values[:, rest])


def test_the_shipped_checkpoint_is_small() -> None:
    assert (SHIPPED_CHECKPOINT / "facegpt.safetensors").stat().st_size < 15e6
