"""Write a checkpoint as one folder that transformers' Llava class and the vLLM plugin both load.

The adapter is merged into the language model or lies beside it, the vocabulary gets its parameter
slots, and the heads lie in the same safetensors file. Nothing of the head model is in it: a server reads
words, the client draws faces.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, LlamaConfig, LlavaProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from facegpt_model.dialogue.intents import INTENTS
from facegpt_model.serving.backend import CheckpointError
from facegpt_model.serving.slots import slot_tokens
from facegpt_model.vlm.lora import PROJECTIONS, LoraSettings
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint, read_checkpoint
from facegpt_model.vlm.tokens import END, IMAGE, token_id

ARCHITECTURE = "FaceGPTForConditionalGeneration"
CARD = "facegpt-served.json"  # what the folder is; tells it from any other model folder
ADAPTER = "adapter"  # folder in the exported one, where the adapter is not merged
HEADS = ("face_head.", "clause_head.", "intent_head.", "look_head.")  # small, and kept exact
TEMPLATE = Path(__file__).with_name("chat_template.jinja")

Precision = Literal["float32", "bfloat16"]


def checked_precision(name: str) -> Precision:
    """The precision of this name; CheckpointError for another one."""
    if name == "float32":
        return "float32"
    if name == "bfloat16":
        return "bfloat16"
    raise CheckpointError(f"precision is float32 or bfloat16, not {name!r}")


def export_checkpoint(
    folder: Path,
    checkpoint: Path | None = None,
    precision: Precision = "float32",
    progress: Callable[[str, float], None] = lambda doing, share: None,
    merged: bool = True,
) -> Path:
    """Export a checkpoint folder (default: the shipped one) into an empty or new folder.

    merged: False keeps the adapter apart, in the folder's ADAPTER, in peft's form.
    progress: told what is being done and which share of it is done, 0..1. Raises
    CheckpointError when the checkpoint does not load or the folder holds something else.
    """
    source = checkpoint or SHIPPED_CHECKPOINT
    if folder.exists() and any(folder.iterdir()) and not (folder / CARD).is_file():
        raise CheckpointError(f"{folder} holds other files; export into an empty or new folder")
    progress("reading the checkpoint", 0.0)
    gpt = load_checkpoint(source, with_adapter=merged)
    meta = json.loads((source / "facegpt.json").read_text(encoding="utf-8"))
    progress("merging and writing the model", 0.4)
    folder.mkdir(parents=True, exist_ok=True)
    start = _add_slots(gpt)
    _write_model(gpt, folder, start, getattr(torch, precision))
    progress("writing tokenizer and card", 0.9)
    _write_processor(gpt, folder)
    shutil.rmtree(folder / ADAPTER, ignore_errors=True)
    if not merged:
        _write_adapter(source, folder / ADAPTER)
    card = {
        "format": 1,
        "name": meta["name"],
        "precision": precision,
        "basis": gpt.axes.layout.basis,
        "axes": list(gpt.axes.names),
        "silent_axes": list(gpt.silent_axes),
        "hears": bool(gpt.clause_layer),
        "intents": intents_of(gpt),
        "looks": looks_of(gpt),
    }
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    progress("written", 1.0)
    return folder


def read_card(folder: Path) -> dict[str, object]:
    """What an exported folder is; CheckpointError when it is none or incomplete."""
    mend = f"; write one with 'facegpt export-checkpoint --out {folder}'"
    for name in (CARD, "config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise CheckpointError(f"no exported checkpoint in {folder}: {name} is missing{mend}")
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{folder / CARD} is corrupt{mend}") from error
    if not isinstance(card, dict) or card.get("format") != 1:
        raise CheckpointError(f"the exported checkpoint in {folder} has another format{mend}")
    return card


def intents_of(gpt: FaceGPT) -> list[str]:
    """Names of the intents a model can tell, in the order of its votes; none where it never learned that."""
    return [intent.name for intent in INTENTS] if gpt.knows_intents and gpt.clause_layer else []


def looks_of(gpt: FaceGPT) -> list[str]:
    """Names of the looks a model can conclude, in the order of its votes; none where it never learned to."""
    return list(gpt.looks.names) if gpt.looks and gpt.clause_layer else []


def _add_slots(gpt: FaceGPT) -> int:
    """Put the slots at the end of the vocabulary, with empty rows; returns the first one's id."""
    start = len(gpt.tokenizer)
    tokens = slot_tokens(gpt.axes.names, bool(gpt.clause_layer), intents_of(gpt), looks_of(gpt))
    gpt.tokenizer.add_tokens(tokens, special_tokens=True)
    rows = gpt.token_rows[:start]
    size = len(gpt.tokenizer)
    gpt.model.resize_token_embeddings(size, mean_resizing=False)
    with torch.no_grad():
        gpt.token_rows[:start] = rows
        gpt.token_rows[start:] = 0.0
    return start


def _write_model(gpt: FaceGPT, folder: Path, start: int, dtype: torch.dtype) -> None:
    model = gpt.model
    if not gpt.clause_layer:
        del model.clause_head
    if not intents_of(gpt):
        del model.intent_head
    looks = looks_of(gpt)
    if gpt.looks is not None and looks:
        model.look_head = gpt.looks
    config = model.config
    text = cast(LlamaConfig, config.text_config)
    fields = {
        "face_slot_start": start,
        "face_axes": len(gpt.axes.names),
        "face_head_width": model.face_head.value.in_features,
        "clause_layer": gpt.clause_layer,
        "clause_head_width": model.clause_head.ends.in_features if gpt.clause_layer else 0,
        "intent_count": len(intents_of(gpt)),
        "intent_head_width": model.intent_head.votes.in_features if intents_of(gpt) else 0,
        "looks": looks,
        "look_head_width": gpt.looks.votes.in_features if gpt.looks and looks else 0,
        "clause_head_exclusive": bool(gpt.clause_layer) and model.clause_head.exclusive,
    }
    for name, value in fields.items():
        setattr(config, name, value)
    text.architectures = ["LlamaForCausalLM"]
    model.generation_config.eos_token_id = token_id(gpt.tokenizer, END)
    model.config.dtype = dtype
    tensors = {
        name: tensor.to(torch.float32 if name.startswith(HEADS) else dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("lm_head.")  # the embeddings' own rows
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    written["architectures"] = [ARCHITECTURE]
    (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def _write_adapter(source: Path, folder: Path) -> None:
    meta, tensors = read_checkpoint(source)
    lora = LoraSettings.model_validate(meta["lora"])
    folder.mkdir()
    adapter = {
        f"base_model.model.model.language_model.{name.removeprefix('lora.')}": tensor.contiguous()
        for name, tensor in tensors.items()
        if name.startswith("lora.")
    }
    save_file(adapter, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "target_modules": list(PROJECTIONS),
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _write_processor(gpt: FaceGPT, folder: Path) -> None:
    """Tokenizer, chat template, and the picture processor that belongs to the Llava class."""
    vision = cast(CLIPVisionConfig, gpt.model.config.vision_config)
    side = cast(int, vision.image_size)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    template = TEMPLATE.read_text(encoding="utf-8")
    gpt.tokenizer.chat_template = template
    processor = LlavaProcessor(
        image_processor=pictures,
        tokenizer=gpt.tokenizer,
        patch_size=cast(int, vision.patch_size),
        vision_feature_select_strategy="default",
        image_token=IMAGE,
        num_additional_image_tokens=1,
        chat_template=template,
    )
    processor.save_pretrained(folder)
    shutil.copyfile(TEMPLATE, folder / "chat_template.jinja")
