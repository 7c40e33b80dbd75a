"""The embedded backend: FaceGPT in this process, one thread by default."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import ChatTurn, Reply, ToolCall, ToolSchema, told
from facegpt_model.serving.decoding import Grammars
from facegpt_model.serving.drafting import Decoder
from facegpt_model.serving.lean_llama import LeanLlama
from facegpt_model.serving.rules import HEARD, MAX_ANSWER, MAX_CALL, Rules, chat_rules, check_length
from facegpt_model.serving.speech import Call, Speech, Words
from facegpt_model.serving.wanted import Turn, votes, wanted
from facegpt_model.vlm.hearing import Wording, hear, last_words, sayable, with_looks
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT, FaceGPT, load_checkpoint
from facegpt_model.vlm.tokens import FACE, prompt, prompt_beginning, text_of
from facegpt_model.vlm.vote_head import counted

ROOM = MAX_ANSWER + MAX_CALL + 80  # tokens beside the prompt; a draft may go a little too far


class InProcessBackend:
    """Answers conversations with a FaceGPT checkpoint; see serving.backend.Backend."""

    def __init__(self, gpt: FaceGPT, name: str) -> None:
        self.gpt = gpt
        self.name = name
        tokenizer = gpt.tokenizer
        self._words = Words(tokenizer)
        self._grammars = Grammars(tokenizer)
        self.lean = LeanLlama(gpt.model.model.language_model, gpt.clause_layer)
        begin = prompt_beginning()
        self._beginning = self.lean.beginning(tokenizer(begin, add_special_tokens=False).input_ids)

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
        tokenizer, words = self.gpt.tokenizer, self._words
        ids = tokenizer(text, add_special_tokens=False).input_ids
        check_length(len(ids))
        begun = tokenizer(begin, add_special_tokens=False).input_ids if begin else []
        decoder = self._read([*ids, *begun])
        said = self._last_words(decoder.cache.middle, ids)
        heard = self._heard(said)
        asked = votes(self._intents(said), turn.words) if turn else None
        bound = wanted(asked, turn or Turn(""), heard, tools, rules)
        if bound.said:
            return told(bound.said, on_text)
        if bound.must_call:
            return Reply("", (self._tool_call(decoder, bound.tools),))
        speech = Speech(tokenizer, words, self._grammars, bound.rules, sayable(heard), begun)
        shown, streamed = list(begun), ""
        for piece in decoder.speak(speech):
            shown += [token for token in piece if token not in words.ends]
            streamed = self._tell(shown, streamed, on_text)
        calls: tuple[ToolCall, ...] = ()
        if speech.last == words.call:
            calls = (self._tool_call(decoder, bound.tools),)
        closing = speech.closing or self._face_after(speech, decoder, bound.rules)
        answer = text_of(tokenizer, [*speech.ids, *closing]).strip()
        faces = (self._estimate(self._code(decoder.hidden), answer),) if closing else ()
        return Reply(answer, calls, faces)

    def _read(self, ids: list[int]) -> Decoder:
        """A decoder that has read a prompt; what all prompts begin with is not read again."""
        cache = self.lean.cache(len(ids) + ROOM)
        decoder = Decoder(self.lean, cache)
        decoder.feed(ids[self._beginning.put(ids, cache) :])
        return decoder

    def _face_after(self, speech: Speech, decoder: Decoder, rules: Rules) -> list[int]:
        """The tokens of <FACE> after free words, read now; none where no face is made."""
        words = self._words
        if speech.last == words.face or (rules.must_make_face and speech.last == words.end):
            closing = [words.face]
        else:
            closing = [*words.space, words.face] if rules.must_make_face else []
        if closing:
            decoder.feed(closing)
        return closing

    def _tell(self, ids: list[int], spoken: str, on_text: Callable[[str], None] | None) -> str:
        """Stream what is new; returns everything that was streamed."""
        whole = text_of(self.gpt.tokenizer, ids)
        if on_text is None or whole == spoken or whole.endswith("\ufffd"):
            return spoken
        on_text(whole[len(spoken) :])
        return whole

    def _last_words(self, states: torch.Tensor, ids: list[int]) -> torch.Tensor:
        """Of the states of a prompt's tokens those of the last user's words."""
        user, size = self._words.user, len(self._words.user)
        begin = max((n + size for n in range(len(ids) - size) if ids[n : n + size] == user), default=0)
        return states[begin : ids.index(self._words.end, begin)]

    def _heard(self, said: torch.Tensor) -> tuple[Wording, ...]:
        """What words may mean, from their states; nothing where the checkpoint never learned to hear."""
        if not self.gpt.clause_layer:
            return ()
        axes, looks = self.gpt.axes, self.gpt.looks
        heard = last_words(hear(said, self.gpt.model.clause_head, axes.axes, HEARD, taken_away=True))
        if looks is None or not len(said):
            return heard
        with torch.no_grad():
            odds, degrees = looks.looks(said, torch.zeros(len(said), dtype=torch.long), 1)
        return with_looks(heard, odds[0], degrees[0], [axes.axes[axes.row(name)] for name in looks.names])

    @torch.no_grad()
    def _intents(self, said: torch.Tensor) -> torch.Tensor | None:
        """(I,) logits of what words ask for; None where the checkpoint never learned that."""
        if not self.gpt.knows_intents or not self.gpt.clause_layer or not len(said):
            return None
        votes = self.gpt.model.intent_head(said)
        return counted(votes, torch.zeros(len(said), dtype=torch.long), 1)[0]

    @torch.no_grad()
    def _code(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.gpt.model.face_head(hidden).clone()

    def _estimate(self, flat: torch.Tensor, said: str) -> FaceEstimate:
        words = said.replace(FACE, "").strip()
        return FaceEstimate(self.gpt.axes.bounded(flat), None, f"text:{words}", self.name)

    def _tool_call(self, decoder: Decoder, tools: Sequence[ToolSchema]) -> ToolCall:
        call = Call(self._words, self._grammars, tools)
        for _ in decoder.speak(call, [self._words.call, *call.begun]):
            pass
        written = json.loads(text_of(self.gpt.tokenizer, call.ids))
        return ToolCall(f"call_{uuid.uuid4().hex[:12]}", written["name"], written["arguments"])
