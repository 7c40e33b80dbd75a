"""Threads: several conversations side by side, each a folder of one root with its own faces.

The name of a thread is the name of its folder. A fork begins as another thread was before
something was said in it: with the messages, the faces and the part of the journal up to there,
so that its own journal is a sound chain too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from agent.loop import Conversation
from facegpt_model.serving.backend import Backend, BackendError, Reply
from tools.case import recorded_files
from tools.errors import ToolError
from tools.journal import Entry, Journal, JournalBroken
from tools.workspace import FACE_FILE, Workspace
from tools.writing import ensure_folder, write_text

NAME = re.compile(r"\w[\w -]{0,63}")
TITLE = 60  # letters


@dataclass(frozen=True)
class Thread:
    """One conversation as a list shows it.

    title: the first thing said; begun, changed: UTC, ISO 8601; turns: things said by a person
    problem: why it cannot be opened, "" if it can
    """

    name: str
    title: str
    folder: Path
    begun: str
    changed: str
    turns: int
    faces: tuple[str, ...]
    current: str | None
    witness: bool
    problem: str = ""


@dataclass(frozen=True)
class Said:
    """One thing a person said: its number from 1, the text, the id of its message."""

    number: int
    text: str
    message: str


class Threads:
    """The conversations below one folder; names cannot lead out of it."""

    def __init__(self, root: Path) -> None:
        """ToolError if the folder cannot be made or written."""
        self.root = ensure_folder(Path(root))
        self._rows: dict[Path, tuple[tuple[int, int], Thread]] = {}  # as read, and of which journal

    def folder(self, name: str) -> Path:
        """Where a thread of that name is or would be; ToolError for a name that is no plain name."""
        if not NAME.fullmatch(name):
            raise ToolError(
                f"{name!r} cannot name a thread; take letters, digits, spaces, - and _, at most 64"
            )
        return self.root / name

    def list(self) -> list[Thread]:
        """All threads, the one changed last first; folders without a journal are passed over.

        Journals that did not change since they were read are not read again. One that is damaged is
        listed with the sentence that says so.
        """
        found = [self._row(path) for path in self.root.iterdir() if (path / "journal.jsonl").is_file()]
        return sorted(found, key=lambda thread: thread.changed, reverse=True)

    def get(self, name: str) -> Thread:
        """The thread of that name; ToolError naming the known ones."""
        folder = self.folder(name)
        if not (folder / "journal.jsonl").is_file():
            known = ", ".join(thread.name for thread in self.list()) or "none"
            raise ToolError(f"there is no thread called {name!r}; known: {known}")
        return self._read(folder)

    def create(self, name: str = "") -> Thread:
        """A new, empty thread, called chat-N unless named; ToolError if the name is taken."""
        name = name or self._free("chat")
        folder = self.folder(name)
        if folder.exists():
            raise ToolError(f"there is a thread called {name!r} already")
        Workspace(folder)
        return self._read(folder)

    def open(self, name: str, backend: Backend, planner: BaseChatModel | None = None) -> Conversation:
        """Go on with a thread, which is made if it is not there."""
        return Conversation(Workspace(self.folder(name)), backend, planner)

    def said(self, name: str) -> Sequence[Said]:
        """What the person said in a thread, in order; the places it can be forked at."""
        return _said(Journal(self.get(name).folder / "journal.jsonl").entries())

    def rename(self, name: str, new: str) -> Thread:
        """Give a thread another name; ToolError if that is taken."""
        source, target = self.get(name).folder, self.folder(new)
        if target.exists():
            raise ToolError(f"there is a thread called {new!r} already")
        source.rename(target)
        return self._read(target)

    def fork(self, name: str, before: int, new: str = "") -> Thread:
        """A new thread as this one was before the person said number `before`, counted from 1.

        One more than the last number copies everything. ToolError for another number.
        """
        source = self.get(name)
        entries = Journal(source.folder / "journal.jsonl").entries()
        said = _said(entries)
        if not 1 <= before <= len(said) + 1:
            raise ToolError(f"{name} can be forked before 1 to {len(said) + 1}, not before {before}")
        message = said[before - 1].message if before <= len(said) else ""
        target = self.create(new or self._free(f"{name[:50]}-fork"))
        try:
            _copy(source.folder, target.folder, _prefix(entries, message))
            _copy_messages(source.folder, target.folder, message)
            note = {"from": name, "before": before}
            Workspace(target.folder).wrote("forked", note, sorted(p.name for p in _kept(target.folder)))
        except BaseException:
            shutil.rmtree(target.folder, ignore_errors=True)
            raise
        return self._read(target.folder)

    def delete(self, name: str) -> None:
        """Take a thread away for good: messages, faces, photos and journal."""
        shutil.rmtree(self.get(name).folder)

    def _free(self, stem: str) -> str:
        number = 1
        while (self.root / f"{stem}-{number}").exists():
            number += 1
        return f"{stem}-{number}"

    def _row(self, folder: Path) -> Thread:
        try:
            return self._read(folder)
        except JournalBroken as error:
            when = datetime.fromtimestamp((folder / "journal.jsonl").stat().st_mtime, UTC).isoformat()
            return Thread(folder.name, folder.name, folder, when, when, 0, (), None, False, str(error))

    def _read(self, folder: Path) -> Thread:
        """The row of a thread, from its journal if that changed since it was read; JournalBroken."""
        stamp = _stamp(folder)
        known = self._rows.get(folder)
        if known is None or known[0] != stamp:
            known = self._rows[folder] = stamp, _read(folder)
        return known[1]


class _Silent:
    """Stands in where messages are only copied."""

    name = "none"

    def chat(self, *_: object, **__: object) -> Reply:
        raise BackendError("no model was opened for this thread")

    def imagine(self, text: str) -> Reply:
        raise BackendError("no model was opened for this thread")


def _read(folder: Path) -> Thread:
    entries = Journal(folder / "journal.jsonl").entries()
    if not entries:
        raise JournalBroken(f"{folder / 'journal.jsonl'} holds no line")
    workspace = Workspace(folder)
    said = [entry for entry in entries if entry.event in ("said", "recall", "statement")]
    title = " ".join(str(said[0].data["text"]).split())[:TITLE] if said else ""
    return Thread(
        name=folder.name,
        title=title or folder.name,
        folder=folder,
        begun=entries[0].time,
        changed=entries[-1].time,
        turns=len(said),
        faces=workspace.handles,
        current=workspace.current,
        witness=workspace.witness,
    )


def _stamp(folder: Path) -> tuple[int, int]:
    """Changes whenever a line is added: when the journal was written, in nanoseconds, and its bytes."""
    told = (folder / "journal.jsonl").stat()
    return told.st_mtime_ns, told.st_size


def _said(entries: list[Entry]) -> list[Said]:
    found = [entry for entry in entries if entry.event == "said" and entry.data.get("message")]
    return [Said(n, str(e.data["text"]), str(e.data["message"])) for n, e in enumerate(found, start=1)]


def _prefix(entries: list[Entry], message: str) -> list[Entry]:
    """The lines before this message was said, all for ""."""
    places = [n for n, e in enumerate(entries) if message and e.data.get("message") == message]
    return entries[: places[0]] if places else entries


def _copy(source: Path, target: Path, entries: list[Entry]) -> None:
    """The journal's lines and the files they tell of; what was deleted since is told to be so."""
    journal = Journal(target / "journal.jsonl")
    lines = (source / "journal.jsonl").read_text(encoding="utf-8").split("\n")[: len(entries)]
    write_text(journal.path, "\n".join(lines))
    journal.head.unlink(missing_ok=True)
    names = recorded_files(entries)
    for name in names:
        if (source / name).is_file() and Path(name).name == name:
            shutil.copy2(source / name, target / name)
    gone: dict[str, list[str]] = {}
    for name in names:
        if not (target / name).exists():
            gone.setdefault(name.partition(".")[0], []).append(name)
    for handle, missing in gone.items():
        journal.append("deleted", {"handle": handle, "files": missing})


def _copy_messages(source: Path, target: Path, message: str) -> None:
    with ExitStack() as opened:
        old = opened.enter_context(Conversation(Workspace(source), _Silent()))
        new = opened.enter_context(Conversation(Workspace(target), _Silent()))
        messages = old.messages
        ids = [m.id if isinstance(m, HumanMessage) else None for m in messages]
        new.begin_with(messages[: ids.index(message)] if message in ids else messages)
        new.write_transcript()


def _kept(folder: Path) -> Iterator[Path]:
    """Files of faces and photos."""
    for path in folder.iterdir():
        if FACE_FILE.match(f"{path.name.partition('.')[0]}.json") or path.name.startswith("photo-"):
            yield path
