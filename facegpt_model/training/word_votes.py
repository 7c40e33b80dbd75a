"""Learn the weights of dialogue/word_votes.py: `python -m facegpt_model.training.word_votes`.

Logistic regression on freshly made turns, a few seconds on one thread; prints the share of right
intents and tools on wordings that are never trained.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegpt_model.data.asking import Kind, ask, talk
from facegpt_model.data.dialogues import edit, speculate
from facegpt_model.data.mixture import turn
from facegpt_model.data.small_talk import small_talk
from facegpt_model.dialogue import word_votes
from facegpt_model.dialogue.intents import INTENTS, intent_rows
from facegpt_model.vlm.tokens import END

TURNS, HELD, ROUNDS, AT_ONCE, RATE = 16_000, 800, 6, 256, 0.15
Said = tuple[list[int], int]  # rows of the pieces, row of the intent


def turns(count: int, kind: Kind, seed: int) -> list[Said]:
    """What users say and what it asks for; kind "held" holds wordings that are never trained."""
    rng = random.Random(f"{kind}-{seed}")
    held = (ask, ask, ask, talk, small_talk, edit, speculate)
    made = [rng.choice(held)(rng, "held") if kind == "held" else turn(rng) for _ in range(count)]
    told = [
        (example.prompt.rpartition("<|im_start|>user\n")[2].partition(END)[0], example.asks)
        for example in made
    ]
    return [(word_votes.pieces(words), intent_rows()[asks]) for words, asks in told if asks]


def learn(said: Sequence[Said], seed: int = 0) -> tuple[Tensor, Tensor]:
    """(SIZE, I) weights and (I,) bias."""
    torch.manual_seed(seed)
    weight = torch.zeros(word_votes.SIZE, len(INTENTS), requires_grad=True)
    bias = torch.zeros(len(INTENTS), requires_grad=True)
    optimizer = torch.optim.Adagrad([weight, bias], lr=RATE)
    for _ in range(ROUNDS):
        order = torch.randperm(len(said)).tolist()
        for begin in range(0, len(order), AT_ONCE):
            batch = [said[n] for n in order[begin : begin + AT_ONCE]]
            loss = F.cross_entropy(logits(batch, weight, bias), torch.tensor([row for _, row in batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return weight.detach(), bias.detach()


def logits(said: Sequence[Said], weight: Tensor, bias: Tensor) -> Tensor:
    """(N, I) logits of N texts."""
    sizes = torch.tensor([len(rows) for rows, _ in said])
    begins = sizes.cumsum(0) - sizes
    rows = torch.tensor([row for rows, _ in said for row in rows])
    return F.embedding_bag(rows, weight, begins, mode="sum") / sizes.sqrt()[:, None] + bias


def main() -> None:
    """Learn and write the file beside dialogue/word_votes.py."""
    weight, bias = learn(turns(TURNS, "say", 0))
    held = turns(HELD, "held", 0)
    found = logits(held, weight, bias).argmax(1).tolist()
    tools = [intent.tool for intent in INTENTS]
    right = sum(row == best for (_, row), best in zip(held, found, strict=True)) / len(held)
    tool = sum(tools[row] == tools[best] for (_, row), best in zip(held, found, strict=True)) / len(held)
    sys.stdout.write(f"{len(held)} turns in wordings held out: intent {right:.1%}, tool or none {tool:.1%}\n")
    path = Path(word_votes.__file__).with_name(word_votes.FILE)
    names = np.array([intent.name for intent in INTENTS])
    np.savez_compressed(path, weight=weight.half().numpy(), bias=bias.numpy(), intents=names)
    sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
