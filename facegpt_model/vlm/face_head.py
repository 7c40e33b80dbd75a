"""From the hidden state of <FACE> to a face code.

An MLP whose last layer is the table of word directions of the head model: it predicts how
far each named axis moves and whether it was mentioned at all, and the code is the sum of
the mentioned directions. What was not said stays exactly average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NEVER = -20.0  # logit of an axis that cannot be mentioned
MENTIONED = -0.85  # logit from which an axis counts as mentioned: probability 0.3


@dataclass(frozen=True)
class AxisReadout:
    """values: (B, K) slider values in [-1, 1]; mention: (B, K) logits of "was mentioned"."""

    values: Tensor
    mention: Tensor


class FaceHead(nn.Module):
    """Hidden states (B, H) of <FACE> to slider values and the flat code (B, D).

    directions: (K, D) change of the flat code when slider k moves by 1; not trained, and
    not part of the checkpoint, since it belongs to the head model.
    """

    directions: Tensor

    def __init__(self, hidden_size: int, width: int, directions: Tensor) -> None:
        super().__init__()
        axes = directions.shape[0]
        self.trunk = nn.Sequential(
            nn.LayerNorm(hidden_size),
            nn.Linear(hidden_size, width),
            nn.GELU(),
        )
        self.value = nn.Linear(width, axes)
        self.mention = nn.Linear(width, axes)
        self.register_buffer("directions", directions.clone(), persistent=False)

    def take(self, state: Mapping[str, Tensor], names: Sequence[str], own_names: Sequence[str]) -> list[str]:
        """Load a trained head's tensors by the names of its axes; returns the axes it does not know.

        names: axes of `state`, in its order; own_names: axes of this head. Rows of axes that
        only one of them has are left as they are here, or dropped. Raises ValueError when the
        tensors do not have one row per name or another width.
        """
        if len(state["value.weight"]) != len(names):
            raise ValueError(f"the face head has {len(state['value.weight'])} rows for {len(names)} axes")
        shared = [name for name in names if name in own_names]
        there = torch.tensor([list(names).index(name) for name in shared])
        here = torch.tensor([list(own_names).index(name) for name in shared])
        own = {key: tensor.clone() for key, tensor in self.state_dict().items()}
        for key, tensor in state.items():
            if key.startswith("trunk."):
                own[key] = tensor
            else:
                own[key][here] = tensor[there]
        self.load_state_dict(own)
        return [name for name in own_names if name not in shared]

    @torch.no_grad()
    def silence(self, rows: Sequence[int]) -> None:
        """Let these axes never be mentioned, as those that a checkpoint was not trained for."""
        for layer in (self.value, self.mention):
            layer.weight[list(rows)] = 0.0
        self.value.bias[list(rows)] = 0.0
        self.mention.bias[list(rows)] = NEVER

    def readout(self, hidden: Tensor) -> AxisReadout:
        """Slider values and mention logits of (B, H) hidden states."""
        features = self.trunk(hidden)
        return AxisReadout(torch.tanh(self.value(features)), self.mention(features))

    def sliders(self, hidden: Tensor) -> Tensor:
        """(B, K) slider values of (B, H) hidden states: 0 where an axis was not mentioned."""
        read = self.readout(hidden)
        return torch.where(read.mention > MENTIONED, read.values, torch.zeros_like(read.values))

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, D) flat codes of (B, H) hidden states: mentioned axes only."""
        return self.sliders(hidden) @ self.directions
