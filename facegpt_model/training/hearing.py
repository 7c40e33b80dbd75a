"""The hearing stage: what a wording means, learned where it ends, before the model learns to answer.

Only the layers up to the one that is read run, over users' words packed behind one beginning
(`data/packing.py`), so that a step sees many times as many wordings as one of the instruction stage.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import Tensor

from facegpt_model.data.overheard import overheard
from facegpt_model.data.packing import PackedBatch, Packer
from facegpt_model.losses.clauses import clause_loss
from facegpt_model.training.config import StageConfig
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.training.parts import rates
from facegpt_model.vlm.ear import Ear
from facegpt_model.vlm.model import FaceGPT


class HearingStage(InstructionStage):
    """Trains the adapters below `clause_layer` and the heads for what is heard and asked; the rest stays."""

    def __init__(self, gpt: FaceGPT, config: StageConfig) -> None:
        super().__init__(gpt, config)
        self.rows.requires_grad_(False)
        self.model.face_head.requires_grad_(False)
        above = self.language_model.layers[config.clause_layer :]
        above.requires_grad_(False)
        self.ear = Ear(self.language_model, config.clause_layer)

    def batches(self, rng: random.Random) -> Iterator[PackedBatch]:  # type: ignore[override]
        """Endless batches of things users say."""
        return Packer(self.collator).stream(overheard, rng, self.config.tokens_per_step)

    def parameter_groups(self) -> list[dict[str, object]]:
        """Adapters at the plain rate, the two heads faster."""
        head = [*self.model.clause_head.parameters(), *self.model.intent_head.parameters()]
        learned = (p for p in self.parameters() if p.requires_grad)
        return rates(learned, (head, self.config.head_rate))

    def forward(self, batch: PackedBatch) -> dict[str, Tensor]:  # type: ignore[override]
        """Named, weighted losses of one batch."""
        batch = batch.to(self.rows.device)
        middle = self.ear(batch.ids, batch.positions, batch.sees)
        with torch.autocast(middle.device.type, enabled=False):
            states = middle.float()[batch.heard[:, 0], batch.heard[:, 1]]
            return {"clause": clause_loss(self.model.clause_head(states), batch.meant)} | self._intents(
                states, batch
            )

    def finish(self) -> None:
        """Nothing is left to do when the steps are used up."""
