"""Parts of a module that is trained: their learning rates, and their share of a saved state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn


def rates(
    learned: Iterable[nn.Parameter], *apart: tuple[Iterable[nn.Parameter], float]
) -> list[dict[str, object]]:
    """Parameter groups of `Stage.parameter_groups`; what is not set apart has the plain rate.

    learned: all that is trained; apart: some of it, with its factor on the rate. Empty groups are left out.
    """
    groups = [(list(parameters), factor) for parameters, factor in apart]
    known = {id(parameter) for parameters, _ in groups for parameter in parameters}
    groups.insert(0, ([parameter for parameter in learned if id(parameter) not in known], 1.0))
    return [{"params": parameters, "rate_factor": factor} for parameters, factor in groups if parameters]


def part_of(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
