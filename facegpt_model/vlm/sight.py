"""Sight: what the vision tower read of a photo, spoken by the language model as <FACE>.

A projector lays the tower's code on the input of the <FACE> token, as a small change of its
embedding; the token goes through every layer of the frozen language model after a fixed
prompt, and a linear reading of its final hidden state is the code. The change is small so that
the layers answer to it nearly linearly; both maps are found in closed form
(training/sight.py). They belong to one checkpoint of the language model and are not used
with another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LlamaModel, PreTrainedTokenizerFast

from facegpt_model.vlm.beside import read_beside, save_beside
from facegpt_model.vlm.tokens import FACE, IMAGE, message, token_id

PART = "sight"  # of the files' names
PROMPT = message("user", IMAGE) + "<|im_start|>assistant\n"
SPOKEN = f"The face in the photo. {FACE}"


class Sight(nn.Module):
    """The projector and the reading.

    lift: (I, H) change of <FACE>'s input for a standardised code; read: standardised hidden states to
    standardised codes; the buffers are what standardises
    """

    lift: Tensor
    code_mean: Tensor
    code_scale: Tensor
    state_mean: Tensor
    state_scale: Tensor

    def __init__(self, identities: int, hidden_size: int) -> None:
        super().__init__()
        self.register_buffer("lift", torch.zeros(identities, hidden_size))
        self.register_buffer("code_mean", torch.zeros(identities))
        self.register_buffer("code_scale", torch.ones(identities))
        self.register_buffer("state_mean", torch.zeros(hidden_size))
        self.register_buffer("state_scale", torch.ones(hidden_size))
        self.read = nn.Linear(hidden_size, identities)

    def shown(self, codes: Tensor) -> Tensor:
        """(B, H) what is added to the input of <FACE> for (B, I) identities."""
        return ((codes - self.code_mean) / self.code_scale) @ self.lift

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, I) identities of (B, H) final hidden states at <FACE>."""
        standard = (hidden - self.state_mean) / self.state_scale
        read: Tensor = self.read(standard)
        return read * self.code_scale + self.code_mean


@torch.no_grad()
def face_states(language_model: LlamaModel, tokenizer: PreTrainedTokenizerFast, shown: Tensor) -> Tensor:
    """(B, H) final hidden states of <FACE> after PROMPT, with (B, H) added to its input embedding."""
    ids = tokenizer(PROMPT, add_special_tokens=False).input_ids
    cache = DynamicCache()
    language_model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(shown))
    row = language_model.embed_tokens.weight[token_id(tokenizer, FACE)]
    output = language_model(inputs_embeds=(row + shown)[:, None], past_key_values=cache, use_cache=True)
    return cast(Tensor, output.last_hidden_state[:, -1])


def save_sight(sight: Sight, folder: Path, card: dict[str, Any]) -> Path:
    """Write the maps beside the checkpoint they belong to."""
    tensors = sight.state_dict()
    tensors["lift"] = tensors["lift"].half()
    return save_beside(PART, tensors, folder, card)


def read_sight(folder: Path) -> Sight | None:
    """The sight of a checkpoint's folder; None where there is none, or one of another checkpoint."""
    found = read_beside(PART, folder)
    if found is None:
        return None
    _, tensors = found
    sight = Sight(*tensors["lift"].shape)
    sight.load_state_dict(tensors)
    return sight.eval().requires_grad_(False)
