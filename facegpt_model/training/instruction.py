"""The instruction stage: what one step computes.

The language model learns to restate free witness language in canonical words, to emit
<FACE>, and to call tools; the face head learns to read the slider values at <FACE> and at
the end of every phrase before it (the same read-out, so each phrase is a lesson). The head
sees few read-outs in a step, so the newest ones are kept and replayed to it: they cost no
pass of the language model (a linear probe on the same states read 89 % of the attributes
where the head without replay read 48 %).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from facegpt_model.data.collate import Collator, LanguageBatch
from facegpt_model.data.mixture import sample, sample_face, turn
from facegpt_model.data.packing import PackedBatch, Packer
from facegpt_model.losses.axes import mention_loss, value_loss
from facegpt_model.losses.clauses import clause_loss
from facegpt_model.losses.intents import intent_loss
from facegpt_model.losses.language import answer_loss
from facegpt_model.training.config import ConfigError, StageConfig
from facegpt_model.training.parts import part_of, rates
from facegpt_model.vlm.ear import Ear
from facegpt_model.vlm.lora import add_lora, load_lora, lora_tensors
from facegpt_model.vlm.model import FaceGPT, read_checkpoint
from facegpt_model.vlm.vote_head import counted

TURNS_AT_ONCE = 256  # of a step of the intent head alone
MENTION_PRIOR = -3.0  # about 1 axis in 20 is mentioned


class InstructionStage(nn.Module):
    """Trainable parts: adapters, face head, the rows of the special tokens."""

    special: Tensor

    def __init__(self, gpt: FaceGPT, config: StageConfig) -> None:
        super().__init__()
        self.gpt = gpt
        self.config = config
        self.model = gpt.model.requires_grad_(False)
        self.language_model = self.model.model.language_model
        add_lora(self.language_model, config.lora)
        self.model.face_head.requires_grad_(True)
        self.model.clause_head.requires_grad_(True)
        self.model.intent_head.requires_grad_(True)
        nn.init.constant_(self.model.face_head.mention.bias, MENTION_PRIOR)
        self.register_buffer("special", torch.tensor(gpt.special_ids), persistent=False)
        self.rows = nn.Parameter(self._embeddings()[self.special].clone())
        axes = gpt.axes
        self.collator = Collator(gpt.tokenizer, axes.row, len(axes.names), gpt.face_id)
        self.replay = Replay(config.replay_marks)

    def begin_from(self, folder: Path) -> None:
        """Start from a checkpoint's adapter, token rows and, by the names of its axes, its face head.

        Axes the checkpoint does not know begin untrained. Raises CheckpointError, or
        ConfigError when the adapters differ.
        """
        meta, tensors = read_checkpoint(folder)
        if meta["lora"] != self.config.lora.model_dump():
            raise ConfigError(f"the checkpoint in {folder} has other adapters ({meta['lora']}) than this run")
        load_lora(self.language_model, part_of(tensors, "lora."))
        with torch.no_grad():
            self.rows.copy_(tensors["token_rows"])
        names = cast(list[str], meta["axes"])
        self.model.face_head.take(part_of(tensors, "face_head."), names, self.gpt.axes.names)
        clauses = part_of(tensors, "clause_head.")
        if clauses:
            self.model.clause_head.take(clauses, names, self.gpt.axes.names)
            self.model.clause_head.free()

        asked = part_of(tensors, "intent_head.")
        if asked:
            self.model.intent_head.take(asked, cast(list[str], meta["intents"]))

    def parameter_groups(self) -> list[dict[str, object]]:
        """Adapter and token rows at the plain rate, the face head faster, what hears at its own rate."""
        heads = (self.model.face_head, self.model.intent_head)
        head = [parameter for one in heads for parameter in one.parameters()]
        below = self.language_model.layers[: self.config.clause_layer]
        hearing = [*(p for p in below.parameters() if p.requires_grad), *self.model.clause_head.parameters()]
        learned = (p for p in self.parameters() if p.requires_grad)
        return rates(learned, (head, self.config.head_rate), (hearing, self.config.hearing_rate))

    def _embeddings(self) -> Tensor:
        return self.language_model.embed_tokens.weight

    def batches(self, rng: random.Random) -> Iterator[LanguageBatch]:
        """Endless batches of freshly generated examples."""
        return self.collator.stream(sample, rng, self.config.tokens_per_step)

    def forward(self, batch: LanguageBatch) -> dict[str, Tensor]:
        """Named, weighted losses of one batch."""
        batch = batch.to(self.rows.device)
        with torch.no_grad():
            self._embeddings()[self.special] = self.rows
        output = self.language_model(input_ids=batch.ids, use_cache=False, output_hidden_states=True)
        hidden, middle = output.last_hidden_state, output.hidden_states[self.config.clause_layer]
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.float()
            losses = {"language": self._language(hidden, batch)} | self._faces(hidden, batch)
            if self.config.clause_weight and len(batch.heard):
                states = middle.float()[batch.heard[:, 0], batch.heard[:, 1]]
                heard = self.model.clause_head(states)
                losses["clause"] = self.config.clause_weight * clause_loss(heard, batch.meant)
                losses |= self._intents(states, batch)
            return losses

    def _intents(self, states: Tensor, batch: LanguageBatch | PackedBatch) -> dict[str, Tensor]:
        """The loss of what the texts ask for, from the (Q, H) states of the tokens of `batch.heard`."""
        logits = counted(self.model.intent_head(states), batch.texts, len(batch.intents))
        return {"intent": self.config.intent_weight * intent_loss(logits, batch.intents)}

    def _language(self, hidden: Tensor, batch: LanguageBatch) -> Tensor:
        rows, columns = batch.targets.unbind(1)
        wanted = batch.ids[rows, columns]
        vocabulary = self._embeddings().shape[0] - len(self.special)
        others = torch.randint(vocabulary, (self.config.competing_words,), device=wanted.device)
        ordinary = torch.cat([wanted, others]).unique()
        ordinary = ordinary[~torch.isin(ordinary, self.special)]
        place = torch.full((self._embeddings().shape[0],), -1, device=wanted.device)
        order = torch.arange(len(ordinary) + len(self.special), device=wanted.device)
        place[torch.cat([ordinary, self.special])] = order
        output = torch.cat([self._embeddings()[ordinary].detach(), self.rows])
        return answer_loss(hidden[rows, columns - 1], place[wanted], output, batch.weights)

    def _faces(self, hidden: Tensor, batch: LanguageBatch) -> dict[str, Tensor]:
        losses = {}
        for name, chosen, share in (
            ("face", batch.is_face, 1.0),
            ("phrase", ~batch.is_face, self.config.phrase_share),
        ):
            if not chosen.any():
                continue
            marks, values = batch.marks[chosen], batch.values[chosen]
            read = self.model.face_head.readout(hidden[marks[:, 0], marks[:, 1]])
            losses[f"{name}_mention"] = share * self.config.mention_weight * mention_loss(read, values)
            losses[f"{name}_value"] = share * self.config.value_weight * value_loss(read, values)
        if self.training and len(batch.marks):
            self.replay.add(hidden[batch.marks[:, 0], batch.marks[:, 1]].detach(), batch.values)
            if self.config.replay_sample:
                losses["replay"] = self._read_out_loss(*self.replay.sample(self.config.replay_sample))
        return losses

    def _read_out_loss(self, states: Tensor, values: Tensor) -> Tensor:
        read = self.model.face_head.readout(states)
        return self.config.mention_weight * mention_loss(
            read, values
        ) + self.config.value_weight * value_loss(read, values)

    def finish(self) -> None:
        """Settle the face head on fresh statements read by the finished language model."""
        if not self.config.settle_tokens or not self.config.head_steps:
            return
        self.eval()
        if self.config.intent_tokens:
            self._settle_intents()
        read = self._settle()
        with torch.autocast(self.rows.device.type, enabled=False):
            optimizer = torch.optim.Adam(self.model.face_head.parameters(), lr=self.config.learning_rate)
            for step in range(self.config.head_steps):
                for group in optimizer.param_groups:
                    group["lr"] = self.config.learning_rate * (1 - step / self.config.head_steps)
                optimizer.zero_grad()
                self._read_out_loss(*read.sample(max(self.config.replay_sample, 64))).backward()
                optimizer.step()

    def _settle_intents(self) -> None:
        """Settle the intent head on fresh turns heard by the finished model."""
        states, texts, intents = self._turns()
        with torch.autocast(self.rows.device.type, enabled=False):
            optimizer = torch.optim.Adam(self.model.intent_head.parameters(), lr=self.config.learning_rate)
            for step in range(self.config.head_steps):
                for group in optimizer.param_groups:
                    group["lr"] = self.config.learning_rate * (1 - step / self.config.head_steps)
                chosen = torch.randperm(len(intents), device=intents.device)[:TURNS_AT_ONCE]
                place = torch.full((len(intents),), -1, device=intents.device)
                place[chosen] = torch.arange(len(chosen), device=intents.device)
                its = place[texts]
                votes = self.model.intent_head(states[its >= 0])
                optimizer.zero_grad()
                intent_loss(counted(votes, its[its >= 0], len(chosen)), intents[chosen]).backward()
                optimizer.step()

    @torch.no_grad()
    def _turns(self) -> tuple[Tensor, Tensor, Tensor]:
        """States of the tokens of turns, whose token each is, and what the turns ask for."""
        rng = random.Random(f"settle-intents-{self.config.seed}")
        ear = Ear(self.language_model, self.config.clause_layer)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        turns = tokens = 0
        for batch in Packer(self.collator).stream(turn, rng, self.config.tokens_per_step):
            batch = batch.to(self.rows.device)
            middle = ear(batch.ids, batch.positions, batch.sees)[batch.heard[:, 0], batch.heard[:, 1]]
            found.append((middle.float(), batch.texts + turns, batch.intents))
            turns += len(batch.intents)
            tokens += batch.ids.numel()
            if tokens >= self.config.intent_tokens:
                break
        states, texts, intents = zip(*found, strict=True)
        return torch.cat(states), torch.cat(texts), torch.cat(intents)

    @torch.no_grad()
    def _settle(self) -> Replay:
        rng = random.Random(f"settle-{self.config.seed}")
        read, tokens = Replay(self.config.settle_tokens), 0
        for batch in self.collator.stream(sample_face, rng, self.config.tokens_per_step):
            batch = batch.to(self.rows.device)
            hidden = self.language_model(input_ids=batch.ids, use_cache=False).last_hidden_state.float()
            read.add(hidden[batch.marks[:, 0], batch.marks[:, 1]], batch.values)
            tokens += batch.ids.numel()
            if tokens >= self.config.settle_tokens:
                break
        return read

    def trainable(self) -> dict[str, Tensor]:
        """Everything a resumable checkpoint must hold."""
        state = {f"lora.{k}": v for k, v in lora_tensors(self.language_model).items()}
        state |= {f"face_head.{k}": v for k, v in self.model.face_head.state_dict().items()}
        state |= {f"clause_head.{k}": v for k, v in self.model.clause_head.state_dict().items()}
        state |= {f"intent_head.{k}": v for k, v in self.model.intent_head.state_dict().items()}
        return state | {"rows": self.rows.data}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set everything `trainable` gave."""
        load_lora(self.language_model, part_of(state, "lora."))
        self.model.face_head.load_state_dict(part_of(state, "face_head."))
        self.model.clause_head.load_state_dict(part_of(state, "clause_head."))
        self.model.intent_head.load_state_dict(part_of(state, "intent_head."))
        self.rows.data.copy_(state["rows"])
        with torch.no_grad():
            self._embeddings()[self.special] = self.rows


class Replay:
    """The newest hidden states at marks with their slider values, at most `size`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.states = torch.empty(0)
        self.values = torch.empty(0)

    def add(self, states: Tensor, values: Tensor) -> None:
        """Keep (M, H) states and (M, K) values; the oldest ones leave."""
        kept = self.states.reshape(-1, states.shape[1]).to(states.device)
        self.states = torch.cat([kept, states])[-self.size :]
        kept = self.values.reshape(-1, values.shape[1]).to(values.device)
        self.values = torch.cat([kept, values])[-self.size :]

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` random rows, with repetition."""
        rows = torch.randint(len(self.states), (count,), device=self.states.device)
        return self.states[rows], self.values[rows]
