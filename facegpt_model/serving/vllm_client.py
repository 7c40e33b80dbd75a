"""FaceGPT on a vLLM server as a Backend: the same prompts, grammars and read-outs as in this process.

It speaks the stock completions API with token ids, so that prompt and answer are the very
tokens the engine here would read, and needs no tokenizer of its own. Faces come out of the
parameter slots of serving/slots.py.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from facegpt_model.dialogue.intents import INTENTS, intent_rows
from facegpt_model.face import FaceEstimate
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.serving.backend import BackendError, ChatTurn, Reply, ToolCall, ToolSchema, told
from facegpt_model.serving.decoding import call_schema, heard_grammar, sentence_grammar
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
from facegpt_model.serving.server_link import ServerLink
from facegpt_model.serving.slots import HEARD as HEARD_SLOTS
from facegpt_model.serving.slots import (
    MOST_PER_READING,
    OFFSET,
    VOTE_SCALE,
    WEIGHT,
    axis_slot,
    heard_again,
    intent_slot,
    look_slots,
)
from facegpt_model.serving.wanted import Turn, votes, wanted
from facegpt_model.vlm.hearing import Wording, hear, last_words, sayable, with_looks
from facegpt_model.vlm.intent_head import NEVER as NEVER_WANTED
from facegpt_model.vlm.tokens import END, FACE, IMAGE, TOOL_CALL, prompt
from facegpt_model.vlm.vote_head import counted

NEVER = -100.0  # added to the logit of a token that may not be said
SMALLEST = 5e-5  # a slot below this is 0: float32 beside OFFSET is good to about 1e-5


@dataclass(frozen=True)
class _Vocabulary:
    """Token ids of the server's tokenizer. axes: names in the order of the server's slots."""

    end: int
    image: int
    call: int
    face: int
    space: tuple[int, ...]
    user: tuple[int, ...]
    axes: tuple[str, ...]
    slots: tuple[int, ...]
    heard: tuple[int, ...]
    asked: tuple[int, ...]
    intents: tuple[str, ...]
    looks: tuple[str, ...]
    look_slots: tuple[int, ...]


@dataclass
class _Said:
    """Tokens and text of one request; stop: the token it ended with, None when it was cut off."""

    ids: list[int] = field(default_factory=list)
    text: str = ""
    stop: int | None = None


class VllmBackend:
    """Answers conversations with a served FaceGPT; see serving.backend.Backend."""

    def __init__(self, link: ServerLink, axes: Axes) -> None:
        """Asks the server who it is; BackendError when it does not answer or serves something else."""
        self.link = link
        self.axes = axes
        served = link.get("/v1/models").get("data") or [{}]
        adapters = [model for model in served if model.get("parent")]  # where it is not merged
        self.name = str((adapters or served)[0].get("id", ""))
        self.words = self._vocabulary()

    @classmethod
    def connect(
        cls, url: str, api_key: str = "", timeout: float = 120.0, basis: str = "openhead@2"
    ) -> VllmBackend:
        """With a server at an address; its slider values move the axes of `basis`."""
        return cls(ServerLink(url, api_key, timeout), load_axes(load(basis)))

    def chat(
        self,
        turns: Sequence[ChatTurn],
        tools: Sequence[ToolSchema],
        faces: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer the last turn; see Backend.chat. An exception raised by on_text cancels the answer."""
        turn = Turn(turns[-1].text, faces) if turns[-1].role == "user" else None
        return self._answer(prompt(turns, faces), tools, on_text, chat_rules(turns, bool(tools)), turn=turn)

    def imagine(self, text: str) -> Reply:
        """A face for a description; the answer is held to restate it and to end with <FACE>."""
        rules = Rules(False, True, must_make_face=True)
        return self._answer(prompt([ChatTurn("user", text)], ()), (), None, rules, "A")

    def sliders(self, ids: Sequence[int]) -> Tensor:
        """(K,) slider values read at the last of these tokens, in the order of `axes`; unmentioned 0."""
        values = torch.zeros(len(self.axes.names))
        slots = self.words.slots
        numbers: list[float] = []
        for begin in range(0, len(slots), MOST_PER_READING):
            numbers += self._read([list(ids)], slots[begin : begin + MOST_PER_READING])[0]
        own = {name: row for row, name in enumerate(self.axes.names)}
        for name, number in zip(self.words.axes, numbers, strict=True):
            values[own[name]] = number if abs(number) > SMALLEST else 0.0
        return values

    def tokens(self, text: str) -> list[int]:
        """The server's token ids of a text with special tokens."""
        return [int(token) for token in self._tokenize(text, False)["tokens"]]

    def _answer(
        self,
        text: str,
        tools: Sequence[ToolSchema],
        on_text: Callable[[str], None] | None,
        rules: Rules,
        begin: str = "",
        turn: Turn | None = None,
    ) -> Reply:
        ids = self.tokens(text)
        check_length(len(ids))
        said = _Said(self.tokens(begin) if begin else [], begin)
        heard, intents = self._read_words(ids) if rules.may_make_face or tools else ((), None)
        asked = votes(intents, turn.words) if turn else None
        bound = wanted(asked, turn or Turn(""), heard, tools, rules)
        if bound.said:
            return told(bound.said, on_text)
        heard, rules = sayable(heard), bound.rules
        if bound.must_call:
            return Reply("", (self._tool_call(ids, bound.tools),))
        opening = 2 - len(said.ids)  # tokens of "A man"
        self._say(ids, said, opening, on_text, rules)
        if said.stop is None and rules.may_make_face and said.text.strip() in RESTATES:
            grammar = heard_grammar(heard, begun=True) if heard else sentence_grammar(begun=True)
            self._say(ids, said, MAX_ANSWER, on_text, rules, {"grammar": grammar})
            if said.stop is None:
                raise BackendError("the model did not finish its sentence; describe the face in fewer words")
            return self._reply(ids, said, [*self.words.space, self.words.face], " ")
        if said.stop is None:
            self._say(ids, said, MAX_ANSWER - len(said.ids), on_text, rules)
        if said.stop == self.words.call:
            call = self._tool_call([*ids, *said.ids], bound.tools)
            return Reply(said.text.strip(), (call,))
        if said.stop == self.words.face or (rules.must_make_face and said.stop == self.words.end):
            return self._reply(ids, said, [self.words.face], "")
        if rules.must_make_face:
            return self._reply(ids, said, [*self.words.space, self.words.face], " ")
        return Reply(said.text.strip())

    def _reply(self, ids: list[int], said: _Said, last: list[int], space: str) -> Reply:
        """The answer that ends with <FACE>, read out there."""
        values = self.sliders([*ids, *said.ids, *last])
        code = self.axes.bounded(values[None] @ self.axes.directions)
        source = f"text:{said.text.strip()}"
        estimate = FaceEstimate(code, None, source, self.name)
        return Reply(f"{said.text}{space}{FACE}".strip(), (), (estimate,))

    def _say(
        self,
        ids: list[int],
        said: _Said,
        most: int,
        on_text: Callable[[str], None] | None,
        rules: Rules | None,
        structure: dict[str, Any] | None = None,
    ) -> None:
        """Go on with what was said, at most `most` tokens further."""
        words = self.words
        never = [words.image]
        if rules and not rules.may_call:
            never.append(words.call)
        if rules and not rules.may_make_face:
            never.append(words.face)
        body: dict[str, Any] = {
            "prompt": [*ids, *said.ids],
            "max_tokens": most,
            "stop_token_ids": [words.end, words.call, words.face],
            "return_token_ids": True,
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
        }
        body |= (
            {"structured_outputs": structure}
            if structure
            else {"logit_bias": dict.fromkeys(map(str, never), NEVER)}
        )
        with closing(self.link.stream("/v1/completions", self._request(body))) as events:
            for event in events:
                self._take(event, said, on_text)
                if structure is None and goes_round(said.ids):
                    said.stop = words.end
                    break

    def _take(self, event: dict[str, Any], said: _Said, on_text: Callable[[str], None] | None) -> None:
        for choice in event.get("choices", ()):
            new = list(choice.get("token_ids") or ())
            if choice.get("finish_reason") == "stop":
                said.stop = int(choice.get("stop_reason") or self.words.end)
                new = [token for token in new if token != said.stop]
            said.ids += new
            said.text += choice.get("text", "")
            if on_text and choice.get("text"):
                on_text(choice["text"])

    def _tool_call(self, ids: list[int], tools: Sequence[ToolSchema]) -> ToolCall:
        said = _Said()
        self._say([*ids, self.words.call], said, MAX_CALL, None, None, {"json": call_schema(tools)})
        if said.stop is None:
            raise BackendError("the model did not finish its tool call; say the request shorter")
        call = json.loads(said.text)
        return ToolCall(f"call_{uuid.uuid4().hex[:12]}", call["name"], call["arguments"])

    def _read_words(self, ids: list[int]) -> tuple[tuple[Wording, ...], Tensor | None]:
        """What the last user's words may mean, and (I,) logits of what they ask for.

        One reading for each token of theirs, all in one request.
        """
        words = self.words
        if not words.heard:
            return (), None
        size = len(words.user)
        begin = max(
            (n + size for n in range(len(ids) - size) if tuple(ids[n : n + size]) == words.user), default=0
        )
        end = ids.index(words.end, begin)
        if begin == end:
            return (), None
        told = torch.tensor(
            self._read(
                [ids[: n + 1] for n in range(begin, end)], [*words.heard, *words.asked, *words.look_slots]
            )
        )
        sizes = [len(words.heard), len(words.asked), len(words.look_slots)]
        numbers, votes, looks = told.split(sizes, dim=1)
        where = dict(zip(words.axes, words.slots, strict=True))
        before = [words.heard[0] - where[name] if name in where else 0 for name in self.axes.names]
        heard = hear(numbers, lambda read: heard_again(read, before), self.axes.axes, HEARD, taken_away=True)
        return self._concluded(last_words(heard), looks), self._intents(votes)

    def _concluded(self, heard: tuple[Wording, ...], votes: Tensor) -> tuple[Wording, ...]:
        """What was heard and what it implies, from the look head's votes in the server's slots."""
        names = self.words.looks
        if not names:
            return heard
        logits = counted(votes * VOTE_SCALE, torch.zeros(len(votes), dtype=torch.long), 1)[0]
        axes = [self.axes.axes[self.axes.row(name)] for name in names]
        return with_looks(heard, logits[: len(names)], logits[len(names) :], axes)

    def _intents(self, votes: Tensor) -> Tensor | None:
        """(I,) logits from the votes in the server's slots; intents it does not know are never wanted."""
        if not self.words.asked:
            return None
        votes = votes * VOTE_SCALE
        logits = counted(votes, torch.zeros(len(votes), dtype=torch.long), 1)[0]
        own = torch.full((len(INTENTS),), NEVER_WANTED)
        for row, name in enumerate(self.words.intents):
            own[intent_rows()[name]] = logits[row]
        return own

    def _read(self, prompts: list[list[int]], slots: Sequence[int]) -> list[list[float]]:
        """The numbers in some slots at the last token of each prompt."""
        body = {
            "prompt": prompts,
            "max_tokens": 1,
            "logprobs": 1,
            "logprob_token_ids": list(slots),
            "return_tokens_as_token_ids": True,
        }
        choices = self.link.post("/v1/completions", self._request(body))["choices"]
        choices.sort(key=lambda choice: int(choice["index"]))
        try:
            told = [choice["logprobs"]["top_logprobs"][0] for choice in choices]
            return [[float(one[f"token_id:{slot}"]) - OFFSET for slot in slots] for one in told]
        except (KeyError, TypeError, IndexError) as error:
            raise BackendError(
                f"the server at {self.link.url} does not give out parameter slots; start it with "
                "'facegpt serve', which sets vLLM's raw logits"
            ) from error

    def _request(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"model": self.name, "temperature": 0.0, "add_special_tokens": False, **body}

    def _tokenize(self, text: str, strings: bool) -> dict[str, Any]:
        body = {"model": self.name, "prompt": text, "add_special_tokens": False, "return_token_strs": strings}
        return self.link.post("/tokenize", body)

    def _vocabulary(self) -> _Vocabulary:
        """Ids of all tokens with a meaning; axes that only one side knows are left out."""
        special = self.tokens(END + IMAGE + TOOL_CALL + FACE)
        names = self.axes.names
        wanted_slots = [*map(intent_slot, intent_rows()), WEIGHT]
        expressions = [axis.name for axis in self.axes.axes if axis.part == "expression"]
        tokens = [*map(axis_slot, names), *HEARD_SLOTS, *wanted_slots, *look_slots(expressions)]
        asked = self._tokenize("".join(tokens), True)
        known = dict(zip(asked.get("token_strs") or (), asked["tokens"], strict=True))
        slots = {name: int(known[axis_slot(name)]) for name in names if axis_slot(name) in known}
        if len(special) != 4 or not slots:
            raise BackendError(
                f"the server at {self.link.url} serves {self.name or 'no model'}, which is no exported "
                "FaceGPT; start it with 'facegpt serve'"
            )
        looks = [name for name in expressions if look_slots([name])[0] in known]
        order = sorted(slots, key=lambda name: slots[name])
        end, image, call, face = special
        return _Vocabulary(
            end=end,
            image=image,
            call=call,
            face=face,
            space=tuple(self.tokens(" ")),
            user=tuple(self.tokens("<|im_start|>user\n")),
            axes=tuple(order),
            slots=tuple(slots[name] for name in order),
            heard=tuple(int(known[token]) for token in HEARD_SLOTS if token in known),
            asked=tuple(int(known[token]) for token in wanted_slots if token in known),
            intents=tuple(name for name in intent_rows() if intent_slot(name) in known),
            looks=tuple(looks),
            look_slots=tuple(int(known[token]) for token in look_slots(looks)),
        )
