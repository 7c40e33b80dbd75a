"""FaceGPT for vLLM: its Llava class with parameter slots in the logits. Loaded by vLLM's plugin system.

A subclass made when vLLM asks for it, since vLLM is not part of this house's environment. The
language model, its cache, batching and adapters are vLLM's own; added are the heads of
facegpt_model.vlm, in float32, and one more hidden layer for the clause head, which
travels beside the last one.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

ARCHITECTURE = "FaceGPTForConditionalGeneration"


def register() -> None:
    """Entry point `vllm.general_plugins`: make the architecture known in this process."""
    _spare_torchvision()
    from vllm import ModelRegistry

    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(ARCHITECTURE, f"facegpt_model.serving.vllm_model:{ARCHITECTURE}")


def _spare_torchvision() -> None:
    """Where torchvision is absent, stand in for the one file of transformers that needs it.

    vLLM's Llava imports its Pixtral, which takes one function of pictures from there; FaceGPT
    never calls it.
    """
    name = "transformers.models.pixtral.image_processing_pixtral"
    if importlib.util.find_spec("torchvision") is None and name not in sys.modules:
        stand_in = types.ModuleType(name)
        stand_in.__dict__["_num_image_tokens"] = None
        sys.modules[name] = stand_in


def vllm_names(weights: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Weights under vLLM's names: it keeps one more level in the vision tower than transformers does."""
    tower = "model.vision_tower."
    for name, weight in weights:
        if name.startswith(tower) and not name.startswith(tower + "vision_model."):
            name = name.replace(tower, tower + "vision_model.", 1)
        yield name, weight
