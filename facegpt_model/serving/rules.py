"""What an answer may hold, whoever makes it: shared by the engine in this process and by servers' clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegpt_model.serving.backend import BackendError, ChatTurn
from facegpt_model.vlm.hearing import Bounds

RESTATES = ("A man", "A woman", "A person")  # how a sentence begins that restates a description
HEARD = Bounds(least=0.3, plain=0.4, share=0.2)  # from what probability something counts as said of the face
MAX_ANSWER = 160  # tokens of text
MAX_CALL = 320  # tokens of a tool call
ROUND, SHORTEST_ROUND = 8, 6  # tokens that an answer may not say again
MAX_PROMPT = 2000  # tokens; far above what the embedded model was trained on


@dataclass(frozen=True)
class Rules:
    """What an answer may hold.

    No face is spoken in a chat about a photo, since the tool that fits it recovers more of the person
    than <FACE> alone (vlm/looking.py), nor after a tool has answered.
    """

    may_call: bool
    may_make_face: bool
    must_make_face: bool = False


def chat_rules(turns: Sequence[ChatTurn], has_tools: bool) -> Rules:
    """The rules of an answer to the last turn."""
    users = [turn for turn in turns if turn.role == "user"]
    about_photo = bool(users and users[-1].photo_names)
    return Rules(has_tools, not about_photo and turns[-1].role == "user")


def check_length(tokens: int) -> None:
    """Raise BackendError for a prompt that is too long for the embedded model."""
    if tokens > MAX_PROMPT:
        raise BackendError(
            f"the message is {tokens} tokens long; the embedded model reads at most {MAX_PROMPT}, "
            "so say it shorter"
        )


def goes_round(ids: Sequence[int]) -> int:
    """How many of the last tokens only say once more what came before them; 0 where they do not.

    An answer goes round when its end is said for the third time in a row, or when ROUND tokens
    in a row were said before; lists of handles repeat shorter stretches than that.
    """
    for size in range(1, len(ids) // 3 + 1):
        if size * 3 >= SHORTEST_ROUND and ids[-size:] == ids[-2 * size : -size] == ids[-3 * size : -2 * size]:
            return 2 * size
    tail = list(ids[-ROUND:])
    earlier = range(len(ids) - 2 * ROUND + 1)
    return ROUND if len(tail) == ROUND and any(list(ids[n : n + ROUND]) == tail for n in earlier) else 0
