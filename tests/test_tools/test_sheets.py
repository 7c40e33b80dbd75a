"""Sheets of faces: every one is labelled with what it shows, and the same seed gives the same people."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from tools import sheets
from tools.errors import ToolError
from tools.studio import open_studio


def silent(doing: str, share: float) -> None:
    """Report nothing."""


def test_people_come_with_hair_and_stay_the_same_for_a_seed() -> None:
    head = sheets.open_head(open_studio())
    first, again, other = (sheets.people(head, 6, seed) for seed in (4, 4, 5))
    assert [tile.label for tile in first] == [tile.label for tile in again]
    assert torch.equal(first[2].code.identity, again[2].code.identity)
    assert not torch.equal(first[2].code.identity, other[2].code.identity)
    assert any(tile.code.appearance.any() for tile in first)
    assert all(tile.label.startswith(("man of ", "woman of ")) for tile in first)


def test_the_sheet_of_axes_shows_every_end_once() -> None:
    tiles = sheets.both_ends(open_studio().axes)
    labels = [tile.label for tile in tiles]
    assert len(set(labels)) == len(labels) > 200
    assert "a very broad nose" in labels and "a very narrow nose" in labels and "long hair" in labels


def test_expressions_and_tones_are_complete() -> None:
    studio = open_studio()
    assert len(sheets.expressions(sheets.open_head(studio))) == 52
    assert len(sheets.tones_by_age(studio.axes)) == len(sheets.TONES) * len(sheets.AGES)


@pytest.mark.usefixtures("small_pictures")
def test_a_sample_leaves_faces_and_one_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "TILE", 32)
    told: list[float] = []
    sheets.sample(2, 1, tmp_path, lambda doing, share: told.append(share))
    assert {"face-1.json", "face-2.png", "face-2.glb", "sheet.png"} <= {p.name for p in tmp_path.iterdir()}
    assert Image.open(tmp_path / "sheet.png").width == 64
    assert told == sorted(told) and told[-1] == 1.0


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"no sheet called 'ears'; known: all, mean"):
        sheets.sheet("ears", tmp_path, silent)
    with pytest.raises(ToolError, match="1 to 1000 people, not 0"):
        sheets.sample(0, 1, tmp_path, silent)
