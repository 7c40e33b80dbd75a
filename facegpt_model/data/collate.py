"""Examples to padded tensors: the one batch type of the language stages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from facegpt_model.data.examples import Example
from facegpt_model.dialogue.intents import intent_rows
from facegpt_model.losses.intents import UNKNOWN
from facegpt_model.vlm.tokens import END, token_id

POOL = 512  # examples drawn at a time and sorted by length, so that batches hold little padding


@dataclass(frozen=True)
class LanguageBatch:
    """B examples of up to T tokens.

    ids:        (B, T) token ids, padded on the right
    targets:    (N, 2) row and column of the tokens to predict (predicted from column - 1)
    weights:    (N,) weight of each target: the same for every example, whatever its length
    marks:      (M, 2) row and column of the tokens whose hidden states are read by the face head
    values:     (M, K) slider values known there
    is_face:    (M,) True where the token is <FACE>
    heard:      (Q, 2) row and column of every token of what the user said, where that was marked
    meant:      (Q, K) slider values of the wordings that end there; all 0 where none ends
    texts:      (Q,) number of the text, 0 to R - 1, that each of these tokens belongs to
    intents:    (R,) row of the intent of each text, losses.intents.UNKNOWN where it was not told
    """

    ids: Tensor
    targets: Tensor
    weights: Tensor
    marks: Tensor
    values: Tensor
    is_face: Tensor
    heard: Tensor
    meant: Tensor
    texts: Tensor
    intents: Tensor

    def to(self, device: torch.device) -> LanguageBatch:
        """The same batch on a device."""
        return LanguageBatch(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True)
class Coded:
    """One example in tokens: where the answer starts, (token index, slider values) pairs, and the intent's row."""

    ids: list[int]
    start: int
    marks: list[tuple[int, Tensor]]
    heard: list[tuple[int, Tensor]]
    intent: int = UNKNOWN


def encode(
    example: Example, tokenizer: PreTrainedTokenizerFast, axis_row: Callable[[str], int], axes: int
) -> Coded:
    """Token ids, index of the first answer token, marks of the answer and of what was heard."""
    coded = tokenizer(example.prompt + example.answer, add_special_tokens=False, return_offsets_mapping=True)
    offsets = coded["offset_mapping"]
    start = next(index for index, (begin, _) in enumerate(offsets) if begin >= len(example.prompt))
    marks = []
    for mark in example.marks:
        token = _token_at(offsets, len(example.prompt) + mark.end - 1)
        marks.append((token, _slider_row(mark.values, axis_row, axes)))
    heard = []
    if example.heard or example.silent:
        ends: dict[int, dict[str, float]] = {}
        for mark in example.heard:
            ends.setdefault(_token_at(offsets, mark.end - 1), {}).update(mark.values)
        begin = _token_at(offsets, example.prompt.rindex(USER) + len(USER))
        for token in range(begin, _token_at(offsets, example.prompt.index(END, offsets[begin][0]))):
            heard.append((token, _slider_row(ends.get(token, {}), axis_row, axes)))
    return Coded(list(coded["input_ids"]), start, marks, heard, intent_rows().get(example.asks, UNKNOWN))


USER = "<|im_start|>user\n"


def _token_at(offsets: Sequence[tuple[int, int]], position: int) -> int:
    return next(index for index, (begin, end) in enumerate(offsets) if begin <= position < end)


def _slider_row(sliders: Mapping[str, float], axis_row: Callable[[str], int], axes: int) -> Tensor:
    values = torch.zeros(axes)
    for name, value in sliders.items():
        values[axis_row(name)] = value
    return values


class Collator:
    """Turns examples into batches for one tokenizer and one list of axes."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, axis_row: Callable[[str], int], axes: int, face_id: int
    ) -> None:
        self.tokenizer = tokenizer
        self.axis_row = axis_row
        self.axes = axes
        self.face_id = face_id
        self.pad_id = token_id(tokenizer, END)

    def batch(self, examples: Sequence[Example]) -> LanguageBatch:
        """One padded batch."""
        coded = [encode(example, self.tokenizer, self.axis_row, self.axes) for example in examples]
        ids = torch.full((len(coded), max(len(one.ids) for one in coded)), self.pad_id)
        targets: list[tuple[int, int]] = []
        weights: list[float] = []
        marks: list[tuple[int, int, Tensor]] = []
        heard: list[tuple[int, int, Tensor]] = []
        texts: list[int] = []
        for row, one in enumerate(coded):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            answer = range(one.start, len(one.ids))
            targets += [(row, column) for column in answer]
            weights += [1.0 / max(len(answer), 8) for _ in answer]
            marks += [(row, column, value) for column, value in one.marks]
            heard += [(row, column, value) for column, value in one.heard]
            texts += [row] * len(one.heard)
        intents = [one.intent if one.heard else UNKNOWN for one in coded]
        mark_index, values = self._read_outs(marks)
        is_face = ids[mark_index[:, 0], mark_index[:, 1]] == self.face_id
        return LanguageBatch(
            ids,
            torch.tensor(targets),
            torch.tensor(weights),
            mark_index,
            values,
            is_face,
            *self._read_outs(heard),
            torch.tensor(texts, dtype=torch.long),
            torch.tensor(intents),
        )

    def _read_outs(self, marks: Sequence[tuple[int, int, Tensor]]) -> tuple[Tensor, Tensor]:
        where = torch.tensor([mark[:2] for mark in marks], dtype=torch.long).reshape(-1, 2)
        return where, torch.stack([mark[2] for mark in marks]) if marks else torch.zeros(0, self.axes)

    def stream(
        self, sample: Callable[[random.Random], Example], rng: random.Random, tokens: int
    ) -> Iterator[LanguageBatch]:
        """Endless batches of about `tokens` tokens, examples of similar length together."""
        while True:
            pool = [sample(rng) for _ in range(POOL)]
            pool.sort(key=lambda example: len(example.prompt) + len(example.answer))
            for group in _shuffled_groups(pool, tokens, rng):
                yield self.batch(group)


CHARACTERS_PER_TOKEN = 3.6  # of our prompts with this tokenizer; only sizes batches


def _shuffled_groups(pool: list[Example], tokens: int, rng: random.Random) -> list[list[Example]]:
    groups: list[list[Example]] = [[]]
    for example in pool:
        longest = (len(example.prompt) + len(example.answer)) / CHARACTERS_PER_TOKEN
        if groups[-1] and longest * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(example)
    rng.shuffle(groups)
    return groups
