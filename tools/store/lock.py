"""One owner per store folder: Chroma's embedded files lose rows when two processes write them."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from tools.errors import ToolError
from tools.writing import ensure_folder

NAME = "owner.lock"


class OwnerLock:
    """Held from creation to release; the system gives it back when the process dies."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; ToolError naming the owner if somebody has it."""
        path = ensure_folder(folder) / NAME
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _read(self._file)
            os.close(self._file)
            way = (
                f"it is shared at {owner['url']}, so give this command --url {owner['url']}"
                if "url" in owner
                else "close that one, or let several share it: "
                f"facegpt store serve --store {folder}, then give every command --url"
            )
            raise ToolError(
                f"the face store in {folder} is in use by process {owner.get('pid', 'unknown')} since "
                f"{owner.get('since', 'some time')}; {way}"
            ) from error
        self._owner = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        self._write()

    def tell(self, url: str) -> None:
        """Let others know where the folder is shared."""
        self._owner["url"] = url
        self._write()

    def _write(self) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(self._owner).encode(), 0)

    def release(self) -> None:
        """Give the folder back; harmless when done twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _read(file: int) -> dict[str, object]:
    try:
        owner = json.loads(os.pread(file, 4096, 0))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}
