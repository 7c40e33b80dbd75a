"""What a turn asks for by its words alone: weights of words, word pairs and pieces of words for each intent.

Counts beside a checkpoint's intent head (vlm/intent_head.py), and alone where it has none: it knows
nothing of word order beyond three words. Learned by training/word_votes.py from the same turns.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from facegpt_model.dialogue.intents import INTENTS, intent_rows

SIZE = 1 << 14  # rows that pieces are hashed to
NEVER = -20.0  # logit of an intent the weights were not learned for
FILE = "word_votes.npz"


def pieces(text: str) -> list[int]:
    """The rows of a text's words, of two and three words in a row, and of four letters in a row."""
    said = re.sub(r"[^a-z0-9' ]+", " ", re.sub(r"\d+", "0", text.lower()))
    words = said.split()
    found = [f"^{words[0] if words else ''}", f"{words[-1] if words else ''}$", "?" if "?" in text else "."]
    found.append(f"n{min(len(words), 12) // 2}")
    found += [f"1{word}" for word in words]
    found += [f"2{' '.join(two)}" for two in pairwise(words)]
    found += [f"3{' '.join(three)}" for three in zip(words, words[1:], words[2:], strict=False)]
    for word in (f"<{word}>" for word in words):
        found += [f"c{word[n : n + 4]}" for n in range(max(1, len(word) - 3))]
    return [zlib.crc32(piece.encode()) % SIZE for piece in found]


@lru_cache(maxsize=1)
def _weights() -> tuple[Tensor, Tensor]:
    """(SIZE, I) and (I,) float32, in the order of INTENTS."""
    file = resources.files("facegpt_model.dialogue").joinpath(FILE)
    with file.open("rb") as stream, np.load(stream) as stored:
        names = [str(name) for name in stored["intents"]]
        weight, bias = np.zeros((SIZE, len(INTENTS)), np.float32), np.full(len(INTENTS), NEVER, np.float32)
        for column, name in enumerate(names):
            if name in intent_rows():
                weight[:, intent_rows()[name]] = stored["weight"][:, column]
                bias[intent_rows()[name]] = stored["bias"][column]
    return torch.from_numpy(weight), torch.from_numpy(bias)


def word_votes(text: str) -> Tensor:
    """(I,) logits of what a text asks for."""
    weight, bias = _weights()
    rows = pieces(text)
    return weight[rows].sum(0) / len(rows) ** 0.5 + bias
