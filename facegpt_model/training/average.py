"""A slow average of what is trained, which is what is kept in the end."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

Named = Iterable[tuple[str, nn.Parameter]]


class Average:
    """The average of named parameters over about 1 / (1 - keep) steps.

    early: over fewer in the first steps, about this many of which are forgotten sooner
    """

    def __init__(self, learned: Named, keep: float, early: int = 0) -> None:
        self.keep, self.early, self.steps = keep, early, 0
        self.weights = {name: parameter.detach().clone() for name, parameter in learned}

    @torch.no_grad()
    def follow(self, learned: Named) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + self.early))
        for name, parameter in learned:
            self.weights[name] = self.weights[name].to(parameter.device)
            self.weights[name].lerp_(parameter, 1 - keep)

    @torch.no_grad()
    def give(self, learned: Named) -> None:
        """The parameters become their average."""
        for name, parameter in learned:
            parameter.copy_(self.weights[name])

    def state(self) -> dict[str, Tensor]:
        """Weights and steps, for a checkpoint."""
        return {**self.weights, "steps": torch.tensor(self.steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set such a state."""
        self.steps = int(state["steps"])
        self.weights = {name: t.clone() for name, t in state.items() if name != "steps"}
