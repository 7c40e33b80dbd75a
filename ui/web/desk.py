"""What the server keeps for all pages: threads, the one model, and the worker that uses it.

Everything that computes faces runs on one worker thread, one after the other, so that pages never
block each other and no two turns write one case. A page holds nothing but the name of its thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from agent.events import Event, FaceMade, Final, Spoke, ToolFinished, ToolProgress, ToolStarted
from agent.loop import Conversation
from agent.registry import Services, tool_named
from agent.threads import Thread, Threads
from agent.witness import WitnessInterview
from facegpt_model.serving.backend import Backend
from tools.outcome import Outcome
from tools.workspace import Workspace
from ui.web.turns import Turn

ROOT_VARIABLE = "FACEGPT_UI_ROOT"
CHECKPOINT_VARIABLE = "FACEGPT_UI_CHECKPOINT"
Work = Callable[[Workspace, Callable[[str, float], None]], Outcome]
Told = Callable[[Outcome], str]


class Desk:
    """One per process; every method may be called from any page's thread."""

    def __init__(self, root: Path, open_model: Callable[[], Backend]) -> None:
        """open_model is called once, on the worker, when a face is first asked for."""
        self.threads = Threads(root)
        self._open_model = open_model
        self._model: Backend | None = None
        self._chats: dict[str, Conversation] = {}
        self._turns: dict[str, Turn] = {}
        self._lock = threading.RLock()
        self._loading = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facegpt")

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._model is not None

    def prepare(self) -> None:
        """Begin to load the model, so that the first answer need not wait for it."""
        self._worker.submit(self.model)

    def model(self) -> Backend:
        """The model, loaded on first use; BackendError or AssetError with one sentence."""
        with self._loading:
            self._model = self._model or self._open_model()
            return self._model

    def chat(self, name: str) -> Conversation:
        """The conversation of a thread; reading it needs no model."""
        with self._lock:
            if name not in self._chats:
                self.threads.get(name)
                self._chats[name] = self.threads.open(name, self._later())
            return self._chats[name]

    def turn(self, name: str) -> Turn | None:
        """What was asked for last in a thread since the server started."""
        return self._turns.get(name)

    def busy(self, name: str) -> bool:
        """Whether a turn of this thread is still to end."""
        turn = self._turns.get(name)
        return turn is not None and not turn.done

    def say(self, name: str, text: str, photo: Path | None = None) -> Turn:
        """Say something in a thread; witnesses' cases are answered by the interview."""
        chat = self.chat(name)
        if chat.workspace.witness:
            return self._begin(name, Turn(text, lambda: self._interview(chat).turn(text)))
        shown = photo.name if photo is not None else ""
        return self._begin(name, Turn(text, lambda: _timed(chat, chat.turn(text, photo)), shown))

    def decide(self, name: str, approve: bool) -> Turn:
        """Approve or decline what waits in a thread."""
        chat = self.chat(name)
        return self._begin(name, Turn("", lambda: _timed(chat, chat.decide(approve))))

    def again(self, name: str, before: int, text: str = "") -> Thread:
        """Say the numbered thing again, in other words if given, in a fork that begins before it."""
        said = self.threads.said(name)[before - 1]
        photos = self._photos_of(name, said.message)
        fork = self.threads.fork(name, before)
        self.say(fork.name, text or said.text, photos[0] if photos else None)
        return fork

    def act(self, name: str, tool: str, fields: dict[str, Any], asked: str, told: Told | None = None) -> Turn:
        """Call a tool of the registry from a page; it is written into the conversation."""
        return self.do(name, tool, fields, self._work(tool, fields), asked, told)

    def at_once(self, name: str, tool: str, fields: dict[str, Any], asked: str) -> Turn:
        """The same for a tool that computes no face, such as undo: the page need not wait for the worker.

        Behind a turn of the same thread it waits for that one's end, as everything does.
        """
        turn = self._turn(self.chat(name), tool, fields, self._work(tool, fields), asked, None)
        return self._begin(name, turn, here=True)

    def pulse(self, name: str) -> str:
        """A word that changes when something happened in a thread, so that other tabs can follow."""
        turn = self._turns.get(name)
        under_way = f"{id(turn)}-{turn.done}" if turn else ""
        journal = self.threads.folder(name) / "journal.jsonl"
        return f"{under_way}-{journal.stat().st_size if journal.is_file() else 'gone'}"

    def do(
        self, name: str, tool: str, fields: dict[str, Any], work: Work, asked: str, told: Told | None = None
    ) -> Turn:
        """Do some work of a page in a thread, step by step as a tool; it is written into the conversation."""
        return self._begin(name, self._turn(self.chat(name), tool, fields, work, asked, told))

    def _work(self, tool: str, fields: dict[str, Any]) -> Work:
        spec = tool_named(tool)
        return lambda case, report: spec.run(fields, Services(case, self._later()), report)

    def _turn(
        self,
        chat: Conversation,
        tool: str,
        fields: dict[str, Any],
        work: Work,
        asked: str,
        told: Told | None,
    ) -> Turn:
        def run() -> Iterator[Event]:
            yield ToolStarted("page", tool, fields)
            outcome = work(chat.workspace, progress)
            answer = told(outcome) if told else outcome.text
            if not chat.workspace.witness:
                chat.record(asked, tool, fields, outcome, answer)
            yield ToolFinished("page", tool, outcome.text, True, outcome.faces, outcome.files)
            yield from (FaceMade(handle) for handle in outcome.faces)
            yield Spoke(answer)
            yield Final(answer, outcome.faces)

        turn = Turn(asked, run)

        def progress(doing: str, share: float) -> None:
            turn.tell(ToolProgress(tool, doing, share))

        return turn

    def opening(self, name: str) -> str:
        """Begin or go on with a witness's interview; returns what is shown first."""
        return self._interview(self.chat(name)).opening()

    def forget(self, name: str) -> None:
        """Close a thread's conversation, so that its folder may be moved or removed."""
        with self._lock:
            chat = self._chats.pop(name, None)
            self._turns.pop(name, None)
        if chat is not None:
            chat.close()

    def close(self) -> None:
        """End the worker after the turn it is at, and close all conversations."""
        for turn in list(self._turns.values()):
            turn.stop()
        self._worker.shutdown(wait=True)
        for name in list(self._chats):
            self.forget(name)

    def _begin(self, name: str, turn: Turn, here: bool = False) -> Turn:
        with self._lock:
            running = self._turns.get(name)
            idle = running is None or running.done
            if running is not None and not running.done:
                running.stop()
            self._turns[name] = turn
        if here and idle:
            turn.run()
        else:
            self._worker.submit(turn.run)
        return turn

    def _later(self) -> Backend:
        return cast(Backend, _Later(self))

    def _interview(self, chat: Conversation) -> WitnessInterview:
        return WitnessInterview(chat.workspace, self._later())

    def _photos_of(self, name: str, message: str) -> list[Path]:
        chat = self.chat(name)
        shown = [
            photo["handle"]
            for one in chat.messages
            if one.id == message
            for photo in one.additional_kwargs.get("photos", [])
        ]
        return [chat.workspace.photo(handle) for handle in shown]


