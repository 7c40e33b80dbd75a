"""What stays known of a long chat beyond the turns that a model reads in full.

A planner is asked to summarise its older turns, and later its own summary with the turns that
got old since (LangChain's SummarizationMiddleware writes it; here it is kept beside the messages,
which all stay for transcripts and forks). Where no model can do that, a record made by rule takes
its place: every thing said, and what came of it. The embedded model was taught no summaries, so
questions about what was said are answered from that record word for word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, SummarizationMiddleware
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.runtime import Runtime

from agent.registry import Services

TURNS_READ = 8  # newest turns a planner reads in full
BATCH = 4  # older turns that are summarised together
RECORD = 2400  # letters of a record, about 600 tokens
LINE, SHORTEST = 160, 48  # letters of one thing said
ASIDE = 24  # letters up to which something that led to nothing is left out first
BY_RULE = "rule"
PROMPT = """You keep the memory of a conversation in which 3D faces are made from descriptions.
Write down what has to stay known, in short plain lines: for each face its handle and everything that
was said of it, also what no tool could show; what the person wants or prefers; what failed. Keep
names of handles, numbers and the person's own words. Add nothing that was not said.

{messages}"""
_RECALL = re.compile(
    r"\b(what (?:did|have) (?:i|we) (?:say|said|tell|told|describe|described|do|done|make|made)|"
    r"(?:what do you|do you still|do you|what can you) (?:remember|recall)|remind me (?:of )?what|"
    r"(?:summari[sz]e|sum up)\b.*\b(?:chat|conversation|so far|we|i said)|"
    r"what (?:has been|was) said)\b",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"a|about|again|an|and|are|as|at|before|chat|conversation|did|do|does|done|earlier|everything|far|for|from|"
    r"had|has|have|he|her|him|his|i|in|is|it|made|make|me|of|on|our|recall|remember|remind|said|say|she|so|"
    r"still|sum|summar(?:y|ise|ize)|tell|that|the|their|them|they|this|to|told|up|us|was|we|were|what|you|your|"
    r"please|can|could|been|describe|described"
)


@dataclass(frozen=True)
class Turn:
    """One thing said (number from 1), the faces it led to, and what tools or the model answered."""

    number: int
    text: str
    faces: tuple[str, ...]
    answer: str


class RemembersState(AgentState[Any]):
    """The chat's state with what is kept of its older turns."""

    memory: NotRequired[dict[str, Any]]


