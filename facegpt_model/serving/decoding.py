"""Grammar masks for tool calls and canonical sentences.

The model decides freely whether to speak or to call a tool; once it has opened a call, only
tokens that lead to a valid call are allowed, so a slider or a face cannot be made up. In the
same way a sentence that restates a description may hold canonical phrases only; which ones,
the model chooses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import llguidance
import llguidance.hf
import llguidance.numpy as masks
import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import Degree
from facegpt_model.serving.backend import BackendError, ToolSchema
from facegpt_model.vlm.hearing import Possible, Wording


class Grammars:
    """Which tokens may follow inside a tool call or a canonical sentence, for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer)
        self._sentence = llguidance.LLMatcher.grammar_from_lark(sentence_grammar())

    def call(self, tools: Sequence[ToolSchema]) -> Matcher:
        """A matcher for one call of one of the tools; BackendError if a schema is not understood."""
        grammar = llguidance.LLMatcher.grammar_from_json_schema(
            json.dumps(call_schema(tools)), defaults={"whitespace_flexible": False}
        )
        return self._matcher(grammar, "the tools' schemas")

    def sentence(self, heard: Sequence[Wording] = ()) -> Matcher:
        """A matcher for one canonical sentence, "A man of about 50 with a broad nose.".

        heard: what the user's words may mean; the sentence then says one phrase for each of
        them, in their order, and the model chooses which.
        """
        grammar = self._sentence
        if heard:
            grammar = llguidance.LLMatcher.grammar_from_lark(heard_grammar(heard))
        return self._matcher(grammar, "the canonical phrases")

    def _matcher(self, grammar: str, what: str) -> Matcher:
        problem = llguidance.LLMatcher.validate_grammar(grammar, self._tokenizer)
        if problem:
            raise BackendError(f"{what} cannot be decoded against: {problem}")
        return Matcher(llguidance.LLMatcher(self._tokenizer, grammar), self._tokenizer.vocab_size)


def call_schema(tools: Sequence[ToolSchema]) -> dict[str, object]:
    """JSON schema of one call of one of the tools."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": tool.parameters},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return {"anyOf": calls}


WHO = '"A " who'  # a grammar of a whole sentence begins with this; one of its rest does not


def sentence_grammar(begun: bool = False) -> str:
    """Lark grammar of semantics/words.Statement.text over all canonical phrases.

    begun: the sentence goes on after "A man", which is already said.
    """
    phrases = " | ".join(json.dumps(phrase) for phrase in phrase_table())
    return f"""start: {"" if begun else WHO} age? with? "."
who: "man" | "woman" | "person"
age: " of about " AGE
AGE: /[1-9][0-9]/
with: " with " phrase rest?
rest: (", " phrase)* " and " phrase
phrase: {phrases}
"""


def heard_grammar(heard: Sequence[Wording], begun: bool = False) -> str:
    """Lark grammar of the canonical sentences that restate these wordings, or of their rest after "A man".

    What is plain is said in its one phrase, as strongly as it was put; of what is unclear the model
    chooses a reading.
    """
    slots = [f"slot{number}" for number in range(len(heard))]
    rest = ' ", " '.join(slots[:-1]) + ' " and " ' + slots[-1] if len(slots) > 1 else slots[0]
    rules = [_slot_rule(name, wording) for name, wording in zip(slots, heard, strict=True)]
    return f"""start: {"" if begun else WHO} age? " with " {rest} "."
who: "man" | "woman" | "person"
age: " of about " AGE
AGE: /[1-9][0-9]/
""" + "".join(rules)


def _slot_rule(name: str, wording: Wording) -> str:
    degree = Degree.of(wording.degree) or Degree.SLIGHT
    ends = [one.axis.high if one.sign > 0 else one.axis.low for one in wording.possible]
    phrases = dict.fromkeys(end.words(degree) for end in ends if end)
    return f"{name}: {' | '.join(json.dumps(phrase) for phrase in phrases)}\n"


def heard_changes(tool: ToolSchema, heard: Sequence[Wording]) -> ToolSchema:
    """The edit tool with one change for each wording: what it may mean, as strongly as it was put."""
    changes = tool.parameters.get("properties", {}).get("changes")
    if not heard or changes is None:
        return tool
    told = heard[: int(changes.get("maxItems", len(heard)))]
    each = [
        {"anyOf": [_change(possible, wording.degree) for possible in wording.possible]} for wording in told
    ]
    narrow = {
        "type": "array",
        "prefixItems": each,
        "items": False,
        "minItems": len(told),
        "maxItems": len(told),
    }
    properties = {**tool.parameters["properties"], "changes": narrow}
    return ToolSchema(tool.name, tool.description, {**tool.parameters, "properties": properties})


def _change(possible: Possible, degree: float) -> dict[str, object]:
    axis = possible.axis
    end = (axis.high or axis.low) if possible.sign > 0 else (axis.low or axis.high)
    size = degree if end is None or end.has_degrees else Degree.STRONG.value
    return {
        "type": "object",
        "properties": {"slider": {"const": axis.name}, "value": {"const": possible.sign * size}},
        "required": ["slider", "value"],
        "additionalProperties": False,
    }


class Matcher:
    """State of one tool call or sentence while it is being written."""

    def __init__(self, matcher: llguidance.LLMatcher, vocabulary: int) -> None:
        self._matcher = matcher
        self._size = vocabulary
        self._mask = masks.allocate_token_bitmask(1, vocabulary)

    @property
    def finished(self) -> bool:
        """True when the call or sentence is complete."""
        return bool(self._matcher.is_stopped())

    def allowed(self) -> Tensor:
        """(V,) bool: the tokens that may come next."""
        masks.fill_next_token_bitmask(self._matcher, self._mask, 0)
        bits = np.unpackbits(self._mask[0].view(np.uint8), count=self._size, bitorder="little")
        return torch.from_numpy(bits.view(np.bool_))

    def accept(self, token: int) -> list[int]:
        """Take one allowed token; returns those that are then forced, which are taken too."""
        self.take([token])
        return [] if self.finished else self.forced()

    def forced(self) -> list[int]:
        """The tokens that must come now, which are taken."""
        tokens = list(self._matcher.compute_ff_tokens())
        self.take(tokens)
        return tokens

    def choose(self, logits: Tensor) -> list[int]:
        """The best allowed token of (V,) logits, followed by the tokens that are then forced."""
        token = int(logits[: self._size].masked_fill(~self.allowed(), -torch.inf).argmax())
        return [token, *self.accept(token)]

    def take(self, ids: Sequence[int]) -> None:
        """Tokens that were chosen elsewhere; BackendError if the grammar does not allow them."""
        for token in ids:
            if not self._matcher.consume_token(token):
                raise BackendError(f"the grammar stopped: {self._matcher.get_error()}")

    def undo(self, tokens: int) -> None:
        """Take back the last so many tokens."""
        if tokens and not self._matcher.rollback(tokens):
            raise BackendError(f"the grammar cannot go back: {self._matcher.get_error()}")
