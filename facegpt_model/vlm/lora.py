"""Low-rank adapters: which layers get them, their tensors, merging them away."""

from __future__ import annotations

from typing import Any, cast

from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from pydantic import BaseModel, PositiveInt
from torch import Tensor
from transformers import LlamaModel

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_PREFIX = "base_model.model."


class LoraSettings(BaseModel, frozen=True, extra="forbid"):
    """Rank, scale (alpha / rank) and the first layer that is adapted; earlier ones stay frozen."""

    rank: PositiveInt = 16
    alpha: PositiveInt = 32
    first_layer: int = 12


def add_lora(language_model: LlamaModel, settings: LoraSettings) -> PeftModel:
    """Put adapters into the layers in place; returns the peft wrapper around the same model."""
    layers = list(range(settings.first_layer, language_model.config.num_hidden_layers))
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(PROJECTIONS),
        layers_to_transform=layers,
        layers_pattern="layers",
    )
    wrapper = cast(PeftModel, get_peft_model(language_model, config))
    language_model.__dict__["_peft_wrapper"] = wrapper
    return wrapper


def _wrapper(language_model: LlamaModel) -> PeftModel:
    if "_peft_wrapper" not in language_model.__dict__:
        raise ValueError("this language model has no adapter; call add_lora first")
    wrapper: PeftModel = language_model.__dict__["_peft_wrapper"]
    return wrapper


def lora_tensors(language_model: LlamaModel) -> dict[str, Tensor]:
    """The adapter's tensors by name."""
    state = get_peft_model_state_dict(_wrapper(language_model))
    return {k.removeprefix(_PREFIX): v for k, v in state.items()}


def load_lora(language_model: LlamaModel, tensors: dict[str, Tensor]) -> None:
    """Set the adapter's tensors; raises ValueError when names do not fit."""
    result: Any = set_peft_model_state_dict(
        _wrapper(language_model), {_PREFIX + k: v for k, v in tensors.items()}
    )
    if result.unexpected_keys:
        raise ValueError(f"adapter tensors that fit no layer: {result.unexpected_keys[:3]}")


def merge_lora(language_model: LlamaModel, tensors: dict[str, Tensor]) -> LlamaModel:
    """Load adapter tensors and fold them into the weights; returns the plain model."""
    load_lora(language_model, tensors)
    merged = cast(LlamaModel, cast(Any, _wrapper(language_model)).merge_and_unload())
    merged.__dict__.pop("_peft_wrapper", None)
    return merged
