"""What an answer may hold, whoever makes it: shared by the engine in this process and by servers' clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegpt_model.serving.backend import BackendError, ChatTurn
from facegpt_model.vlm.hearing import Bounds

RESTATES = ("A man", "A woman", "A person")  # how a sentence begins that restates a description
HEARD = Bounds(least=0.35, plain=0.5, share=0.1)  # from what probability something counts as said of the face
MAX_ANSWER = 160  # tokens of text
MAX_CALL = 320  # tokens of a tool call
MAX_PROMPT = 2000  # tokens; far above what the embedded model was trained on


@dataclass(frozen=True)
class Rules:
    """What an answer may hold.

    No face is spoken about a photo, since the vision tower is untrained and the model would
    make it up, nor after a tool has answered.
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
