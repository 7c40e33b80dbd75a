"""The model class that vLLM loads; see vllm_plugin. Imported in vLLM's own processes only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from vllm.model_executor.models.llava import LlavaForConditionalGeneration

from facegpt_model.serving.slots import HEARD, OFFSET, heard_numbers, votes_told
from facegpt_model.serving.vllm_plugin import vllm_names
from facegpt_model.vlm.clause_head import ClauseHead
from facegpt_model.vlm.face_head import FaceHead
from facegpt_model.vlm.intent_head import IntentHead
from facegpt_model.vlm.look_head import LookHead


class FaceGPTForConditionalGeneration(LlavaForConditionalGeneration):
    """vLLM's Llava whose logits hold, in reserved rows, the face and what was heard at each token."""

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        super().__init__(vllm_config=vllm_config, prefix=prefix)
        config = self.config
        self.hidden_size: int = config.text_config.hidden_size
        self.slot_start: int = config.face_slot_start
        self.axes: int = config.face_axes
        no_directions = torch.zeros(self.axes, 1)  # slots hold slider values; codes are the client's
        self.face_head = FaceHead(self.hidden_size, config.face_head_width, no_directions).float()
        self.clause_layer: int = config.clause_layer
        if self.clause_layer:
            self.clause_head = ClauseHead(
                self.hidden_size, self.axes, config.clause_head_width, config.clause_head_exclusive
            ).float()
            if config.intent_count:
                self.intent_head = IntentHead(
                    self.hidden_size, config.intent_head_width, config.intent_count
                ).float()
            if config.looks:
                self.look_head = LookHead(self.hidden_size, config.looks, config.look_head_width).float()
            self.language_model.model._set_aux_hidden_state_layers((self.clause_layer,))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Hidden states (T, H), or (T, 2 H) with the clause head's layer beside the last one."""
        output = super().forward(*args, **kwargs)
        if self.clause_layer and isinstance(output, tuple):
            last, others = output
            return torch.cat([last, others[0]], dim=-1)
        return output

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        """(N, V) float32 logits with the slots filled; None on ranks that do not sample."""
        last = hidden_states[:, : self.hidden_size].contiguous()
        logits = super().compute_logits(last)
        if logits is None:
            return None
        logits = logits.float()
        end = self.slot_start + self.axes
        logits[:, self.slot_start : end] = OFFSET + self.face_head.sliders(last.float())
        if self.clause_layer:
            middle = hidden_states[:, self.hidden_size :].float()
            numbers = heard_numbers(self.clause_head(middle))
            logits[:, end : end + len(HEARD)] = OFFSET + numbers
            first = end + len(HEARD)
            if self.config.intent_count:
                votes = self.intent_head(middle)
                logits[:, first : first + votes.shape[1]] = OFFSET + votes_told(votes)
                first += votes.shape[1]
            if self.config.looks:
                votes = self.look_head(middle)
                logits[:, first : first + votes.shape[1]] = OFFSET + votes_told(votes)
        return logits

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        """Load the exported folder's tensors."""
        return super().load_weights(vllm_names(weights))
