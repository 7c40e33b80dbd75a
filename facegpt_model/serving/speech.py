"""What the embedded engine may say next: free words that turn into a canonical sentence, or one tool call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from facegpt_model.serving.backend import BackendError, ToolSchema
from facegpt_model.serving.decoding import Grammars, Matcher
from facegpt_model.serving.rules import MAX_ANSWER, MAX_CALL, RESTATES, Rules, goes_round
from facegpt_model.vlm.hearing import Wording
from facegpt_model.vlm.tokens import END, FACE, IMAGE, TOOL_CALL, text_of, token_id

LONGEST_OPENING = 4  # tokens of "A person"


class Words:
    """Token ids that mean something to a speaker."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.end = token_id(tokenizer, END)
        self.image = token_id(tokenizer, IMAGE)
        self.call = token_id(tokenizer, TOOL_CALL)
        self.face = token_id(tokenizer, FACE)
        self.space = list(tokenizer(" ", add_special_tokens=False).input_ids)
        self.user = list(tokenizer("<|im_start|>user\n", add_special_tokens=False).input_ids)
        self.ends = (self.end, self.call, self.face)
        self.size = len(tokenizer)


class Speech:
    """An answer in words; see drafting.Choice. Once it says "A man" it goes on in canonical phrases.

    ids: what was said, without the token that ended it; last: that token, None while there is none
    or when something else ended it
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        words: Words,
        grammars: Grammars,
        rules: Rules,
        heard: Sequence[Wording],
        begun: Sequence[int],
    ) -> None:
        self._tokenizer, self._words, self._grammars = tokenizer, words, grammars
        self._rules, self._heard = rules, heard
        self._said = list(begun)
        self._turned: int | None = None  # length at which the sentence became canonical
        self._matcher: Matcher | None = None
        self._free = torch.ones(words.size, dtype=torch.bool)
        self._free[words.image] = False
        self._free[words.call] = rules.may_call
        self._free[words.face] = rules.may_make_face

    @property
    def finished(self) -> bool:
        """True when the answer is complete, goes round or became too long."""
        if self._matcher is not None:
            return self._matcher.finished
        return self.last is not None or bool(goes_round(self._said)) or len(self._said) >= MAX_ANSWER

    @property
    def last(self) -> int | None:
        """The token that ended free words."""
        return self._said[-1] if self._said and self._said[-1] in self._words.ends else None

    @property
    def ids(self) -> list[int]:
        """What was said, without the token that ended it and without what it said twice."""
        if self.last is not None:
            return self._said[:-1]
        rounds = 0 if self._matcher is not None else goes_round(self._said)
        return self._said[: len(self._said) - rounds]

    @property
    def closing(self) -> list[int]:
        """ " <FACE>" after a canonical sentence."""
        return [*self._words.space, self._words.face] if self._matcher is not None else []

    def allowed(self) -> Tensor:
        """(V,) bool: the tokens that may come next."""
        return self._free if self._matcher is None else self._matcher.allowed()

    def take(self, token: int) -> list[int]:
        """Say an allowed token; returns those that must follow. BackendError for an endless sentence."""
        self._said.append(token)
        if self._matcher is None:
            self._turn()
            return []
        forced = self._matcher.accept(token)
        self._said += forced
        if len(self._said) > MAX_ANSWER:
            raise BackendError("the model did not finish its sentence; describe the face in fewer words")
        return forced

    def undo(self, tokens: int) -> None:
        """Take back the last so many tokens; the sentence may become free words again."""
        del self._said[len(self._said) - tokens :]
        if self._turned is not None and len(self._said) < self._turned:
            self._turned, self._matcher = None, None
        elif self._matcher is not None:
            self._matcher.undo(tokens)

    def _turn(self) -> None:
        if not self._rules.may_make_face or len(self._said) > LONGEST_OPENING:
            return
        if text_of(self._tokenizer, self._said).strip() in RESTATES:
            self._matcher = self._grammars.sentence(self._heard)
            self._matcher.take(self._said)
            self._turned = len(self._said)


class Call:
    """One tool call; see drafting.Choice. ids: what was written, without the end."""

    closing: tuple[int, ...] = ()

    def __init__(self, words: Words, grammars: Grammars, tools: Sequence[ToolSchema]) -> None:
        self._end = words.end
        self._matcher = grammars.call(tools)
        self.begun = self._matcher.forced()
        self._said = list(self.begun)

    @property
    def finished(self) -> bool:
        """True when the call is complete."""
        return self._matcher.finished

    @property
    def ids(self) -> list[int]:
        """What was written."""
        return [token for token in self._said if token != self._end]

    def allowed(self) -> Tensor:
        """(V,) bool: the tokens that may come next."""
        return self._matcher.allowed()

    def take(self, token: int) -> list[int]:
        """Write an allowed token; returns those that must follow. BackendError for an endless call."""
        forced = self._matcher.accept(token)
        self._said += [token, *forced]
        if len(self._said) > MAX_CALL:
            raise BackendError("the model did not finish its tool call; say the request shorter")
        return forced

    def undo(self, tokens: int) -> None:
        """Take back the last so many tokens."""
        del self._said[len(self._said) - tokens :]
        self._matcher.undo(tokens)
