"""A FaceGPT backend as a LangChain chat model.

LangChain messages become ChatTurns and a Reply becomes an AIMessage. The faces of a reply
travel in `additional_kwargs["faces"]` as JSON records of layout.py, so that they survive
checkpoints; photos travel in a HumanMessage's `additional_kwargs["photos"]` as
{"handle", "path"}; neither ever holds bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agent.schemas import UNTRAINED, with_choices, without
from facegpt_model import layout
from facegpt_model.serving.backend import Backend, ChatTurn, Reply, ToolCall, ToolSchema


class FaceChatModel(BaseChatModel):
    """Speaks through any Backend; tokens are streamed while they are made."""

    backend: Any  # a Backend; pydantic cannot check a protocol

    @property
    def _llm_type(self) -> str:
        return "facegpt"

    def bind_tools(  # type: ignore[override]
        self,
        tools: Sequence[BaseTool],
        *,
        tool_choice: str | None = None,
        faces: Sequence[str] = (),
        photos: Sequence[str] = (),
        named: Mapping[str, Mapping[str, Sequence[object]]] | None = None,
        quiet: bool = False,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools it may call on the given handles, the newest last.

        named: for a tool, "" for every other, the values that some arguments are limited to (naming.py).
        quiet: stream nothing, since the answer may yet be put right.
        Without a photo there is nothing to reconstruct, so tools that need one are left out.
        """
        known: dict[str, Sequence[object]] = {"face": list(faces) or [""], "photo": list(photos)}
        schemas = [
            ToolSchema(
                tool.name,
                tool.description,
                with_choices(_parameters(tool), known | _held_to(tool.name, named)),
            )
            for tool in tools
            if photos or "photo" not in _parameters(tool)["properties"]
        ]
        return self.bind(tools=schemas, faces=tuple(faces), quiet=quiet)  # type: ignore[return-value]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        tools: Sequence[ToolSchema] = (),
        faces: Sequence[str] = (),
        quiet: bool = False,
        **kwargs: Any,
    ) -> ChatResult:
        spoken: list[str] = []

        def on_text(piece: str) -> None:
            spoken.append(piece)
            if run_manager and piece and not quiet:
                chunk = AIMessageChunk(content=piece, id=f"lc_run--{run_manager.run_id}")
                run_manager.on_llm_new_token(piece, chunk=ChatGenerationChunk(message=chunk))

        turns = [to_turn(message) for message in messages]
        backend: Backend = self.backend
        reply = backend.chat(turns, tools, faces, on_text)
        on_text(unspoken("".join(spoken), reply.text))
        message = to_message(reply, backend.name, known_call_ids(messages))
        return ChatResult(generations=[ChatGeneration(message=message)])


def _held_to(
    tool: str, named: Mapping[str, Mapping[str, Sequence[object]]] | None
) -> dict[str, Sequence[object]]:
    return dict(named.get(tool, named.get("", {}))) if named else {}


def to_turn(message: BaseMessage) -> ChatTurn:
    """One LangChain message as a ChatTurn; raises ValueError for a kind FaceGPT does not know."""
    text = str(message.text)
    if isinstance(message, SystemMessage):
        return ChatTurn("system", text)
    if isinstance(message, HumanMessage):
        photos = message.additional_kwargs.get("photos", [])
        return ChatTurn(
            "user",
            text,
            images=tuple(Path(photo["path"]) for photo in photos),
            photo_names=tuple(photo["handle"] for photo in photos),
        )
    if isinstance(message, AIMessage):
        calls = tuple(ToolCall(str(c["id"]), c["name"], dict(c["args"])) for c in message.tool_calls)
        return ChatTurn("assistant", text, tool_calls=calls)
    if isinstance(message, ToolMessage):
        return ChatTurn("tool", text, tool_name=message.name, tool_call_id=message.tool_call_id)
    raise ValueError(f"cannot put a {type(message).__name__} into a conversation")


def to_message(reply: Reply, model: str, taken: frozenset[str] = frozenset()) -> AIMessage:
    """A reply as an AIMessage; call ids that are missing, doubled or taken are replaced."""
    seen = set(taken)
    calls = []
    for call in reply.tool_calls:
        call_id = call.id if call.id and call.id not in seen else f"call-{uuid.uuid4().hex[:12]}"
        seen.add(call_id)
        calls.append({"name": call.name, "args": dict(call.arguments), "id": call_id, "type": "tool_call"})
    records = [layout.to_record(estimate) for estimate in reply.faces]
    return AIMessage(
        content=reply.text,
        tool_calls=calls,
        additional_kwargs={"faces": records} if records else {},
        response_metadata={"model_name": model},
    )


def unspoken(spoken: str, text: str) -> str:
    """What of a reply was not streamed, such as a closing <FACE>; "" if the two do not match."""
    for said in (spoken.lstrip(), spoken.strip()):
        if text.startswith(said):
            return text[len(said) :]
    return ""


def known_call_ids(messages: Sequence[BaseMessage]) -> frozenset[str]:
    """Ids of all tool calls made so far."""
    calls = (call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls)
    return frozenset(str(call["id"]) for call in calls)


def _parameters(tool: BaseTool) -> Mapping[str, Any]:
    if not isinstance(tool.args_schema, dict):
        raise TypeError(f"tool {tool.name} has no strict JSON schema; bind it in agent/toolbox.py")
    return without(tool.args_schema, (tool.metadata or {}).get(UNTRAINED, ()))
