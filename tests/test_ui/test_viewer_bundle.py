"""The committed viewer bundle is the one its sources make, small, licensed, and asks nobody for anything."""

from __future__ import annotations

import re
from pathlib import Path

import ui.viewer
from ui.viewer import SOURCES, bundle, fingerprint

FOLDER = Path(ui.viewer.__file__).parent


def test_the_bundle_is_built_from_these_sources() -> None:
    first = bundle().splitlines()[0]
    assert f"sources {fingerprint()};" in first, "run scripts/build_viewer.sh after a change in ui/viewer"
    assert sorted(path.name for path in (FOLDER / "src").glob("*.js")) == sorted(SOURCES)


def test_the_bundle_is_small_and_names_no_other_machine() -> None:
    text = bundle()
    assert len(text.encode()) <= 700_000
    assert set(re.findall(r"https?://[\w./-]+", text)) <= {"http://www.w3.org/1999/xhtml"}
    assert re.search(r"export\{.*\bas default\b.*\bas mount\b.*\}", text)


def test_the_licence_of_three_is_beside_it() -> None:
    licence = (FOLDER / "THREE-LICENSE.txt").read_text(encoding="utf-8")
    assert "The MIT License" in licence and "three.js authors" in licence
    assert "three.js" in (FOLDER.parents[1] / "NOTICE").read_text(encoding="utf-8")
