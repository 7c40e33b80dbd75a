"""Special tokens and the prompt: how a conversation becomes one string.

ChatML, as SmolLM2-Instruct was trained on, with a state line that names the faces and
photos of the conversation. The embedded model sees that line and the running turn only:
short prompts are what makes it usable on two CPU cores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from transformers import PreTrainedTokenizerFast

from facegpt_model.serving.backend import ChatTurn, ToolCall

IMAGE = "<image>"
FACE = "<FACE>"
TOOL_CALL = "<tool_call>"
SPECIAL_TOKENS = (IMAGE, FACE, TOOL_CALL)
END = "<|im_end|>"
CONTROL_TOKENS = ("<|im_start|>", END, "<|endoftext|>")  # the tokenizer would read them as control
FACES_SHOWN = 4  # newest handles in the state line
PHOTOS_SHOWN = 2
INTRODUCTION = "You are FaceGPT. Faces:"


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The one id of a token that stands in the vocabulary."""
    return int(cast(int, tokenizer.convert_tokens_to_ids(token)))


def text_of(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    """The text of token ids, special tokens included."""
    return str(tokenizer.decode(list(ids)))


def state_line(faces: Sequence[str], photos: Sequence[str]) -> str:
    """The system text: who speaks, and which faces and photos there are (newest last)."""
    line = f"{INTRODUCTION} " + (", ".join(faces[-FACES_SHOWN:]) or "none") + "."
    return line + (f" Photos: {', '.join(photos[-PHOTOS_SHOWN:])}." if photos else "")


def message(role: str, text: str) -> str:
    """One ChatML message."""
    return f"<|im_start|>{role}\n{text}{END}\n"


def prompt_beginning() -> str:
    """What every prompt begins with."""
    return f"<|im_start|>system\n{INTRODUCTION}"


def call_text(name: str, arguments: dict[str, Any]) -> str:
    """A tool call as the model writes it: the special token, then compact JSON."""
    return TOOL_CALL + json.dumps({"name": name, "arguments": arguments}, separators=(",", ":"))


def user_text(text: str, photos: Sequence[str] = ()) -> str:
    """A user message; attached photos are named in front of it, typed control tokens are taken out."""
    for token in (*SPECIAL_TOKENS, *CONTROL_TOKENS):
        text = text.replace(token, "")
    return "".join(f"[{name}] " for name in photos) + text.strip()


def _turn_text(turn: ChatTurn) -> str:
    if turn.role == "user":
        return message("user", user_text(turn.text, turn.photo_names))
    if turn.role == "tool":
        return message("tool", turn.text.strip())
    calls: Sequence[ToolCall] = turn.tool_calls
    return message("assistant", turn.text.strip() + "".join(call_text(c.name, c.arguments) for c in calls))


def prompt(turns: Sequence[ChatTurn], faces: Sequence[str]) -> str:
    """Everything the model reads before it answers: state line and the running turn.

    The running turn starts at the last user message; earlier turns live on as faces.
    """
    photos = [name for turn in turns for name in turn.photo_names]
    starts = [index for index, turn in enumerate(turns) if turn.role == "user"]
    running = turns[starts[-1] :] if starts else turns
    body = "".join(_turn_text(turn) for turn in running if turn.role != "system")
    return message("system", state_line(faces, photos)) + body + "<|im_start|>assistant\n"