class _Later:
    """Stands for the model before it is loaded."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def name(self) -> str:
        return self._desk.model().name

    def chat(self, *given: Any, **named: Any) -> Any:
        return self._desk.model().chat(*given, **named)

    def imagine(self, text: str) -> Any:
        return self._desk.model().imagine(text)


def _timed(chat: Conversation, events: Iterator[Event]) -> Iterator[Event]:
    """The events as they are; how long each tool took is noted in the journal."""
    begun: dict[str, float] = {}
    for event in events:
        if isinstance(event, ToolStarted):
            begun[event.call_id] = time.monotonic()
        elif isinstance(event, ToolFinished) and event.call_id in begun:
            seconds = round(time.monotonic() - begun[event.call_id], 2)
            chat.workspace.journal.append("took", {"call": event.call_id, "seconds": seconds})
        yield event


def _open_model() -> Backend:
    from ui.services import open_backend

    checkpoint = os.environ.get(CHECKPOINT_VARIABLE)
    return open_backend(Path(checkpoint) if checkpoint else None)


@lru_cache(maxsize=1)
def the_desk() -> Desk:
    """The desk of this process, its threads below FACEGPT_UI_ROOT."""
    return Desk(Path(os.environ.get(ROOT_VARIABLE, "out/threads")), _open_model)
