"""What people set on a page of a conversation, such as locked sliders: kept with it, not in a tab.

A small file in the conversation's folder, so that a reload, a second tab and a restart find it. It is
no part of the case: what becomes of it (a face drawn with sliders locked) stands in the journal.
"""

from __future__ import annotations

import json
from pathlib import Path

from tools.writing import exclusive, write_text

FILE = ".page.json"


def kept(folder: Path, what: str) -> list[str]:
    """The names kept under `what`, none before the first."""
    found = _read(folder).get(what, [])
    return [str(one) for one in found] if isinstance(found, list) else []


def keep(folder: Path, what: str, names: list[str]) -> None:
    """Keep these names in place of those before."""
    if names == kept(folder, what):
        return
    with exclusive(folder):
        write_text(folder / FILE, json.dumps({**_read(folder), what: names}))


def _read(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
