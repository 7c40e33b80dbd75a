"""The look that a situation implies, read out of the middle layer over all tokens of the user's words.

"She just won the lottery" words no smile at any token, as `clause_head` would hear it: what happened
has to be taken together. The head votes at every token, as the intent head does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from facegpt_model.vlm.beside import read_beside, save_beside
from facegpt_model.vlm.clause_head import DEGREES
from facegpt_model.vlm.vote_head import VoteHead, counted

PART = "looks"  # of the files' names


class LookHead(VoteHead):
    """Votes for L looks, and for 3 degrees of how strong they are.

    names: of the expression sliders whose high end a situation may imply
    """

    def __init__(
        self, hidden_size: int, names: Sequence[str], width: int = 256, dropout: float = 0.0
    ) -> None:
        super().__init__(hidden_size, len(names) + len(DEGREES), width, dropout)
        self.names = tuple(names)

    def looks(self, hidden: Tensor, texts: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """(count, L) log-odds of the looks and (count, 3) logits of their degree, of `count` texts."""
        votes = counted(self(hidden), texts, count)
        return votes[:, : len(self.names)], votes[:, len(self.names) :]


def save_looks(head: LookHead, folder: Path, card: dict[str, Any]) -> Path:
    """Write the head beside the checkpoint whose states it reads."""
    tensors = {name: tensor.half() for name, tensor in head.state_dict().items()}
    return save_beside(PART, tensors, folder, {"names": list(head.names), **card})


def read_looks(folder: Path) -> LookHead | None:
    """The look head of a checkpoint's folder; None where there is none, or one of another checkpoint."""
    found = read_beside(PART, folder)
    if found is None:
        return None
    card, tensors = found
    width, hidden = tensors["trunk.1.weight"].shape
    head = LookHead(hidden, card["names"], width)
    head.load_state_dict(tensors)
    return head.eval().requires_grad_(False)