class Remembers(AgentMiddleware[RemembersState, Services]):
    """Has the planner summarise its older turns, a few at a time, before it answers."""

    state_schema = RemembersState

    def __init__(self, planner: BaseChatModel) -> None:
        super().__init__()
        self._planner = planner

    def before_model(self, state: RemembersState, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """Bring the memory up to date; {"memory": {text, by, turns, upto}} or None if nothing got old."""
        memory = state.get("memory") or {}
        unread = newer(state["messages"], memory)
        starts = _starts(unread)
        if len(starts) <= TURNS_READ + BATCH - 1:
            return None
        cut = starts[-TURNS_READ]
        text, by = self._summary(memory, unread, cut, runtime), str(getattr(self._planner, "model_name", ""))
        if not text:
            older = state["messages"][: len(state["messages"]) - len(unread) + cut]
            text, by = record(turns_of(older)), BY_RULE
        turns = int(memory.get("turns", 0)) + sum(place < cut for place in starts)
        kept = {"text": text, "by": by or "planner", "turns": turns, "upto": unread[cut - 1].id}
        return {"memory": kept}

    def _summary(
        self, memory: dict[str, Any], unread: Sequence[AnyMessage], cut: int, runtime: Runtime[Services]
    ) -> str:
        """The planner's summary of its former one and of the messages before `cut`; "" if it gave none."""
        before: list[AnyMessage] = [HumanMessage(memory["text"])] if memory else []
        summarises: SummarizationMiddleware[Any, Any] = SummarizationMiddleware(
            self._planner,
            trigger=("messages", 1),
            keep=("messages", len(unread) - cut),
            summary_prompt=PROMPT,
            trim_tokens_to_summarize=None,
        )
        try:
            made = summarises.before_model({"messages": [*before, *unread]}, runtime)
        except ContextOverflowError:
            return ""
        if made is None:
            return ""
        summary = str(made["messages"][1].text)
        return summary.partition("\n\n")[2].strip()


def newer(messages: Sequence[AnyMessage], memory: dict[str, Any]) -> list[AnyMessage]:
    """The messages after those that the memory holds; all if it holds none."""
    ids = [message.id for message in messages]
    upto = memory.get("upto")
    return list(messages[ids.index(upto) + 1 :]) if upto in ids else list(messages)


def turns_of(messages: Sequence[BaseMessage]) -> list[Turn]:
    """What was said, turn by turn, and what came of it."""
    starts = [*_starts(messages), len(messages)]
    turns = []
    for number, (begin, end) in enumerate(pairwise(starts), start=1):
        faces: list[str] = []
        answer = ""
        for message in messages[begin + 1 : end]:
            if isinstance(message, AIMessage):
                faces += message.additional_kwargs.get("handles", ())
                answer = answer if answer and not message.text else str(message.text)
            elif isinstance(message, ToolMessage):
                faces += (message.artifact or {}).get("faces", ())
        turns.append(Turn(number, _line(messages[begin].text), tuple(dict.fromkeys(faces)), _line(answer)))
    return turns


def record(turns: Sequence[Turn], letters: int = RECORD) -> str:
    """One line for each turn, within so many letters.

    Where that is too little, short remarks that led to nothing go first and are counted, then lines
    get shorter, then the oldest ones that led to nothing go.
    """
    kept = list(turns)
    for room in (LINE, LINE // 2, SHORTEST):
        text = _lines(kept, len(turns) - len(kept), room)
        if len(text) <= letters:
            return text
        kept = [turn for turn in kept if turn.faces or len(turn.text) > ASIDE]
    while len(text) > letters and len(kept) > 1:
        idle = next((turn for turn in kept if not turn.faces), kept[0])
        kept.remove(idle)
        text = _lines(kept, len(turns) - len(kept), SHORTEST)
    return text


def asks_to_recall(text: str) -> bool:
    """Whether this asks what was said or done before."""
    return bool(_RECALL.search(text))


def recalled(text: str, messages: Sequence[BaseMessage]) -> str:
    """The answer to such a question: what was said about its topic, or everything if it names none."""
    turns = [turn for turn in turns_of(messages) if not asks_to_recall(turn.text)]
    if not turns:
        return "Nothing was said before."
    topic = [_stem(word) for word in re.findall(r"[\w-]+", text.lower()) if not _PLAIN.fullmatch(word)]
    about = [turn for turn in turns if topic and _tells_of(turn, topic)]
    if topic and not about:
        return f"Nothing was said about that. What was said:\n{record(turns)}"
    return f"This was said, in order:\n{record(about or turns)}"


def _tells_of(turn: Turn, topic: Sequence[str]) -> bool:
    words = {_stem(word) for word in re.findall(r"[\w-]+", f"{turn.text} {turn.answer}".lower())}
    return any(word in words or word in turn.faces for word in topic)


def _stem(word: str) -> str:
    return word if re.fullmatch(r"(face|photo)-\d+", word) else re.sub(r"(?:ing|ed|es|s)$", "", word)


def _lines(turns: Sequence[Turn], left_out: int, room: int) -> str:
    lines = []
    for turn in turns:
        made = f" -> {', '.join(turn.faces)}" if turn.faces else ""
        answer = f" ({turn.answer[:room]})" if turn.answer and room > SHORTEST else ""
        lines.append(f'{turn.number}. "{turn.text[:room]}"{made}{answer}')
    if left_out:
        lines.append(f"({left_out} more that led to no face)")
    return "\n".join(lines)


def _line(text: object) -> str:
    return " ".join(str(text).replace("<FACE>", "").split())


def _starts(messages: Sequence[BaseMessage]) -> list[int]:
    return [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
