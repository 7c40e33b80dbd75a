"""Do two engines give the same answers? Faces as numbers, decisions, sentences, tool calls.

The faces are compared at the very same tokens, so that they tell of the numbers alone; the
answers are compared as a chat would see them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.evaluation import text
from facegpt_model.evaluation.tools import tool_calls
from facegpt_model.serving.backend import Backend, ChatTurn, Reply, ToolSchema
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.vlm.tokens import FACE, prompt

SMALL_TALK = ("hello", "what can you do?", "thank you", "who is this?", "are you a person?")


@dataclass(frozen=True)
class Question:
    """What a chat asks an engine."""

    turns: tuple[ChatTurn, ...]
    tools: tuple[ToolSchema, ...]
    faces: tuple[str, ...]


class _Listener:
    """A backend that keeps what it is asked."""

    name = "listener@1"

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def chat(
        self,
        turns: Sequence[ChatTurn],
        tools: Sequence[ToolSchema],
        faces: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        self.asked.append(Question(tuple(turns), tuple(tools), tuple(faces)))
        return Reply("")

    def imagine(self, text: str) -> Reply:
        return self.chat([ChatTurn("user", text)], ())


def questions(count: int) -> list[Question]:
    """Requests with tools, statements (held-out wordings) and small talk: half, 2 of 5, 1 of 10."""
    listener = _Listener()
    tool_calls(listener, 3 * count // 8, kind="held")  # and a third as much talk
    tools = listener.asked[0].tools
    said = [item.text for item in text.generated("held", 2 * count // 5)]
    said += [SMALL_TALK[n % len(SMALL_TALK)] for n in range(count - len(said) - len(listener.asked))]
    return listener.asked + [Question((ChatTurn("user", words),), tools, ()) for words in said]


@dataclass(frozen=True)
class Agreement:
    """Of `asked` questions: answers of the same kind (face, call or words), with the same text, with the same
    calls. faces: largest difference of a flat code where both said the same."""

    asked: int
    kind: int
    words: int
    calls: int
    faces: float


def agreement(one: Sequence[Reply], other: Sequence[Reply]) -> Agreement:
    """How far the answers of two engines agree."""
    pairs = list(zip(one, other, strict=True))
    same = [(a, b) for a, b in pairs if a.text == b.text and a.faces and len(a.faces) == len(b.faces)]
    apart = [float((a.faces[0].code.identity - b.faces[0].code.identity).abs().max()) for a, b in same]
    return Agreement(
        asked=len(pairs),
        kind=sum(_kind(a) == _kind(b) for a, b in pairs),
        words=sum(a.text == b.text for a, b in pairs),
        calls=sum(_calls(a) == _calls(b) for a, b in pairs),
        faces=max(apart, default=0.0),
    )


def _kind(reply: Reply) -> tuple[int, int]:
    return len(reply.faces), len(reply.tool_calls)


def _calls(reply: Reply) -> list[tuple[str, str]]:
    return [(call.name, str(call.arguments)) for call in reply.tool_calls]


def ask(backend: Backend, asked: Sequence[Question]) -> list[Reply]:
    """The answers of one engine."""
    return [backend.chat(one.turns, one.tools, one.faces) for one in asked]


def statements(count: int) -> list[str]:
    """Prompt, canonical answer and <FACE>, as one text each."""
    items = text.generated("held", count)
    return [f"{prompt([ChatTurn('user', item.text)], ())}A man with a broad nose. {FACE}" for item in items]


@torch.no_grad()
def own_sliders(backend: InProcessBackend, said: str) -> Tensor:
    """(K,) slider values the engine in this process reads at the last token of a text."""
    ids = backend.gpt.tokenizer(said, add_special_tokens=False, return_tensors="pt").input_ids
    state = backend.gpt.model.model.language_model(input_ids=ids).last_hidden_state[:, -1]
    return backend.gpt.model.face_head.sliders(state)[0]


def served_sliders(backend: VllmBackend, said: str) -> Tensor:
    """(K,) slider values a server reads at the last token of a text."""
    return backend.sliders(backend.tokens(said))
