"""The journal of one case: a file to which lines are only ever added.

Each line is JSON with n (from 1), time (UTC, ISO 8601), event, data, previous (the
sha256 of the line before, 64 zeros for the first) and sha256 (of the canonical JSON of
all the other fields). Changing, removing or reordering a line breaks the chain from
there on. journal.head beside it holds n and sha256 of the last line, so that lines cut off
at the end are missed too. Whoever rewrites both files leaves no trace: where that matters,
keep the last sha256 elsewhere. The chain shows damage, it does not prove who wrote the lines.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.writing import exclusive, write_text

FIRST_PREVIOUS = "0" * 64
TAIL = 65536  # bytes read at once when looking for the last line


class JournalBroken(ToolError):
    """A line of the journal that is not what was written."""


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    n: int
    time: str
    event: str
    data: dict[str, Any]
    previous: str
    sha256: str


class Journal:
    """Hash-chained lines in one file; safe against several writing processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = path.with_name(f"{path.stem}.head")

    def append(self, event: str, data: dict[str, Any]) -> Entry:
        """Add one line and return it; JournalBroken if the file was damaged before."""
        with exclusive(self.path.parent):
            last = self._last()
            fields: dict[str, Any] = {
                "n": last.n + 1 if last else 1,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": event,
                "data": data,
                "previous": last.sha256 if last else FIRST_PREVIOUS,
            }
            entry = Entry(**fields, sha256=_digest(fields))
            try:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(_canonical(asdict(entry)) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise ToolError(f"cannot write {self.path}: {error.strerror}") from error
            write_text(self.head, _canonical({"n": entry.n, "sha256": entry.sha256}))
        return entry

    def entries(self) -> list[Entry]:
        """All lines, after checking every one of them against the chain."""
        if not self.path.exists():
            return []
        head = self._head()  # read first: another process may be adding lines
        entries: list[Entry] = []
        previous = FIRST_PREVIOUS
        for number, line in enumerate(self._lines(), start=1):
            entry = self._parse(line, number)
            if entry.n != number or entry.previous != previous:
                raise JournalBroken(
                    f"{self.path}: line {number} does not follow the line before it; "
                    "a line was removed, added or moved"
                )
            entries.append(entry)
            previous = entry.sha256
        if head is not None:
            self._check_end(entries, *head)
        return entries

    def verify(self) -> int:
        """Number of lines of an undamaged journal; raises JournalBroken naming the first bad line."""
        return len(self.entries())

    def _lines(self) -> list[str]:
        text = self.path.read_text(encoding="utf-8", errors="replace")
        if text and not text.endswith("\n"):
            number = text.count("\n") + 1
            raise JournalBroken(
                f"{self.path}: line {number} is cut off; remove that last line to go on with this folder"
            )
        return text.split("\n")[:-1]

    def _head(self) -> tuple[int, str] | None:
        if not self.head.exists():
            return None
        try:
            told = json.loads(self.head.read_text(encoding="utf-8"))
            return int(told["n"]), str(told["sha256"])
        except (ValueError, TypeError, KeyError) as error:
            raise JournalBroken(f"{self.head} was changed; it holds no line number and sha256") from error

    def _check_end(self, entries: list[Entry], count: int, sha256: str) -> None:
        if count > len(entries):
            raise JournalBroken(
                f"{self.path}: {count - len(entries)} of {count} lines are missing at the end"
            )
        if count < 1 or entries[count - 1].sha256 != sha256:
            raise JournalBroken(f"{self.path}: line {count} is not the one that {self.head.name} tells of")

    def _last(self) -> Entry | None:
        """The last line, without reading a long file."""
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            place = file.seek(0, os.SEEK_END)
            tail = b""
            while place and tail.count(b"\n") < 2:
                step = min(TAIL, place)
                place = file.seek(place - step)
                tail = file.read(step) + tail
        if not tail:
            return None
        if not tail.endswith(b"\n"):
            self._lines()  # tells which line is cut off
        line = tail[:-1].rpartition(b"\n")[2].decode("utf-8", "replace")
        return self._parse(line, 0)

    def _parse(self, line: str, number: int) -> Entry:
        """The entry of a line; number 0 is the last one."""
        place = f"line {number}" if number else "the last line"
        try:
            fields = json.loads(line)
            entry = Entry(**fields)
            stated = fields.pop("sha256")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalBroken(f"{self.path}: {place} is not a journal line") from error
        if _digest(fields) != stated:
            raise JournalBroken(f"{self.path}: {place} was changed after it was written")
        return entry


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(fields).encode()).hexdigest()
