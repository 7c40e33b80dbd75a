"""Verify a case: whether its journal and its files are still what was written.

The journal's chain is checked line by line, then every file whose digest it holds, then whether
a face is there that no line tells of. Reads only; nothing is repaired.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.digests import file_digest, numbers_digest
from tools.errors import ToolError
from tools.journal import FIRST_PREVIOUS, Entry, Journal
from tools.workspace import FACE_FILE


@dataclass(frozen=True)
class CaseCheck:
    """What was looked at, and one sentence for each thing that is not as it was written.

    lines: of the journal; files: whose digests agree; last: sha256 of the last line, to be kept
    elsewhere; missing: recorded files that are not there; changed: everything else that differs
    """

    lines: int
    files: int
    last: str
    changed: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Nothing was changed and nothing is missing."""
        return not self.changed and not self.missing


def entries_of(folder: Path) -> list[Entry]:
    """The journal of a case; ToolError if the folder holds none, JournalBroken if it was changed."""
    journal = Journal(folder / "journal.jsonl")
    if not journal.path.is_file():
        raise ToolError(f"there is no journal.jsonl in {folder}; give the folder of a case")
    return journal.entries()


def verify_case(folder: Path, last: str = "") -> CaseCheck:
    """Check a case against its journal.

    last: the sha256 of a line, as noted elsewhere; it has to be in the journal. Raises
    JournalBroken, naming the line, if the chain itself is broken, since then nothing in it counts.
    """
    entries = entries_of(folder)
    changed: list[str] = []
    missing: list[str] = []
    if last and last not in {entry.sha256 for entry in entries}:
        changed.append(f"no line of the journal has the sha256 {last}; it was rewritten or cut off")
    recorded = recorded_files(entries)
    agreeing = 0
    for name, digest in recorded.items():
        path = folder / name
        if not path.is_file():
            missing.append(f"{name} is not there any more")
        elif file_digest(path) != digest:
            changed.append(f"{name} was changed after it was written")
        else:
            agreeing += 1
    changed += _unrecorded(folder, entries)
    changed += _foreign_numbers(folder, entries)
    end = entries[-1].sha256 if entries else FIRST_PREVIOUS
    return CaseCheck(len(entries), agreeing, end, tuple(changed), tuple(missing))


def recorded_files(entries: list[Entry]) -> dict[str, str]:
    """Name to the digest it was last written with, deleted files left out."""
    recorded: dict[str, str] = {}
    for entry in entries:
        if entry.event == "deleted":
            for name in entry.data["files"]:
                recorded.pop(name, None)
        else:
            recorded |= entry.data.get("files") or {}
    return recorded


def faces_of(entries: list[Entry]) -> dict[str, dict[str, Any]]:
    """Handle to the data of the line that tells how it was made, in order."""
    return {entry.data["handle"]: entry.data for entry in entries if entry.event == "face"}


def _unrecorded(folder: Path, entries: list[Entry]) -> list[str]:
    told = set(faces_of(entries))
    begun_with = {handle for e in entries if e.event == "opened" for handle in e.data.get("faces", ())}
    handles = (path.stem for path in sorted(folder.iterdir()) if FACE_FILE.match(path.name))
    return [
        f"{handle} is told of by no line of the journal"
        for handle in handles
        if handle not in told | begun_with
    ]


def _foreign_numbers(folder: Path, entries: list[Entry]) -> list[str]:
    """Faces whose JSON holds other numbers than the journal says, whatever else was changed."""
    found = []
    for handle, data in faces_of(entries).items():
        path = folder / f"{handle}.json"
        if "code" in data and path.is_file():
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                same = numbers_digest(record) == data["code"]
            except (ValueError, AttributeError):
                same = False
            if not same:
                found.append(f"{handle}.json holds other numbers than those the journal tells of")
    return found
