"""The looks stage: teaches a finished checkpoint what situations imply, and changes nothing else of it.

The frozen layers below the clause head read texts of `data/implied.py` once; the look head learns from
their states in passes. It takes minutes, so it is done again for every checkpoint.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from facegpt_model.data.collate import Collator
from facegpt_model.data.examples import Example
from facegpt_model.data.implied import feeling, implying
from facegpt_model.data.packing import Packer
from facegpt_model.training.config import ConfigError, LoopConfig, load_config
from facegpt_model.training.loop import begin_run
from facegpt_model.training.tower_run import command
from facegpt_model.vlm.clause_head import degree_classes
from facegpt_model.vlm.ear import Ear
from facegpt_model.vlm.look_head import LookHead, save_looks
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint

HELD_TEXTS = 700  # situations kept back, about all there are
READ_TOKENS = 1500  # at once


class LooksConfig(LoopConfig, frozen=True, extra="forbid"):
    """Settings of the looks stage."""

    start: str = Field("shipped", description="folder of the language model's checkpoint, or 'shipped'")
    texts: PositiveInt = Field(16_000, description="texts that are read once")
    passes: PositiveInt = Field(15, description="times that each is learned from")
    batch: PositiveInt = Field(128, description="texts of a step")
    width: PositiveInt = Field(512, description="of the head's hidden layer")
    dropout: NonNegativeFloat = Field(0.5, description="share of hidden units left out, and of tokens")
    weight_decay: NonNegativeFloat = 0.05
    degree_weight: PositiveFloat = Field(0.1, description="of how strong a look is, against which")


@dataclass(frozen=True)
class Read:
    """What the frozen layers read of R texts.

    states: (Q, H) of all their tokens, half precision; begins: (R + 1,) where each text begins in them;
    looks: (R, L) 1 where a look is meant; degrees: (R,) class of the strongest one, -1 where there is none
    """

    states: Tensor
    begins: Tensor
    looks: Tensor
    degrees: Tensor

    def part(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """(Q', H) float states of these texts' tokens, and (Q',) which of them each belongs to."""
        sizes = self.begins[chosen + 1] - self.begins[chosen]
        texts = torch.repeat_interleave(torch.arange(len(chosen)), sizes)
        offset = torch.arange(len(texts)) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
        return self.states[self.begins[chosen][texts] + offset].float(), texts


def look_names(gpt: FaceGPT) -> tuple[str, ...]:
    """The expression sliders whose high end can be worded."""
    return tuple(axis.name for axis in gpt.axes.axes if axis.part == "expression" and axis.high)


@torch.no_grad()
def read_texts(
    gpt: FaceGPT,
    sample: Callable[[random.Random], Example],
    rng: random.Random,
    count: int,
    progress: Callable[[str, float], None],
) -> Read:
    """Let the layers up to the clause head's read `count` texts."""
    ear = Ear(gpt.model.model.language_model, gpt.clause_layer)
    collator = Collator(gpt.tokenizer, gpt.axes.row, len(gpt.axes.names), gpt.face_id)
    rows = [gpt.axes.row(name) for name in look_names(gpt)]
    states, sizes, looks, degrees = [], [], [], []
    for batch in Packer(collator).stream(sample, rng, READ_TOKENS):
        middle = ear(batch.ids, batch.positions, batch.sees)[batch.heard[:, 0], batch.heard[:, 1]]
        states.append(middle.half())
        its = len(batch.intents)
        sizes.append(torch.bincount(batch.texts, minlength=its))
        said = batch.meant[:, rows].clamp_min(0)
        most = said.new_zeros(its, len(rows)).scatter_reduce(
            0, batch.texts[:, None].expand_as(said), said, "amax"
        )
        looks.append((most > 0).float())
        strongest = most.amax(1)
        degrees.append(torch.where(strongest > 0, degree_classes(strongest), -1))
        done = sum(map(len, looks))
        progress("reading situations", min(done / count, 1.0))
        if done >= count:
            break
    begins = torch.cat([torch.zeros(1, dtype=torch.long), torch.cat(sizes).cumsum(0)])
    return Read(torch.cat(states), begins, torch.cat(looks), torch.cat(degrees))


def learn(read: Read, names: Sequence[str], config: LooksConfig) -> Iterator[tuple[LookHead, float]]:
    """The head after every pass over what was read, and the mean loss of that pass."""
    head = LookHead(read.states.shape[1], names, config.width, config.dropout).train()
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.passes * -(-len(read.looks) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=steps)
    for _ in range(config.passes):
        told = []
        for chosen in torch.randperm(len(read.looks)).split(config.batch):
            states, texts = read.part(chosen)
            kept = torch.rand(len(texts)) >= config.dropout / 2  # words may be missing
            votes, degrees = head.looks(states[kept], texts[kept], len(chosen))
            loss = (
                F.binary_cross_entropy_with_logits(votes, read.looks[chosen], reduction="none").sum(1).mean()
            )
            known = read.degrees[chosen] >= 0
            if known.any():
                loss = loss + config.degree_weight * F.cross_entropy(
                    degrees[known], read.degrees[chosen][known]
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            told.append(float(loss.detach()))
        yield head, sum(told) / len(told)


@torch.no_grad()
def agreement(head: LookHead, read: Read) -> float:
    """Share of texts with a look whose looks are exactly the likeliest ones."""
    head.eval()
    votes, _ = head.looks(*read.part(torch.arange(len(read.looks))), len(read.looks))
    head.train()
    right = [
        set(odds.topk(int(meant.sum())).indices.tolist()) == set(meant.nonzero()[:, 0].tolist())
        for odds, meant in zip(votes, read.looks, strict=True)
        if meant.any()
    ]
    return sum(right) / max(len(right), 1)


def train_looks(
    preset: str,
    overrides: Sequence[str],
    folder: Path,
    report: Callable[[dict[str, float]], None] | None,
    progress: Callable[[str, float], None],
) -> Path:
    """Train the look head of a checkpoint and write it beside it; returns the checkpoint's folder.

    Raises ConfigError for a checkpoint that never learned to hear.
    """
    config = load_config(LooksConfig, "looks", preset, overrides)
    begin_run(folder, config)
    target = SHIPPED_CHECKPOINT if config.start == "shipped" else Path(config.start)
    gpt = load_checkpoint(target)
    if not gpt.clause_layer:
        raise ConfigError(
            f"the checkpoint in {target} never learned to hear; train it with the hearing stage"
        )
    rng = random.Random(f"looks-{config.seed}")
    read = read_texts(gpt, implying, rng, config.texts, progress)
    held = read_texts(gpt, lambda its: feeling(its, "held"), rng, HELD_TEXTS, progress)
    began = time.monotonic()
    right = 0.0
    for number, (head, loss) in enumerate(learn(read, look_names(gpt), config), 1):
        right = agreement(head, held)
        told = {"step": number, "seconds": time.monotonic() - began, "rate": config.learning_rate}
        if report is not None:
            report(told | {"loss": loss, "held_out_right": right})
    card = {"command": command("looks", preset, overrides), "texts": len(read.looks)}
    save_looks(head, target, card | {"held_out_right": round(right, 4)})
    return target
