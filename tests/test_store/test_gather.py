"""Import and export: what goes out comes in again, doing it twice changes nothing, failures are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from facegpt_model.face import FaceEstimate
from tools.errors import ToolError
from tools.store.face_store import FaceStore
from tools.store.filters import FaceFilter
from tools.store.gallery import fill
from tools.store.gather import export_all, import_all, sources_in
from tools.store.opening import open_store
from tools.studio import open_studio
from tools.workspace import Workspace

STUDIO = open_studio()
pytestmark = pytest.mark.usefixtures("numbers_only")


def test_an_export_comes_back_with_everything(store: FaceStore, tmp_path: Path) -> None:
    path = tmp_path / "out" / "all.jsonl"
    assert export_all(store, path) == 30
    with open_store(tmp_path / "second", STUDIO) as second:
        assert [row.state for row in import_all(second, STUDIO, [path])] == ["new"] * 30
        assert second.ids() == store.ids()
        for known in store.ids():
            assert second.get(known).facts == store.get(known).facts
            assert torch.equal(second.get(known).code.identity, store.get(known).code.identity)
        assert [row.state for row in import_all(second, STUDIO, [path])] == ["there"] * 30
        rows = import_all(second, STUDIO, [path], case="k-9", tags=("copy",))
        assert {row.state for row in rows} == {"new"}  # the same faces in another case
        assert len(second.ids(FaceFilter(case="k-9", tags=("copy",)))) == 30


def test_a_case_is_imported_by_its_face_files(
    store: FaceStore, case: Path, estimate: Callable[..., FaceEstimate]
) -> None:
    workspace = Workspace(case)
    for seed in (1, 2):
        workspace.add(estimate(seed), made_by={})
    Image.new("RGB", (8, 8)).save(case / "face-1.png")
    (case / "face-3.json").write_text("{}")
    sources = sources_in([case])
    assert [path.name for path in sources] == ["face-1.json", "face-2.json", "face-3.json"]
    rows = list(import_all(store, STUDIO, sources))
    assert [row.state for row in rows] == ["new", "new", "failed"]
    assert "format" in rows[2].note and len(store) == 32
    assert [row.state for row in import_all(store, STUDIO, sources)] == ["there", "there", "failed"]


def test_a_nearly_equal_face_is_told(store: FaceStore, case: Path, new_face: Callable[..., object]) -> None:
    code = store.get(store.ids()[8]).code
    workspace = Workspace(case)
    shifted = STUDIO.axes.shift(code, {"nose width": 0.02})
    workspace.add(FaceEstimate(shifted, None, "edit:face-1", "m@1"), made_by={})
    (row,) = import_all(store, STUDIO, sources_in([case]))
    assert row.state == "new" and row.note.startswith(f"nearly the same as {store.ids()[8]}")


def test_photos_are_fitted_once(store: FaceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "photos" / "John_Smith.png"
    picture.parent.mkdir()
    Image.new("RGB", (96, 96), (90, 80, 70)).save(picture)
    (tmp_path / "photos" / "notes.jpg").write_text("no picture")
    rows = list(import_all(store, STUDIO, sources_in([picture.parent])))
    assert [row.state for row in rows] == ["failed", "failed"]
    assert "face" in rows[0].note and "not a picture" in rows[1].note

    class Fit:
        estimate = FaceEstimate(STUDIO.axes.code({"nose width": 0.4}), None, "photo:x", "landmark-fit@1")

    fitted: list[str] = []
    monkeypatch.setattr("tools.store.gather.fit_photo", lambda *_: fitted.append("once") or Fit())
    for state in ("new", "there"):
        assert next(iter(import_all(store, STUDIO, [picture], case="k-3"))).state == state
    assert fitted == ["once"]
    kept = json.dumps(store._sidecar.metadata)
    assert "John" not in kept and "Smith" not in kept


def test_what_is_no_export_is_refused(store: FaceStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    path = tmp_path / "other.jsonl"
    path.write_text('{"kind": "something"}\n')
    (row,) = import_all(store, STUDIO, [path])
    assert row.state == "failed" and "no export of a face store" in row.note
    with pytest.raises(ToolError, match=r"end in \.jsonl"):
        export_all(store, tmp_path / "all.csv")
    with pytest.raises(ToolError, match=r"no photo, face-N\.json or export"):
        sources_in([tmp_path / "empty"])


def test_the_gallery_is_the_same_people_again(tmp_path: Path) -> None:
    with open_store(tmp_path, STUDIO) as store:
        assert fill(store, STUDIO, 6, 3, lambda doing, share: None) == 6
        assert fill(store, STUDIO, 6, 3, lambda doing, share: None) == 0
        assert store.known("tags") == ("demo",)
        assert store.get(store.ids()[0]).code.appearance.any()
