"""Greedy decoding by draft and check: eight-bit weights propose tokens, the exact ones judge them at once.

Judging sixteen tokens costs as much as reading two one by one, so an answer comes several
times sooner and is, token for token, the answer of the exact weights: where a proposal is not
what they choose, it is taken back with everything after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from facegpt_model.serving.lean_llama import Cache, LeanLlama, light_linear

FIRST, MOST = 4, 24  # tokens of the first draft, so that an answer starts soon, and of later ones
FEW = 2000  # allowed tokens up to which only their own rows are multiplied

Check = tuple[int, Tensor]  # where in a draft a token was chosen, and among which


class Choice(Protocol):
    """What may be said next, while it is being said."""

    @property
    def finished(self) -> bool:
        """True when nothing more is to be chosen."""
        ...

    @property
    def closing(self) -> Sequence[int]:
        """What is read after a finished answer, since somebody looks at its state."""
        ...

    def allowed(self) -> Tensor:
        """(V,) bool: the tokens that may come next."""
        ...

    def take(self, token: int) -> list[int]:
        """Say an allowed token; returns those that must then follow, which are said too."""
        ...

    def undo(self, tokens: int) -> None:
        """Take back the last so many tokens, forced ones included."""
        ...


class Decoder:
    """One growing sequence: read tokens, or let the model say what it likes best.

    hidden: (1, H) exact final state of the last token that was read
    """

    def __init__(self, model: LeanLlama, cache: Cache) -> None:
        self.model = model
        self.cache = cache
        self.hidden = torch.zeros(1, model.rows.shape[1])

    def feed(self, ids: Sequence[int]) -> Tensor:
        """Append tokens; (T, H) their exact final states."""
        states = self.model.read(ids, self.cache).clone()  # a tensor that gradients may pass
        self.hidden = states[-1:]
        return states

    def speak(self, choice: Choice, unread: Sequence[int] = ()) -> Iterator[list[int]]:
        """The best tokens that `choice` allows, in pieces that have been checked.

        unread: tokens that are already said, before the first choice; the first piece begins
        with them. After the last piece `hidden` is the state of the last of `choice.closing`, if any.
        """
        begun, size = list(unread), FIRST
        if begun and not self.model.light:
            self.feed(begun)
            yield begun
            begun = []
        while begun or not choice.finished:
            draft, checks = self._draft(choice, begun, size if self.model.light else 1)
            kept = self._check(draft, checks, choice)
            if kept < len(draft):
                choice.undo(len(draft) - kept)
            yield draft[:kept]
            begun, size = [], MOST

    @torch.inference_mode()
    def _draft(self, choice: Choice, begun: list[int], size: int) -> tuple[list[int], list[Check]]:
        """Tokens the light weights like best, `size` or a few more; the cache then ends where it did."""
        draft, unread, hidden = list(begun), begun, self.hidden
        checks: list[Check] = []
        length = self.cache.length
        while not choice.finished and (not checks or len(draft) < size):
            if unread:
                hidden = self.model.read(unread, self.cache, light=True)[-1:]
            allowed = choice.allowed()
            token = self._best(hidden, [allowed], light=bool(draft))[0]
            checks.append((len(draft), allowed))
            unread = [token, *choice.take(token)]
            draft += unread
        self.cache.length = length
        return draft, checks

    def _check(self, draft: list[int], checks: list[Check], choice: Choice) -> int:
        """How many tokens of a draft the exact weights agree with; these are read then."""
        closing = list(choice.closing) if choice.finished else []
        last = checks[-1][0] if checks else len(draft)
        needed = draft[:last] if choice.finished and not closing else [*draft, *closing]
        if not needed:
            return len(draft)
        length = self.cache.length
        states = self.feed(needed)
        open_checks = [(index, allowed) for index, allowed in checks if index > 0]  # the first was exact
        if open_checks:
            rows = states[[index - 1 for index, _ in open_checks]]
            chosen = self._best(rows, [allowed for _, allowed in open_checks])
            for (index, _), right in zip(open_checks, chosen, strict=True):
                if draft[index] != right:
                    self.cache.length = length + index
                    self.hidden = states[index - 1 : index]
                    return index
        return len(draft)

    @torch.inference_mode()
    def _best(self, hidden: Tensor, allowed: Sequence[Tensor], light: bool = False) -> list[int]:
        """The likeliest allowed token after each of (N, H) states."""
        rows = self.model.rows
        best = [0] * len(allowed)
        many: list[int] = []
        for number, mask in enumerate(allowed):
            ids = mask.nonzero()[:, 0]
            if len(ids) > FEW:
                many.append(number)
            else:
                best[number] = int(ids[(rows[ids] @ hidden[number]).argmax()])
        if many:
            states = hidden[many]
            logits = light_linear(states, self.model.light_rows) if light else states @ rows.T
            masks = torch.stack([allowed[number] for number in many])
            logits = logits[:, : masks.shape[1]].masked_fill(~masks, -torch.inf)
            for number, token in zip(many, logits.argmax(-1).tolist(), strict=True):
                best[number] = token
        return best
