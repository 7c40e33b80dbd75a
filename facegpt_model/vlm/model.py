"""FaceGPT: a Llava-style model that answers with words, tool calls and faces.

The language model sits in transformers' Llava class, so the same checkpoint layout serves
larger models and servers later. Llava's own vision tower exists but is untrained: pictures
reach <FACE> by sight.py, from the tower of tower.py. In a chat photos go through the fitting
tool, which recovers more of a person, and the answer says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from facegpt_model.dialogue.intents import INTENTS
from facegpt_model.morphable.base import MorphableModel, load
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.serving.backend import CheckpointError
from facegpt_model.vlm.backbones import load_smollm2
from facegpt_model.vlm.clause_head import ClauseHead
from facegpt_model.vlm.face_head import FaceHead
from facegpt_model.vlm.intent_head import IntentHead
from facegpt_model.vlm.look_head import LookHead, read_looks
from facegpt_model.vlm.lora import LoraSettings, add_lora, lora_tensors, merge_lora
from facegpt_model.vlm.sight import Sight, read_sight
from facegpt_model.vlm.tokens import FACE, IMAGE, SPECIAL_TOKENS, token_id

SHIPPED_CHECKPOINT = Path(__file__).resolve().parent / "checkpoints" / "facegpt-smol"
CHECKPOINT_FORMAT = 1
HEAD_WIDTH = 1024


class FaceGPTForConditionalGeneration(LlavaForConditionalGeneration):
    """Llava with a face head on the state of <FACE>, and read-outs of what was heard and asked before it."""

    def __init__(self, config: LlavaConfig, directions: Tensor) -> None:
        super().__init__(config)
        text_config = cast(LlamaConfig, config.text_config)
        self.face_head = FaceHead(text_config.hidden_size, HEAD_WIDTH, directions)
        self.clause_head = ClauseHead(text_config.hidden_size, directions.shape[0])
        self.intent_head = IntentHead(text_config.hidden_size)


@dataclass
class FaceGPT:
    """The model with everything it needs to speak and to draw.

    silent_axes: axes the loaded checkpoint was not trained for; words do not move them
    clause_layer: the layer whose states tell what was heard; 0 when the checkpoint never learned that
    knows_intents: False when the checkpoint never learned what a turn asks for
    sight: how a photo reaches <FACE>; None when the checkpoint has none of its own
    looks: what situations imply, from the states of clause_layer; None as for sight
    """

    model: FaceGPTForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast
    axes: Axes
    head_model: MorphableModel
    silent_axes: tuple[str, ...] = ()
    clause_layer: int = 0
    knows_intents: bool = False
    sight: Sight | None = None
    looks: LookHead | None = None

    @property
    def face_id(self) -> int:
        """Token id of <FACE>."""
        return token_id(self.tokenizer, FACE)

    @property
    def special_ids(self) -> list[int]:
        """Token ids of the special tokens, in the order of SPECIAL_TOKENS."""
        return [token_id(self.tokenizer, token) for token in SPECIAL_TOKENS]

    @property
    def token_rows(self) -> Tensor:
        """(V, H) embeddings of the language model, which are its output rows as well."""
        return cast(Tensor, self.model.model.language_model.embed_tokens.weight)


def assemble(
    text_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, head_model: MorphableModel
) -> FaceGPT:
    """FaceGPT around a language model, with an untrained face head."""
    axes = load_axes(head_model)
    tower = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=112,
        patch_size=16,
    )
    fields: dict[str, Any] = dict(
        vision_config=tower,
        text_config=text_model.config,
        image_token_id=token_id(tokenizer, IMAGE),
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    model = FaceGPTForConditionalGeneration(LlavaConfig(**fields), axes.directions)
    model.model.language_model = text_model.model
    model.lm_head.weight = text_model.model.embed_tokens.weight
    return FaceGPT(model, tokenizer, axes, head_model)


def load_base(basis: str = "openhead@2") -> FaceGPT:
    """The untrained FaceGPT on SmolLM2 and a head model; raises AssetError."""
    text_model, tokenizer = load_smollm2()
    return assemble(text_model, tokenizer, load(basis))


def save_checkpoint(gpt: FaceGPT, folder: Path, lora: LoraSettings, card: dict[str, object]) -> Path:
    """Write adapter, heads and special-token rows (float16) and what they belong to."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"lora.{k}": v for k, v in lora_tensors(gpt.model.model.language_model).items()}
    tensors |= {f"face_head.{k}": v for k, v in gpt.model.face_head.state_dict().items()}
    tensors |= {f"clause_head.{k}": v for k, v in gpt.model.clause_head.state_dict().items()}
    tensors |= {f"intent_head.{k}": v for k, v in gpt.model.intent_head.state_dict().items()}
    tensors["token_rows"] = gpt.token_rows[gpt.special_ids]
    path = folder / "facegpt.safetensors"
    save_file({k: v.detach().to(torch.float16).contiguous() for k, v in tensors.items()}, path)
    fields = {
        "format": CHECKPOINT_FORMAT,
        "basis": gpt.axes.layout.basis,
        "axes": list(gpt.axes.names),
        "intents": [intent.name for intent in INTENTS],
        "special_tokens": list(SPECIAL_TOKENS),
        "lora": lora.model_dump(),
        **card,
    }
    (folder / "facegpt.json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    return path


def load_checkpoint(folder: Path, with_adapter: bool = True) -> FaceGPT:
    """FaceGPT with a trained checkpoint, adapter merged, ready to answer.

    with_adapter: False leaves the language model as it was before, for servers that add adapters themselves.

    Axes are found by name, so sliders may be added to axes.toml; those the checkpoint does not
    know stay silent. Raises CheckpointError with one sentence when a file is missing, corrupt
    or was made for other tokens.
    """
    meta, tensors = read_checkpoint(folder)
    gpt = load_base(str(meta["basis"]))
    if meta["special_tokens"] != list(SPECIAL_TOKENS):
        raise CheckpointError(
            f"the checkpoint in {folder} was trained for other tokens; train it again with "
            "'facegpt train instruction --preset cpu'"
        )
    with torch.no_grad():
        gpt.token_rows[gpt.special_ids] = tensors.pop("token_rows")
    head = {k.removeprefix("face_head."): v for k, v in tensors.items() if k.startswith("face_head.")}
    names = cast(list[str], meta["axes"])
    try:
        unknown = gpt.model.face_head.take(head, names, gpt.axes.names)
    except (ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"the face head of the checkpoint in {folder} does not fit: {error}") from error
    gpt.model.face_head.silence([gpt.axes.row(name) for name in unknown])
    gpt.silent_axes = tuple(unknown)
    clauses = {k.removeprefix("clause_head."): v for k, v in tensors.items() if k.startswith("clause_head.")}
    if clauses:
        gpt.model.clause_head.take(clauses, names, gpt.axes.names)
        gpt.clause_layer = int(cast(int, meta["clause_layer"]))
    asked = {k.removeprefix("intent_head."): v for k, v in tensors.items() if k.startswith("intent_head.")}
    if asked:
        gpt.model.intent_head.take(asked, cast(list[str], meta["intents"]))
        gpt.knows_intents = True
    if with_adapter:
        adapter = {k.removeprefix("lora."): v for k, v in tensors.items() if k.startswith("lora.")}
        language_model = gpt.model.model.language_model
        add_lora(language_model, LoraSettings.model_validate(meta["lora"]))
        gpt.model.model.language_model = merge_lora(language_model, adapter)
    gpt.model.eval().requires_grad_(False)
    gpt.sight = read_sight(folder)
    gpt.looks = read_looks(folder)
    return gpt


def read_checkpoint(folder: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    """What facegpt.json says, and the tensors as float32; CheckpointError when missing or corrupt."""
    mend = "; restore it from the repository or train one with 'facegpt train instruction --preset cpu'"
    for name in ("facegpt.json", "facegpt.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"no FaceGPT checkpoint in {folder}: {name} is missing{mend}")
    try:
        meta = json.loads((folder / "facegpt.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "facegpt.safetensors")
    except (ValueError, SafetensorError) as error:
        raise CheckpointError(f"the FaceGPT checkpoint in {folder} is corrupt{mend}") from error
    if meta.get("format") != CHECKPOINT_FORMAT:
        raise CheckpointError(f"the checkpoint in {folder} has format {meta.get('format')!r}, not 1{mend}")
    return meta, {k: v.float() for k, v in tensors.items()}
