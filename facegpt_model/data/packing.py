"""Many things users say behind one beginning of a conversation, so that a step hears more of them.

The system line costs more tokens than most wordings. In a packed row it stands once, and every
text sees it and itself only, at the positions it would have alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from facegpt_model.data.collate import Coded, Collator, encode
from facegpt_model.data.examples import Example

ROW = 192  # tokens of a packed row, about a dozen texts


@dataclass(frozen=True)
class PackedBatch:
    """B rows of up to T tokens.

    ids:       (B, T) token ids, padded on the right
    positions: (B, T) where each token would stand if its text were alone
    sees:      (B, 1, T, T) True where a token may look at another
    heard:     (Q, 2) row and column of every token of what users said
    meant:     (Q, K) slider values of the wordings that end there; all 0 where none ends
    texts:     (Q,) number of the text, 0 to R - 1, that each of these tokens belongs to
    intents:   (R,) row of the intent of each text, losses.intents.UNKNOWN where it was not told
    """

    ids: Tensor
    positions: Tensor
    sees: Tensor
    heard: Tensor
    meant: Tensor
    texts: Tensor
    intents: Tensor

    def to(self, device: torch.device) -> PackedBatch:
        """The same batch on a device."""
        return PackedBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


class Packer:
    """Turns examples into packed batches of their users' words; examples without marks are left out."""

    def __init__(self, collator: Collator) -> None:
        self.collator = collator

    def stream(
        self, sample: Callable[[random.Random], Example], rng: random.Random, tokens: int
    ) -> Iterator[PackedBatch]:
        """Endless batches of about `tokens` tokens."""
        while True:
            rows: list[list[Coded]] = []
            while len(rows) < max(1, tokens // ROW):
                rows.append(self._row(sample, rng))
            yield self.batch(rows)

    def _row(self, sample: Callable[[random.Random], Example], rng: random.Random) -> list[Coded]:
        row: list[Coded] = []
        length = 0
        while True:
            one = self.encode(sample(rng))
            if not one.heard:
                continue
            length += len(one.heard) + (one.heard[0][0] if not row else 0)
            if row and length > ROW:
                return row
            row.append(one)

    def encode(self, example: Example) -> Coded:
        """One example in tokens."""
        collator = self.collator
        return encode(example, collator.tokenizer, collator.axis_row, collator.axes)

    def batch(self, rows: Sequence[Sequence[Coded]]) -> PackedBatch:
        """One padded batch; the beginning of a row is that of its first example."""
        packed = [_packed(row) for row in rows]
        width = max(len(ids) for ids, *_ in packed)
        ids = torch.full((len(rows), width), self.collator.pad_id)
        positions = torch.zeros(len(rows), width, dtype=torch.long)
        texts = torch.full((len(rows), width), -1)
        heard: list[tuple[int, int]] = []
        meant: list[Tensor] = []
        for row, (its_ids, its_positions, its_texts, its_heard) in enumerate(packed):
            size = len(its_ids)
            ids[row, :size] = torch.tensor(its_ids)
            positions[row, :size] = torch.tensor(its_positions)
            texts[row, :size] = torch.tensor(its_texts)
            heard += [(row, column) for column, _ in its_heard]
            meant += [values for _, values in its_heard]
        same = texts[:, :, None] == texts[:, None, :]
        earlier = torch.ones(width, width, dtype=torch.bool).tril()
        sees = (same | (texts == 0)[:, None, :]) & earlier
        said = [one for row in rows for one in row]
        whose = [number for number, one in enumerate(said) for _ in one.heard]
        return PackedBatch(
            ids,
            positions,
            sees[:, None],
            torch.tensor(heard),
            torch.stack(meant),
            torch.tensor(whose),
            torch.tensor([one.intent for one in said]),
        )


def _packed(row: Sequence[Coded]) -> tuple[list[int], list[int], list[int], list[tuple[int, Tensor]]]:
    """Ids, positions, numbers of the texts (0 the beginning of all), and (column, slider values)."""
    begin = row[0].heard[0][0]
    ids = list(row[0].ids[:begin])
    positions, texts = list(range(begin)), [0] * begin
    heard: list[tuple[int, Tensor]] = []
    for number, one in enumerate(row):
        heard += [(len(ids) + place, values) for place, (_, values) in enumerate(one.heard)]
        ids += [one.ids[token] for token, _ in one.heard]
        positions += range(begin, begin + len(one.heard))
        texts += [number + 1] * len(one.heard)
    return ids, positions, texts, heard
