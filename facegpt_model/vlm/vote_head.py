"""Read-outs of a middle layer in which every token of the user's words votes, and some count for more."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VoteHead(nn.Module):
    """(N, H) states of a middle layer to (N, V + 1): V votes of each token, and its log-weight."""

    def __init__(self, hidden_size: int, votes: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.LayerNorm(hidden_size), nn.Linear(hidden_size, width), nn.GELU(), nn.Dropout(dropout)
        )
        self.votes = nn.Linear(width, votes)
        self.weight = nn.Linear(width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """The votes of (N, H) states; the last column is the log-weight of the token."""
        features = self.trunk(hidden)
        return torch.cat([self.votes(features), self.weight(features)], dim=1)


def counted(votes: Tensor, texts: Tensor, count: int) -> Tensor:
    """(N, V + 1) votes of the tokens of `count` texts, texts: (N,) whose token each is, to (count, V) logits.

    The votes of a text are averaged by their weights. A text without tokens gets zeros.
    """
    weight = (votes[:, -1] - votes[:, -1].detach().max()).exp() if len(votes) else votes[:, -1]
    total = votes.new_zeros(count).index_add(0, texts, weight).clamp_min(1e-9)
    share = weight / total[texts]
    return votes.new_zeros(count, votes.shape[1] - 1).index_add(0, texts, votes[:, :-1] * share[:, None])
