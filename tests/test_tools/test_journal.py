"""The journal is a chain: any change to what was written shows, and it can be continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.journal import Journal, JournalBroken


def filled(path: Path, count: int = 4) -> Journal:
    journal = Journal(path / "journal.jsonl")
    for number in range(count):
        journal.append("said", {"text": f"line {number} – ä\u2028\u0085"})
    return journal


def test_lines_come_back_in_order_with_a_chain(tmp_path: Path) -> None:
    entries = filled(tmp_path).entries()
    assert [entry.n for entry in entries] == [1, 2, 3, 4]
    assert [entry.previous for entry in entries[1:]] == [entry.sha256 for entry in entries[:-1]]
    assert entries[2].data == {"text": "line 2 – ä\u2028\u0085"}


def test_a_reopened_journal_goes_on(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    assert filled(tmp_path, 2).verify() == 4


def change_text(lines: list[str]) -> list[str]:
    return [lines[0], lines[1].replace("line 1", "line 9"), *lines[2:]]


def remove_one(lines: list[str]) -> list[str]:
    return [lines[0], *lines[2:]]


def swap_two(lines: list[str]) -> list[str]:
    return [lines[0], lines[2], lines[1], lines[3]]


def add_a_field(lines: list[str]) -> list[str]:
    return [lines[0], json.dumps({**json.loads(lines[1]), "extra": 1}), *lines[2:]]


def write_nonsense(lines: list[str]) -> list[str]:
    return [lines[0], "[1, 2]", *lines[2:]]


@pytest.mark.parametrize("tamper", [change_text, remove_one, swap_two, add_a_field, write_nonsense])
def test_tampering_is_found_at_its_line(tmp_path: Path, tamper: Callable[[list[str]], list[str]]) -> None:
    journal = filled(tmp_path)
    lines = journal.path.read_text(encoding="utf-8").split("\n")[:-1]
    journal.path.write_text("\n".join(tamper(lines)) + "\n", encoding="utf-8")
    with pytest.raises(JournalBroken, match="line 2"):
        journal.verify()


def test_a_forged_line_with_its_own_digest_breaks_the_next_link(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    other = Journal(tmp_path / "other.jsonl")
    for text in ("line 0", "something else"):
        other.append("said", {"text": text})
    lines = journal.path.read_text(encoding="utf-8").split("\n")[:-1]
    lines[1] = other.path.read_text(encoding="utf-8").split("\n")[1]
    journal.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(JournalBroken):
        journal.verify()


def test_a_cut_off_last_line_is_told_and_not_written_over(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-9])
    with pytest.raises(JournalBroken, match="line 4 is cut off"):
        journal.append("said", {})
    assert journal.path.read_bytes() == content[:-9]


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=20), max_size=4))
def test_any_data_survives(tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]) -> None:
    journal = Journal(tmp_path_factory.mktemp("case") / "journal.jsonl")
    journal.append("note", data)
    assert journal.entries()[0].data == data
