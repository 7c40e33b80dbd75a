"""What a turn asks for, read out of the middle layer over all tokens of the user's words.

Beside `clause_head`, which hears what is said of a face: this head tells what is wanted. It bounds
the answer - whether a tool is called and which, whether a face is made - where it is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from facegpt_model.dialogue.intents import INTENTS

NEVER = -20.0  # logit of an intent the head was not trained for


class IntentHead(nn.Module):
    """(N, H) states of a middle layer to (N, I + 1): each token's vote for I intents, and its weight."""

    def __init__(self, hidden_size: int, width: int = 256, intents: int = len(INTENTS)) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, width), nn.GELU())
        self.votes = nn.Linear(width, intents)
        self.weight = nn.Linear(width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """The votes of (N, H) states; the last column is the log-weight of the token."""
        features = self.trunk(hidden)
        return torch.cat([self.votes(features), self.weight(features)], dim=1)

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


def counted(votes: Tensor, texts: Tensor, count: int) -> Tensor:
    """(N, I + 1) votes of the tokens of `count` texts, texts: (N,) whose token each is, to (count, I) logits.

    The votes of a text are averaged by their weights. A text without tokens gets zeros.
    """
    weight = (votes[:, -1] - votes[:, -1].detach().max()).exp() if len(votes) else votes[:, -1]
    total = votes.new_zeros(count).index_add(0, texts, weight).clamp_min(1e-9)
    share = weight / total[texts]
    return votes.new_zeros(count, votes.shape[1] - 1).index_add(0, texts, votes[:, :-1] * share[:, None])
