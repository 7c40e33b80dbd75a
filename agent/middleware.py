"""Hooks around the model: it learns the handles, its faces get theirs, and it cannot run on forever."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelCallLimitMiddleware,
    ModelRequest,
    ModelResponse,
    hook_config,
)
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.runtime import Runtime

from agent.memory import asks_to_recall, recalled
from agent.naming import named
from agent.registry import Services
from agent.shorthand import shorthand
from agent.telling import NOT_APPROVED, made_up, plainly, told
from agent.toolbox import REFUSED, TRAINED
from facegpt_model import layout
from tools.imagine import keep
from tools.workspace import Workspace

DECLINED = "the person did not approve this, so it was not done"
FAILED_CALLS = 4  # of tools in one turn; then the turn ends with what went wrong
_ADMITS = re.compile(r"\b(not|cannot|can't|couldn't|could not|no|nothing|unable|sorry|failed|error)\b", re.I)


class KnownHandles(AgentMiddleware[AgentState, Services]):
    """For the embedded model: which faces and photos exist, and only the tools it was trained on.

    Short requests such as "more" are turned into calls without it (shorthand.py), what was said before
    is told from the messages themselves (memory.py), and what a tool did or refused from its result
    (telling.py); after a refusal it may call again.
    """

    def wrap_model_call(
        self,
        request: ModelRequest[Services],
        handler: Callable[[ModelRequest[Services]], ModelResponse],
    ) -> ModelResponse:
        """Limit handles in tool arguments to those that exist, the one meant by "it" last."""
        workspace = request.runtime.context.workspace
        last = request.messages[-1]
        if isinstance(last, HumanMessage):
            if asks_to_recall(str(last.text)):
                return ModelResponse(result=[AIMessage(recalled(str(last.text), request.messages[:-1]))])
            short = shorthand(str(last.text), workspace)
            if short:
                name, arguments = short
                call = {"name": name, "args": arguments, "id": f"call-{uuid.uuid4().hex[:12]}"}
                return ModelResponse(result=[AIMessage("", tool_calls=[{**call, "type": "tool_call"}])])
        refused = ""
        if isinstance(last, ToolMessage):
            if last.status != "error":
                return ModelResponse(result=[AIMessage(told(str(last.name), str(last.text)))])
            if DECLINED in str(last.text):
                return ModelResponse(result=[AIMessage(NOT_APPROVED)])
            refused = str(last.text).removeprefix(REFUSED)
        current = workspace.current
        faces = [handle for handle in workspace.handles if handle != current]
        settings = {
            "faces": faces + ([current] if current else []),
            "photos": list(workspace.photos),
            "named": named(_last_words(request.messages), workspace),
            "quiet": bool(refused),
        }
        response = handler(
            request.override(
                messages=with_photos(request.messages, workspace),
                tools=[tool for tool in request.tools if getattr(tool, "name", "") in TRAINED],
                model_settings={**request.model_settings, **settings},
            )
        )
        if refused and not any(getattr(message, "tool_calls", ()) for message in response.result):
            return ModelResponse(result=[AIMessage(could_not(refused))])  # it gave up: why, word for word
        return response


def _last_words(messages: Sequence[AnyMessage | BaseMessage]) -> str:
    return next((str(m.text) for m in reversed(messages) if isinstance(m, HumanMessage)), "")


class RegisterFaces(AgentMiddleware[AgentState, Services]):
    """Gives each <FACE> of an answer a handle; the message keeps the handles, not the numbers."""

    def after_model(self, state: AgentState, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """Put the faces of the last message into the workspace."""
        message = state["messages"][-1]
        if not isinstance(message, AIMessage) or not message.additional_kwargs.get("faces"):
            return None
        said = next((str(m.text) for m in reversed(state["messages"]) if isinstance(m, HumanMessage)), "")
        handles = []
        for record in message.additional_kwargs["faces"]:
            face = keep(layout.from_record(record), said, str(message.text), runtime.context.workspace)
            runtime.stream_writer({"face": face.handle})
            handles.append(face.handle)
        extra = {key: value for key, value in message.additional_kwargs.items() if key != "faces"}
        linked = message.model_copy(update={"additional_kwargs": {**extra, "handles": handles}})
        return {"messages": [linked]}


class StepLimit(ModelCallLimitMiddleware[Any, Services]):
    """Ends a turn after so many calls of the model, in words a person understands."""

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: Any, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """Stop, or let the next call happen."""
        stop = super().before_model(state, runtime)
        if stop is None:
            return None
        text = f"I stopped after {self.run_limit} steps without getting done; please say it in another way."
        return {**stop, "messages": [AIMessage(text)]}


class Honest(AgentMiddleware[AgentState, Services]):
    """A model reads why a call failed and may try again; it neither tries forever nor hides it."""

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: AgentState, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """End a turn in which FAILED_CALLS calls failed."""
        failed = failures(state["messages"])
        if len(failed) < FAILED_CALLS:
            return None
        return {"jump_to": "end", "messages": [AIMessage(could_not(failed[-1]))]}

    def after_model(self, state: AgentState, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """Put right an answer that claims success after failures only, or names what no tool told of."""
        message = state["messages"][-1]
        if not isinstance(message, AIMessage) or message.tool_calls:
            return None
        turn = running_turn(state["messages"])
        answers = [m for m in turn if isinstance(m, ToolMessage)]
        failed = failures(turn)
        if answers and not failed and made_up(str(message.text), " ".join(str(m.text) for m in answers)):
            return {"messages": [message.model_copy(update={"content": plainly(str(answers[-1].text))})]}
        if not failed or len(failed) < len(answers) or _ADMITS.search(str(message.text)):
            return None
        return {"messages": [message.model_copy(update={"content": could_not(failed[-1])})]}


def running_turn(messages: Sequence[AnyMessage | BaseMessage]) -> list[BaseMessage]:
    """The messages after the last thing a person said."""
    places = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return list(messages[places[-1] + 1 if places else 0 :])


def failures(messages: Sequence[AnyMessage | BaseMessage]) -> list[str]:
    """Why calls of the running turn failed, in order; what a person declined is no failure."""
    answers = [m for m in running_turn(messages) if isinstance(m, ToolMessage) and m.status == "error"]
    return [str(m.text).removeprefix(REFUSED) for m in answers if DECLINED not in str(m.text)]


def could_not(reason: str) -> str:
    """The plain answer when nothing worked."""
    return f"I could not do that: {reason.strip().rstrip('.')}."


def with_photos(messages: Sequence[AnyMessage], workspace: Workspace) -> list[AnyMessage]:
    """The messages with the places of their photos, which are kept out of the chat's database."""
    found: list[AnyMessage] = []
    for message in messages:
        photos = message.additional_kwargs.get("photos") if isinstance(message, HumanMessage) else None
        if photos:
            placed = [{**photo, "path": str(workspace.photo(photo["handle"]))} for photo in photos]
            message = message.model_copy(
                update={"additional_kwargs": {**message.additional_kwargs, "photos": placed}}
            )
        found.append(message)
    return found
