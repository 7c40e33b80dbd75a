"""What a turn asks for, read out of the middle layer over all tokens of the user's words.

Beside `clause_head`, which hears what is said of a face: this head tells what is wanted. It bounds
the answer - whether a tool is called and which, whether a face is made - where it is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from facegpt_model.dialogue.intents import INTENTS
from facegpt_model.vlm.vote_head import VoteHead

NEVER = -20.0  # logit of an intent the head was not trained for


class IntentHead(VoteHead):
    """Votes for I intents."""

    def __init__(self, hidden_size: int, width: int = 256, intents: int = len(INTENTS)) -> None:
        super().__init__(hidden_size, intents, width)

    @torch.no_grad()
    def take(self, state: Mapping[str, Tensor], names: Sequence[str]) -> None:
        """Load a trained head by the names of its intents; those it does not know are never wanted."""
        own = {key: tensor.clone() for key, tensor in self.state_dict().items()}
        own["votes.weight"].zero_()
        own["votes.bias"].fill_(NEVER)
        rows = {intent.name: row for row, intent in enumerate(INTENTS)}
        for key, tensor in state.items():
            if not key.startswith("votes."):
                own[key] = tensor
                continue
            for row, name in enumerate(names):
                if name in rows:
                    own[key][rows[name]] = tensor[row]
        self.load_state_dict(own)
