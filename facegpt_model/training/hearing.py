"""The hearing stage: what a wording means, learned where it ends, before the model learns to answer.

Only the layers up to the one that is read run, over users' words packed behind one beginning
(`data/packing.py`), so that a step sees many times as many wordings as one of the instruction stage.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import Tensor
from transformers import LlamaModel

from facegpt_model.data.overheard import overheard
from facegpt_model.data.packing import PackedBatch, Packer
from facegpt_model.losses.clauses import clause_loss
from facegpt_model.training.config import StageConfig
from facegpt_model.training.instruction import InstructionStage
from facegpt_model.vlm.model import FaceGPT


class HearingStage(InstructionStage):
    """Trains the adapters below `clause_layer` and the clause head; the rest of a checkpoint stays."""

    def __init__(self, gpt: FaceGPT, config: StageConfig) -> None:
        super().__init__(gpt, config)
        self.rows.requires_grad_(False)
        self.model.face_head.requires_grad_(False)
        above = self.language_model.layers[config.clause_layer :]
        above.requires_grad_(False)
        self.ear = _Ear(self.language_model, config.clause_layer)

    def batches(self, rng: random.Random) -> Iterator[PackedBatch]:  # type: ignore[override]
        """Endless batches of things users say."""
        return Packer(self.collator).stream(overheard, rng, self.config.tokens_per_step)

    def parameter_groups(self) -> list[dict[str, object]]:
        """Adapters at the plain rate, the clause head faster."""
        head = list(self.model.clause_head.parameters())
        known = {id(parameter) for parameter in head}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in known]
        return [{"params": rest, "rate_factor": 1.0}, {"params": head, "rate_factor": self.config.head_rate}]

    def forward(self, batch: PackedBatch) -> dict[str, Tensor]:  # type: ignore[override]
        """The loss of one batch."""
        batch = batch.to(self.rows.device)
        middle = self.ear(batch.ids, batch.positions, batch.sees)
        with torch.autocast(middle.device.type, enabled=False):
            states = middle.float()[batch.heard[:, 0], batch.heard[:, 1]]
            return {"clause": clause_loss(self.model.clause_head(states), batch.meant)}

    def finish(self) -> None:
        """Nothing is left to do when the steps are used up."""


class _Ear:
    """The language model up to one layer, without a copy."""

    def __init__(self, language_model: LlamaModel, layer: int) -> None:
        self.language_model = language_model
        self.layer = layer

    def __call__(self, ids: Tensor, positions: Tensor | None = None, sees: Tensor | None = None) -> Tensor:
        """(B, T) ids to (B, T, H) states after `layer` layers; positions and sees as in PackedBatch."""
        layers = self.language_model.layers
        states: list[Tensor] = []
        hook = layers[self.layer - 1].register_forward_hook(lambda *call: states.append(call[2]))
        self.language_model.layers = layers[: self.layer]
        try:
            self.language_model(input_ids=ids, position_ids=positions, attention_mask=sees, use_cache=False)
        finally:
            self.language_model.layers = layers
            hook.remove()
        return states[0][0] if isinstance(states[0], tuple) else states[0]
