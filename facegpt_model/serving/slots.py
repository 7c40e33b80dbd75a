"""Parameter slots: reserved rows of the vocabulary in whose logits a server hands out what the model reads.

A server of language models answers with tokens and with logits, not with hidden states. So the
exported vocabulary has one extra token for each number: "<slot:nose width>" for every named
axis, and some "<heard:...>" for what the clause head heard at a token. Their logits are
OFFSET plus the number: far too small ever to be said, and exact to about 1e-5. The names are
the contract: a client asks for the axes it knows, wherever they stand in the server's table.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facegpt_model.vlm.clause_head import DEGREES, Heard

OFFSET = -100.0
MOST_PER_READING = 128  # numbers that a vLLM server gives out for one token
ROWS_SCALE = 256.0  # a count of rows is told as its 256th part: it must not lift a slot into speech
HEARD_ENDS = 12  # likeliest ends that are told of a token
SMALLEST_SHARE = 1e-6  # probabilities nearer to 0 or 1 are not told apart
HEARD = (
    *(f"<heard:end {n}>" for n in range(HEARD_ENDS)),
    *(f"<heard:share {n}>" for n in range(HEARD_ENDS)),
    *(f"<heard:degree {n}>" for n in range(HEARD_ENDS)),
)


VOTE_SCALE = 4.0  # votes for intents are told as their 4th part, for the same reason
MOST_TOLD = 16.0  # of a vote's 4th part, so that it never is said
WEIGHT = "<asked:weight>"
LOOK_DEGREES = tuple(f"<look:degree {n}>" for n in range(len(DEGREES)))
LOOK_WEIGHT = "<look:weight>"


def intent_slot(name: str) -> str:
    """The token in whose logit a token's vote for an intent stands."""
    return f"<asked:{name}>"


def axis_slot(name: str) -> str:
    """The token in whose logit the value of an axis stands."""
    return f"<slot:{name}>"


def look_slots(names: Sequence[str]) -> list[str]:
    """The tokens in whose logits a token's votes for looks stand, for their degree, and its weight."""
    return [*(f"<look:{name}>" for name in names), *LOOK_DEGREES, LOOK_WEIGHT] if names else []


def slot_tokens(
    axes: Sequence[str], hears: bool, intents: Sequence[str] = (), looks: Sequence[str] = ()
) -> list[str]:
    """All reserved tokens, in the order of their rows: axes, what was heard, votes of both kinds."""
    asked = [*map(intent_slot, intents), WEIGHT] if intents else []
    return [*map(axis_slot, axes), *(HEARD if hears else ()), *asked, *look_slots(looks)]


def votes_told(votes: Tensor) -> Tensor:
    """Votes as the numbers that stand in slots."""
    return (votes / VOTE_SCALE).clamp(-MOST_TOLD, MOST_TOLD)


def heard_numbers(heard: Heard) -> Tensor:
    """(N, len(HEARD)) of N tokens: the likeliest ends, their probabilities, and indices of their degrees.

    An end is told as how many rows before the first "<heard:...>" its axis has its slot, negative
    for the low end, so that a client needs to know no more than names.
    """
    ends = heard.ends.float().sigmoid()
    axes = ends.shape[1] // 2
    share, end = ends.topk(HEARD_ENDS, dim=-1)
    rows_before = (axes - end % axes) * torch.where(end >= axes, 1, -1)
    degree = heard.degrees.argmax(-1).gather(1, end).float()
    return torch.cat([rows_before / ROWS_SCALE, share, degree], dim=1)


def heard_again(numbers: Tensor, rows_before: Sequence[int]) -> Heard:
    """What was heard, from (N, len(HEARD)) numbers of a server.

    rows_before: for each axis of this house how many rows before the first "<heard:...>" the server
    has its slot, 0 where it has none. Ends that were not told, and those of axes that only the
    server knows, are not heard.
    """
    told = numbers.unflatten(1, (3, HEARD_ENDS))
    end = (told[:, 0] * ROWS_SCALE).round().long()
    share = told[:, 1].clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    degree = told[:, 2].round().long().clamp(0, len(DEGREES) - 1)
    size = len(rows_before)
    ends = torch.full((len(numbers), 2 * size), SMALLEST_SHARE)
    degrees = torch.zeros(len(numbers), 2 * size, len(DEGREES))
    rows = {before: row for row, before in enumerate(rows_before) if before}
    for token in range(len(numbers)):
        for before, probability, index in zip(
            end[token].tolist(), share[token].tolist(), degree[token].tolist(), strict=True
        ):
            row = rows.get(abs(before))
            if row is not None:
                own = row + size * (before > 0)
                ends[token, own] = probability
                degrees[token, own, index] = 1.0
    return Heard(ends.logit(), degrees)
