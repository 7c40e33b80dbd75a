"""What the model hears, token by token: which wordings have just ended, and how strongly they were put.

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
NEVER = -20.0  # log-odds of an end the head was not trained for


@dataclass(frozen=True)
class Heard:
    """What N tokens end; several ends may be worded by the same words ("long curly hair").

    ends:    (N, 2 K) log-odds of "the low end of axis k was worded here", then of the high ends
    degrees: (N, 2 K, 3) logits of slight, plain, strong for each end
    """

    ends: Tensor
    degrees: Tensor


class ClauseHead(nn.Module):
    """(N, H) hidden states of a middle layer to what was heard; K named axes.

    exclusive: older heads chose one end or none by a softmax; `none` is then its last row.
    """

    def __init__(self, hidden_size: int, axes: int, width: int = 512, exclusive: bool = False) -> None:
        super().__init__()
        self.axes = axes
        self.trunk = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, width), nn.GELU())
        self.ends = nn.Linear(width, 2 * axes)
        self.degrees = nn.Linear(width, len(DEGREES))  # of whatever was worded
        self.own_degrees = nn.Linear(width, 2 * axes * len(DEGREES))  # what one end adds to that
        nn.init.zeros_(self.own_degrees.weight)
        nn.init.zeros_(self.own_degrees.bias)
        self.none = nn.Linear(width, 1) if exclusive else None

    @property
    def exclusive(self) -> bool:
        """True when at most one end is heard at a token."""
        return self.none is not None

    def forward(self, hidden: Tensor) -> Heard:
        """Read (N, H) states."""
        features = self.trunk(hidden)
        own = self.own_degrees(features).unflatten(1, (2 * self.axes, len(DEGREES)))
        ends = self.ends(features)
        if self.none is not None:
            shares = torch.cat([ends, self.none(features)], dim=1).softmax(1)[:, :-1]
            ends = shares.clamp(1e-9, 1 - 1e-6).logit()
        return Heard(ends, self.degrees(features)[:, None] + own)

    @torch.no_grad()
    def free(self) -> None:
        """Hear several ends at a token from now on: logits less that of none are taken for log-odds."""
        if self.none is not None:
            self.ends.weight.sub_(self.none.weight)
            self.ends.bias.sub_(self.none.bias)
            self.none = None

    @torch.no_grad()
    def take(self, state: Mapping[str, Tensor], names: Sequence[str], own_names: Sequence[str]) -> None:
        """Load a trained head's tensors by the names of its axes; ends it does not know are never heard.

        The head becomes an exclusive one when the tensors have a row for "none".
        """
        exclusive = len(state["ends.bias"]) == 2 * len(names) + 1
        self.none = nn.Linear(self.ends.in_features, 1) if exclusive else None
        own = {key: tensor.clone() for key, tensor in self.state_dict().items()}
        own["ends.weight"].zero_()
        own["ends.bias"].fill_(NEVER)
        rows = [(row, list(own_names).index(name)) for row, name in enumerate(names) if name in own_names]
        for key, tensor in state.items():
            if not key.startswith(("ends.", "own_degrees.")):
                own[key] = tensor
                continue
            if key.startswith("ends.") and exclusive:
                tensor, own[key.replace("ends", "none")] = tensor[:-1], tensor[-1:]
            there = tensor.unflatten(0, (2, len(names), -1))
            here = own[key].unflatten(0, (2, self.axes, -1))
            for row, own_row in rows:
                here[:, own_row] = there[:, row]
        self.load_state_dict(own)


def ends_meant(values: Tensor) -> Tensor:
    """(N, K) slider values to (N, 2 K), 1 where an end was worded, in the order of `Heard.ends`."""
    return torch.cat([values < 0, values > 0], dim=1).to(values.dtype)


def degree_classes(sizes: Tensor) -> Tensor:
    """Slider sizes of any shape to indices of the nearest degree."""
    degrees = torch.tensor([degree.value for degree in DEGREES], device=sizes.device)
    return (sizes[..., None] - degrees).abs().argmin(-1)
