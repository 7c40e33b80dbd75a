"""The language model up to one layer: all that hearing needs to run."""

from __future__ import annotations

from torch import Tensor
from transformers import LlamaModel


class Ear:
    """The language model up to one layer, without a copy."""

    def __init__(self, language_model: LlamaModel, layer: int) -> None:
        self.language_model = language_model
        self.layer = layer

    def __call__(self, ids: Tensor, positions: Tensor | None = None, sees: Tensor | None = None) -> Tensor:
        """(B, T) ids to (B, T, H) states after `layer` layers; positions and sees as in PackedBatch."""
        layers = self.language_model.layers
        states: list[Tensor] = []
        hook = layers[self.layer - 1].register_forward_hook(lambda *call: states.append(call[2]))
        self.language_model.layers = layers[: self.layer]
        try:
            self.language_model(input_ids=ids, position_ids=positions, attention_mask=sees, use_cache=False)
        finally:
            self.language_model.layers = layers
            hook.remove()
        return states[0][0] if isinstance(states[0], tuple) else states[0]
