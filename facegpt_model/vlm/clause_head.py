"""What the model hears, token by token: which wording has just ended, and how strongly it was put.

A read-out of a middle layer. It teaches the layers below it what a wording means at the place
where it ends, so that the layers above only have to say it; squeezing a whole statement into
the answer's loss alone teaches that slowly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facegpt_model.semantics.words import Degree

DEGREES = tuple(Degree)
NEVER = -20.0  # logit of an end the head was not trained for


@dataclass(frozen=True)
class Heard:
    """ends: (N, 2 K + 1) logits of "the low end of axis k ended here", "the high end", last "none";
    degrees: (N, 3) logits of slight, plain, strong."""

    ends: Tensor
    degrees: Tensor


class ClauseHead(nn.Module):
    """(N, H) hidden states of a middle layer to what was heard; K named axes."""

    def __init__(self, hidden_size: int, axes: int, width: int = 512) -> None:
        super().__init__()
        self.axes = axes
        self.trunk = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, width), nn.GELU())
        self.ends = nn.Linear(width, 2 * axes + 1)
        self.degrees = nn.Linear(width, len(DEGREES))

    def forward(self, hidden: Tensor) -> Heard:
        """Logits for (N, H) states."""
        features = self.trunk(hidden)
        return Heard(self.ends(features), self.degrees(features))

    @torch.no_grad()
    def take(self, state: Mapping[str, Tensor], names: Sequence[str], own_names: Sequence[str]) -> None:
        """Load a trained head's tensors by the names of its axes; ends it does not know are never heard."""
        own = {key: tensor.clone() for key, tensor in self.state_dict().items()}
        own["ends.weight"].zero_()
        own["ends.bias"].fill_(NEVER)
        for key, tensor in state.items():
            if not key.startswith("ends."):
                own[key] = tensor
                continue
            own[key][-1] = tensor[-1]
            for row, name in enumerate(names):
                if name in own_names:
                    here = list(own_names).index(name)
                    for side, there in enumerate((row, len(names) + row)):
                        own[key][side * self.axes + here] = tensor[there]
        self.load_state_dict(own)


def end_classes(values: Tensor) -> Tensor:
    """(N, K) slider values, at most one of a row not 0, to (N,) classes of `Heard.ends`."""
    axes = values.shape[1]
    size, axis = values.abs().max(1)
    sign = values.gather(1, axis[:, None])[:, 0]
    return torch.where(size > 0, axis + axes * (sign > 0), 2 * axes)


def degree_classes(values: Tensor) -> Tensor:
    """(N, K) slider values to (N,) indices of the nearest degree of their largest."""
    sizes = torch.tensor([degree.value for degree in DEGREES], device=values.device)
    return (values.abs().amax(1)[:, None] - sizes).abs().argmin(1)
