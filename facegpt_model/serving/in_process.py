"""The embedded backend: FaceGPT in this process, plain transformers, one thread by default."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import BackendError, ChatTurn, Reply, ToolCall, ToolSchema, told
from facegpt_model.serving.decoding import Decoder, Grammars
from facegpt_model.serving.rules import (
    HEARD,
    MAX_ANSWER,
    MAX_CALL,
    RESTATES,
    Rules,
    chat_rules,
    check_length,
    goes_round,
)
from facegpt_model.serving.wanted import Turn, votes, wanted
from facegpt_model.vlm.hearing import Wording, hear, last_words, sayable
from facegpt_model.vlm.intent_head import counted
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint
from facegpt_model.vlm.tokens import END, FACE, IMAGE, TOOL_CALL, prompt, text_of, token_id


@dataclass
class _Answer:
    """What has been said so far."""

    ids: list[int] = field(default_factory=list)
    codes: list[torch.Tensor] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


class InProcessBackend:
    """Answers conversations with a FaceGPT checkpoint; see serving.backend.Backend."""

    def __init__(self, gpt: FaceGPT, name: str) -> None:
        self.gpt = gpt
        self.name = name
        tokenizer = gpt.tokenizer
        self._end = token_id(tokenizer, END)
        self._image = token_id(tokenizer, IMAGE)
        self._call = token_id(tokenizer, TOOL_CALL)
        self._face = gpt.face_id
        self._user = tokenizer("<|im_start|>user\n", add_special_tokens=False).input_ids
        self._grammars = Grammars(tokenizer)
        self._space = list(tokenizer(" ", add_special_tokens=False).input_ids)

    @classmethod
    def load(cls, checkpoint: Path | None = None) -> InProcessBackend:
        """With a checkpoint folder (default: the shipped one).

        Raises CheckpointError, or AssetError when the language model is not there.
        """
        folder = checkpoint or SHIPPED_CHECKPOINT
        gpt = load_checkpoint(folder)
        name = json.loads((folder / "facegpt.json").read_text(encoding="utf-8"))["name"]
        return cls(gpt, str(name))

    def chat(
        self,
        turns: Sequence[ChatTurn],
        tools: Sequence[ToolSchema],
        faces: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer the last turn; see Backend.chat."""
        turn = Turn(turns[-1].text, faces) if turns[-1].role == "user" else None
        return self._answer(prompt(turns, faces), tools, on_text, chat_rules(turns, bool(tools)), turn=turn)

    def imagine(self, text: str) -> Reply:
        """A face for a description; the answer is held to restate it and to end with <FACE>."""
        turns = [ChatTurn("user", text)]
        return self._answer(prompt(turns, ()), (), None, Rules(False, True, must_make_face=True), "A")

    def _answer(
        self,
        text: str,
        tools: Sequence[ToolSchema],
        on_text: Callable[[str], None] | None,
        rules: Rules,
        begin: str = "",
        turn: Turn | None = None,
    ) -> Reply:
        tokenizer = self.gpt.tokenizer
        ids = tokenizer(text, add_special_tokens=False).input_ids
        check_length(len(ids))
        decoder = Decoder(self.gpt.model.model.language_model, self.gpt.clause_layer)
        answer = _Answer(tokenizer(begin, add_special_tokens=False).input_ids if begin else [])
        decoder.feed([*ids, *answer.ids])
        words = self._said(decoder.middle, ids)
        heard = self._heard(words)
        asked = votes(self._intents(words), turn.words) if turn else None
        bound = wanted(asked, turn or Turn(""), heard, tools, rules)
        if bound.said:
            return told(bound.said, on_text)
        heard, rules = sayable(heard), bound.rules
        spoken = ""
        while len(answer.ids) < MAX_ANSWER:
            token = self._call if bound.must_call else self._next(decoder, rules)
            if token == self._end:
                break
            if token == self._call:
                answer.calls.append(self._tool_call(decoder, bound.tools))
                break
            decoder.feed([token])
            answer.ids.append(token)
            if token == self._face:
                answer.codes.append(self._code(decoder.hidden))
                break  # the state of <FACE> is a face, not the start of a next word
            if rounds := goes_round(answer.ids):
                del answer.ids[-rounds:]
                break
            spoken = self._tell(answer, spoken, on_text)
            if rules.may_make_face and text_of(tokenizer, answer.ids).strip() in RESTATES:
                self._restate(decoder, answer, heard, spoken, on_text)
                break
        if rules.must_make_face and not answer.codes:
            self._make_face(decoder, answer)
        said = text_of(tokenizer, answer.ids).strip()
        return Reply(said, tuple(answer.calls), tuple(self._estimate(code, said) for code in answer.codes))

    def _tell(self, answer: _Answer, spoken: str, on_text: Callable[[str], None] | None) -> str:
        """Stream what is new; returns everything that was streamed."""
        whole = text_of(self.gpt.tokenizer, answer.ids)
        if on_text is None or whole.endswith("\ufffd"):
            return spoken
        on_text(whole[len(spoken) :])
        return whole

    def _said(self, states: torch.Tensor, ids: list[int]) -> torch.Tensor:
        """Of the states of a prompt's tokens those of the last user's words."""
        size = len(self._user)
        begin = max((n + size for n in range(len(ids) - size) if ids[n : n + size] == self._user), default=0)
        return states[begin : ids.index(self._end, begin)]

    def _heard(self, said: torch.Tensor) -> tuple[Wording, ...]:
        """What words may mean, from their states; nothing where the checkpoint never learned to hear."""
        if not self.gpt.clause_layer:
            return ()
        head = self.gpt.model.clause_head
        return last_words(hear(said, head, self.gpt.axes.axes, HEARD, taken_away=True))

    @torch.no_grad()
    def _intents(self, said: torch.Tensor) -> torch.Tensor | None:
        """(I,) logits of what words ask for; None where the checkpoint never learned that."""
        if not self.gpt.knows_intents or not self.gpt.clause_layer or not len(said):
            return None
        votes = self.gpt.model.intent_head(said)
        return counted(votes, torch.zeros(len(said), dtype=torch.long), 1)[0]

    def _restate(
        self,
        decoder: Decoder,
        answer: _Answer,
        heard: Sequence[Wording],
        spoken: str,
        on_text: Callable[[str], None] | None,
    ) -> None:
        """Finish "A man ..." in canonical phrases, then <FACE>."""
        matcher = self._grammars.sentence(heard)
        matcher.take(answer.ids)
        while not matcher.finished:
            chosen = [token for token in matcher.choose(decoder.logits()) if token != self._end]
            if chosen:
                decoder.feed(chosen)
            answer.ids += chosen
            spoken = self._tell(answer, spoken, on_text)
            if len(answer.ids) > MAX_ANSWER:
                raise BackendError("the model did not finish its sentence; describe the face in fewer words")
        self._make_face(decoder, answer)

    def _make_face(self, decoder: Decoder, answer: _Answer) -> None:
        """Say " <FACE>" and read the face out."""
        decoder.feed([*self._space, self._face])
        answer.ids += [*self._space, self._face]
        answer.codes.append(self._code(decoder.hidden))

    def _next(self, decoder: Decoder, rules: Rules) -> int:
        logits = decoder.logits()
        logits[self._image] = -torch.inf
        if not rules.may_call:
            logits[self._call] = -torch.inf
        if not rules.may_make_face:
            logits[self._face] = -torch.inf
        token = int(logits.argmax())
        return self._face if rules.must_make_face and token == self._end else token

    @torch.no_grad()
    def _code(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.gpt.model.face_head(hidden).clone()

    def _estimate(self, flat: torch.Tensor, said: str) -> FaceEstimate:
        words = said.replace(FACE, "").strip()
        return FaceEstimate(self.gpt.axes.bounded(flat), None, f"text:{words}", self.name)

    def _tool_call(self, decoder: Decoder, tools: Sequence[ToolSchema]) -> ToolCall:
        matcher = self._grammars.call(tools)
        decoder.feed([self._call])
        ids: list[int] = []
        while not matcher.finished:
            chosen = matcher.choose(decoder.logits())
            ids += [token for token in chosen if token != self._end]
            if len(ids) > MAX_CALL:
                raise BackendError("the model did not finish its tool call; say the request shorter")
            if not matcher.finished:
                decoder.feed(chosen)
        call = json.loads(text_of(self.gpt.tokenizer, ids))
        return ToolCall(f"call_{uuid.uuid4().hex[:12]}", call["name"], call["arguments"])
