"""A slow average of a module's weights, which is what is kept in the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """The average of a module's parameters over about 1 / (1 - keep) steps, fewer at first."""

    def __init__(self, module: nn.Module, keep: float) -> None:
        self.keep, self.steps = keep, 0
        self.weights = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def follow(self, module: nn.Module) -> None:
        """Take in the weights after a step; early ones are forgotten sooner."""
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + 10))
        for name, parameter in module.named_parameters():
            self.weights[name] = self.weights[name].to(parameter.device)
            self.weights[name].lerp_(parameter, 1 - keep)

    @torch.no_grad()
    def give(self, module: nn.Module) -> None:
        """The average becomes the module's weights."""
        for name, parameter in module.named_parameters():
            parameter.copy_(self.weights[name])

    def state(self) -> dict[str, Tensor]:
        """Weights and steps, for a checkpoint."""
        return {**self.weights, "steps": torch.tensor(self.steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set such a state."""
        self.steps = int(state["steps"])
        self.weights = {name: t.clone() for name, t in state.items() if name != "steps"}
