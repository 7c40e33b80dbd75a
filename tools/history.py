"""Which face is "the current one": a line of handles with a place in it, as undo needs.

Rebuilt from the journal when a folder is opened again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tools.errors import ToolError
from tools.journal import Entry


@dataclass
class History:
    """Handles in the order they became current, the place reached, and the photos shown.

    place is an index into line; -1 stands before the first face. photos: handle to the name its
    file had; beside: handles made together with others, which are no step of their own; gone:
    handles of deleted faces; witness: whether this is a witness's case.
    """

    line: list[str] = field(default_factory=list)
    place: int = -1
    photos: dict[str, str] = field(default_factory=dict)
    beside: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    witness: bool = False

    @classmethod
    def replay(cls, entries: Sequence[Entry], existing: Sequence[str]) -> History:
        """The history a journal tells of; faces without a journal line come first, as if made in order."""
        told = {entry.data["handle"] for entry in entries if entry.event == "face"}
        history = cls()
        for handle in existing:
            if handle not in told:
                history.made(handle)
        for entry in entries:
            if entry.event == "face":
                history.made(entry.data["handle"])
            elif entry.event == "go to" and "together" in entry.data:
                history.one_step(entry.data["together"], entry.data["current"])
            elif entry.event == "go to":
                history.made(entry.data["current"])
            elif entry.event == "deleted":
                history.forget(entry.data["handle"])
            elif entry.event == "witness":
                history.witness = True
            elif entry.event in ("undo", "redo"):
                with suppress(ToolError):  # the file of an undone face may have been taken away
                    history.undo() if entry.event == "undo" else history.redo()
            elif entry.event == "photo":
                history.photos[entry.data["handle"]] = str(entry.data.get("name", ""))
        for handle in {*history.line, *history.beside} - set(existing):  # its file was taken away by hand
            history.forget(handle)
        return history

    @property
    def current(self) -> str | None:
        """The handle at the place reached, or None."""
        return self.line[self.place] if self.place >= 0 else None

    def made(self, handle: str) -> None:
        """A new face becomes current; what had been undone can no longer be redone."""
        del self.line[self.place + 1 :]
        self.line.append(handle)
        self.place = len(self.line) - 1

    def one_step(self, handles: Sequence[str], current: str) -> None:
        """Faces made by one call leave the line again; `current` is the one place they were a step to."""
        self.beside.update(handles)
        before = sum(known not in handles for known in self.line[: self.place + 1])
        self.line = [known for known in self.line if known not in handles]
        self.place = before - 1
        if self.current != current:
            self.made(current)

    def forget(self, handle: str) -> None:
        """A face that is deleted leaves the line; the one before it becomes current in its place."""
        self.gone.add(handle)
        before = sum(1 for known in self.line[: self.place + 1] if known != handle)
        self.line = [known for known in self.line if known != handle]
        self.place = before - 1

    def undo(self) -> str | None:
        """One step back; ToolError if there is none."""
        if self.place < 0:
            raise ToolError("there is nothing to undo")
        self.place -= 1
        return self.current

    def redo(self) -> str:
        """One step forward; ToolError if there is none."""
        if self.place + 1 >= len(self.line):
            raise ToolError("there is nothing to redo")
        self.place += 1
        return self.line[self.place]
