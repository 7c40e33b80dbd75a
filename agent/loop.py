"""One conversation: turns go in, events come out, everything is kept in the workspace's folder.

The folder gets chat.sqlite (messages, to go on later) and transcript.json (to read). Messages
hold handles and names of files; pictures, meshes and photos stay files of the folder.
Answers are limited to MODEL_CALLS calls of the model and TOOL_CALLS of tools per turn.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolCallLimitMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from agent.chat_models import FaceChatModel
from agent.events import (
    ApprovalNeeded,
    Event,
    FaceMade,
    Final,
    Spoke,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from agent.memory import Remembers
from agent.middleware import DECLINED, Honest, KnownHandles, RegisterFaces, StepLimit
from agent.planner import ReadsTheCase, is_openai
from agent.prompts import SYSTEM
from agent.registry import TOOLS, Services
from agent.toolbox import REFUSED, approvals, tool_errors, toolbox
from agent.transcript import transcript
from facegpt_model.serving.backend import Backend
from tools.errors import ToolError
from tools.imagine import checked_text
from tools.outcome import Outcome
from tools.reconstruct import checked_photo, show_photo
from tools.workspace import Workspace, plain_name
from tools.writing import write_text

MODEL_CALLS = 6  # per turn
TOOL_CALLS = 6  # per turn
STREAMED: tuple[Literal["messages", "updates", "custom"], ...] = ("messages", "updates", "custom")
THREAD: RunnableConfig = {"configurable": {"thread_id": "chat"}}
INTERRUPTED = "this step was interrupted before it finished"
SUMMARY = "summarization"  # LangChain's name of what a summarising call streams
WAITING = "Waiting for your decision."


class Conversation:
    """A chat about the faces of one workspace; continues where the folder's last chat stopped.

    backend: makes the faces, and talks unless there is a planner
    planner: a larger chat model that talks and calls tools; the backend then only imagines
    """

    def __init__(self, workspace: Workspace, backend: Backend, planner: BaseChatModel | None = None) -> None:
        """Open or continue; ToolError if the folder's chat cannot be read."""
        self.workspace = workspace
        self.backend = backend
        self.planner = planner
        self._services = Services(workspace, backend)
        self._database = _open_database(workspace.folder / "chat.sqlite")
        specs = TOOLS if planner else [spec for spec in TOOLS if not spec.spoken]
        self._agent: Any = create_agent(
            planner or FaceChatModel(backend=backend),
            toolbox(specs),
            system_prompt=SYSTEM,
            context_schema=Services,
            checkpointer=SqliteSaver(self._database),
            middleware=_middleware(planner),
        )

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    @property
    def messages(self) -> list[BaseMessage]:
        """Everything said so far, without the system text."""
        return list(self._agent.get_state(THREAD).values.get("messages", []))

    @property
    def memory(self) -> dict[str, Any]:
        """What is kept of older turns: text, by (a planner's name or "rule"), turns; empty without any."""
        kept = self._agent.get_state(THREAD).values.get("memory") or {}
        return {name: kept[name] for name in ("text", "by", "turns") if name in kept}

    @property
    def pending(self) -> tuple[ApprovalNeeded, ...]:
        """Destructive calls that wait for a decision, also after the folder was opened again."""
        return tuple(_asked(self._agent.get_state(THREAD).interrupts))

    def turn(self, text: str, photo: Path | None = None) -> Iterator[Event]:
        """Say something, with a photo or without, and follow what happens.

        Raises ToolError for an empty or overlong text or a file that is no photo, and
        BackendError if the model cannot answer. The last event is Final. A decision that was
        still waiting counts as declined.
        """
        if photo is not None and not text.strip():
            text = f"Here is a photo: {plain_name(photo.name)}"
        message = HumanMessage(checked_text(text), id=uuid.uuid4().hex)
        if photo is not None:
            checked_photo(photo)
        if self.pending:
            for _ in self.decide(False):
                pass
        data: dict[str, Any] = {"text": str(message.text), "message": message.id}
        self.workspace.journal.append("said", data)
        if photo is not None:
            handle = show_photo(photo, self.workspace)
            message.additional_kwargs["photos"] = [{"handle": handle, "name": plain_name(photo.name)}]
        yield from self._run({"messages": [*self._unanswered(), message]})

    def decide(self, approve: bool) -> Iterator[Event]:
        """Approve or decline what waits, and follow what happens; ToolError if nothing waits."""
        asked = self.pending
        if not asked:
            raise ToolError("nothing waits for a decision")
        for one in asked:
            told = {"tool": one.name, "arguments": one.arguments, "approved": approve}
            self.workspace.journal.append("decided", told)
        decision = {"type": "approve"} if approve else {"type": "reject", "message": DECLINED}
        yield from self._run(Command(resume={"decisions": [decision for _ in asked]}))

    def record(self, asked: str, name: str, arguments: dict[str, Any], outcome: Outcome, told: str) -> None:
        """Write into the chat what a person did beside it, such as moving a slider.

        It reads like a turn in which `asked` was said, the tool called and `told` answered. A decision
        that was still waiting counts as declined.
        """
        if self.pending:
            for _ in self.decide(False):
                pass
        call = {"id": f"page-{uuid.uuid4().hex}", "name": name, "args": arguments}
        made = {"faces": list(outcome.faces), "files": list(outcome.files)}
        self.begin_with(
            [
                *self._unanswered(),
                HumanMessage(asked, id=uuid.uuid4().hex, additional_kwargs={"beside": True}),
                AIMessage("", tool_calls=[call]),
                ToolMessage(outcome.text, tool_call_id=call["id"], name=name, artifact=made),
                AIMessage(told),
            ]
        )
        self.workspace.journal.append("answered", {"text": told, "faces": made["faces"]})
        self.write_transcript()

    def begin_with(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages as they are; for a fork that has said nothing yet, those of the chat it came from."""
        if messages:
            self._agent.update_state(THREAD, {"messages": list(messages)}, as_node="model")

    def _run(self, given: Any) -> Iterator[Event]:
        before = self.workspace.handles
        for part in self._agent.stream(
            given,
            THREAD,
            context=self._services,
            stream_mode=STREAMED,
            version="v2",
            durability="exit",
        ):
            yield from _events(part["type"], part["data"])
        made = tuple(handle for handle in self.workspace.handles if handle not in before)
        text = WAITING if self.pending else str(self.messages[-1].text)
        self.workspace.journal.append("answered", {"text": text, "faces": list(made)})
        self.write_transcript()
        yield Final(text, made)

    def write_transcript(self) -> Path:
        """Write transcript.json and return its place."""
        record = transcript(self.messages, _name(self.backend, self.planner), self.memory)
        path = self.workspace.folder / "transcript.json"
        return write_text(path, json.dumps(record, indent=1, ensure_ascii=False))

    def _unanswered(self) -> list[BaseMessage]:
        """Answers for tool calls that a crash left open; a model cannot go on without them."""
        messages = self.messages
        answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
        return [
            ToolMessage(INTERRUPTED, tool_call_id=call["id"], name=call["name"], status="error")
            for message in messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
            if call["id"] not in answered
        ]


def _name(backend: Backend, planner: BaseChatModel | None) -> str:
    if planner is None:
        return backend.name
    named = getattr(planner, "model_name", None) or type(planner).__name__
    return f"{named} with {backend.name}"


def _middleware(planner: BaseChatModel | None) -> list[AgentMiddleware[Any, Services, Any]]:
    reads: list[AgentMiddleware[Any, Services, Any]] = [KnownHandles()]
    if planner is not None:
        reads = [Remembers(planner), ReadsTheCase(strict=is_openai(planner))]
    return [
        *reads,
        RegisterFaces(),
        approvals(),
        Honest(),
        tool_errors(),
        StepLimit(run_limit=MODEL_CALLS, exit_behavior="end"),
        ToolCallLimitMiddleware(run_limit=TOOL_CALLS),
    ]


def _events(kind: str, data: Any) -> Iterator[Event]:
    if kind == "messages":
        message, about = data
        if about.get("lc_source") == SUMMARY:
            return  # written for the model, not for the person
        if isinstance(message, AIMessageChunk) and message.text:
            yield TextDelta(str(message.text))
    elif kind == "custom":
        if "face" in data:
            yield FaceMade(data["face"])
        else:
            yield ToolProgress(data["tool"], data["doing"], float(data["share"]))
    elif kind == "updates":
        for node, update in data.items():
            if node == "__interrupt__":
                yield from _asked(update)
            elif node == f"{Honest.__name__}.after_model" or not node.endswith(".after_model"):
                # a message given its handles was told before; one put right was not
                for message in (update or {}).get("messages", []):
                    yield from _message_events(message)


def _asked(interrupts: Any) -> Iterator[ApprovalNeeded]:
    for interrupt in interrupts:
        for request in interrupt.value.get("action_requests", ()):
            arguments = request.get("args", request.get("arguments", {}))
            yield ApprovalNeeded(request["name"], dict(arguments))


def _message_events(message: BaseMessage) -> Iterator[Event]:
    if isinstance(message, AIMessage):
        if message.text:
            yield Spoke(str(message.text))
        for call in message.tool_calls:
            yield ToolStarted(str(call["id"]), call["name"], dict(call["args"]))
    elif isinstance(message, ToolMessage):
        made = message.artifact or {}
        ok = message.status != "error"
        text = str(message.text).removeprefix(REFUSED)
        faces, files = tuple(made.get("faces", ())), tuple(made.get("files", ()))
        yield ToolFinished(message.tool_call_id, str(message.name), text, ok, faces, files)
        for handle in faces:
            yield FaceMade(handle)


def _open_database(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, check_same_thread=False)
        with closing(database.cursor()) as cursor:
            cursor.execute("PRAGMA quick_check")
    except sqlite3.Error as error:
        raise ToolError(
            f"cannot read the chat in {path}: {error}; move that file away to start a new one"
        ) from error
    return database
