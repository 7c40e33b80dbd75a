"""The intents stage: teaches a finished checkpoint what a turn asks for, and changes nothing else of it.

Only the intent head learns, from turns that the frozen layers below it read. It is what the
instruction stage does at its end, for checkpoints that were made without it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import Tensor

from facegpt_model.data.mixture import turn
from facegpt_model.data.packing import PackedBatch, Packer
from facegpt_model.training.config import StageConfig
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.vlm.ear import Ear
from facegpt_model.vlm.model import FaceGPT


class IntentsStage(InstructionStage):
    """Trains the intent head; begin from a checkpoint that hears (`start`)."""

    def __init__(self, gpt: FaceGPT, config: StageConfig) -> None:
        super().__init__(gpt, config)
        self.requires_grad_(False)
        self.model.intent_head.requires_grad_(True)
        self.ear = Ear(self.language_model, config.clause_layer)

    def batches(self, rng: random.Random) -> Iterator[PackedBatch]:  # type: ignore[override]
        """Endless batches of turns whose intent is known."""
        return Packer(self.collator).stream(turn, rng, self.config.tokens_per_step)

    def parameter_groups(self) -> list[dict[str, object]]:
        """The intent head alone."""
        return [{"params": list(self.model.intent_head.parameters()), "rate_factor": 1.0}]

    def forward(self, batch: PackedBatch) -> dict[str, Tensor]:  # type: ignore[override]
        """The loss of one batch."""
        batch = batch.to(self.rows.device)
        with torch.no_grad():
            middle = self.ear(batch.ids, batch.positions, batch.sees)
        with torch.autocast(middle.device.type, enabled=False):
            return self._intents(middle.float()[batch.heard[:, 0], batch.heard[:, 1]], batch)

    def finish(self) -> None:
        """Settle the head on more turns, each of them seen many times."""
        self.eval()
        self._settle_intents()
