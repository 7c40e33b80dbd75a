"""One conversation: turns go in, events come out, everything is kept in the workspace's folder.

The folder gets chat.sqlite (messages, to go on later) and transcript.json (to read).
Answers are limited to MODEL_CALLS calls of the model and TOOL_CALLS of tools per turn.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolCallLimitMiddleware
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.chat_models import FaceChatModel
from agent.events import Event, FaceMade, Final, Spoke, TextDelta, ToolFinished, ToolProgress, ToolStarted
from agent.middleware import KnownHandles, RegisterFaces, StepLimit
from agent.prompts import SYSTEM
from agent.toolbox import REFUSED, Services, tool_errors, toolbox
from agent.transcript import transcript
from facegpt_model.serving.backend import Backend
from tools.errors import ToolError
from tools.imagine import checked_text
from tools.reconstruct import show_photo
from tools.workspace import Workspace
from tools.writing import write_text

MODEL_CALLS = 6  # per turn
TOOL_CALLS = 6  # per turn
STREAMED: tuple[Literal["messages", "updates", "custom"], ...] = ("messages", "updates", "custom")
THREAD: RunnableConfig = {"configurable": {"thread_id": "chat"}}
INTERRUPTED = "this step was interrupted before it finished"


class Conversation:
    """A chat about the faces of one workspace; continues where the folder's last chat stopped."""

    def __init__(self, workspace: Workspace, backend: Backend) -> None:
        """Open or continue; ToolError if the folder's chat cannot be read."""
        self.workspace = workspace
        self.backend = backend
        self._services = Services(workspace, backend)
        self._database = _open_database(workspace.folder / "chat.sqlite")
        self._agent = create_agent(
            FaceChatModel(backend=backend),
            toolbox(),
            system_prompt=SYSTEM,
            context_schema=Services,
            checkpointer=SqliteSaver(self._database),
            middleware=_middleware(),
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

    def turn(self, text: str, photo: Path | None = None) -> Iterator[Event]:
        """Say something, with a photo or without, and follow what happens.

        Raises ToolError for an empty or overlong text or a file that is no photo, and
        BackendError if the model cannot answer. The last event is Final.
        """
        if photo is not None and not text.strip():
            text = f"Here is a photo: {photo.name}"
        message = HumanMessage(checked_text(text))
        if photo is not None:
            handle = show_photo(photo, self.workspace)
            place = str(self.workspace.photo(handle))
            message.additional_kwargs["photos"] = [{"handle": handle, "path": place, "name": photo.name}]
        self.workspace.journal.append("said", {"text": str(message.text)})
        before = self.workspace.handles
        said: Any = {"messages": [*self._unanswered(), message]}
        for part in self._agent.stream(
            said,
            THREAD,
            context=self._services,
            stream_mode=STREAMED,
            version="v2",
            durability="exit",
        ):
            yield from _events(part["type"], part["data"])
        made = tuple(handle for handle in self.workspace.handles if handle not in before)
        last = self.messages[-1]
        self.workspace.journal.append("answered", {"text": str(last.text), "faces": list(made)})
        self.write_transcript()
        yield Final(str(last.text), made)

    def write_transcript(self) -> Path:
        """Write transcript.json and return its place."""
        record = transcript(self.messages, self.backend.name)
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


def _middleware() -> list[AgentMiddleware[Any, Services, Any]]:
    return [
        KnownHandles(),
        RegisterFaces(),
        tool_errors(),
        StepLimit(run_limit=MODEL_CALLS, exit_behavior="end"),
        ToolCallLimitMiddleware(run_limit=TOOL_CALLS),
    ]


def _events(kind: str, data: Any) -> Iterator[Event]:
    if kind == "messages":
        message = data[0]
        if isinstance(message, AIMessageChunk) and message.text:
            yield TextDelta(str(message.text))
    elif kind == "custom":
        if "face" in data:
            yield FaceMade(data["face"])
        else:
            yield ToolProgress(data["tool"], data["doing"], float(data["share"]))
    elif kind == "updates":
        for node, update in data.items():
            if not node.endswith(".after_model"):  # a message given its handles was told before
                for message in (update or {}).get("messages", []):
                    yield from _message_events(message)


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
