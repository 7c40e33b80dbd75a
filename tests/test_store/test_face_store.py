"""The store keeps, finds, filters and forgets faces; one process at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facegpt_model.face import FaceEstimate
from tools.errors import ToolError
from tools.store.chroma import WHOLE
from tools.store.face_store import FaceStore
from tools.store.filters import FaceFilter
from tools.store.opening import open_store, rebuild
from tools.store.records import NewFace, checked_tags, source_of
from tools.store.regions import PARTS
from tools.studio import open_studio
from tools.workspace import Workspace

Make = Callable[..., NewFace]


def test_a_face_is_its_own_nearest_and_comes_back_whole(store: FaceStore, new_face: Make) -> None:
    face = new_face(7)
    hits = store.query(face.code, 3)
    assert hits[0].distance == 0 and hits[1].distance > 0.3
    kept = store.get(hits[0].face.id)
    assert torch.equal(kept.code.identity, face.code.identity)
    assert torch.equal(kept.code.appearance, face.code.appearance)
    assert kept.facts == replace(face.facts, tags=("odd",), added=kept.facts.added)


def test_an_expression_does_not_hide_a_face(store: FaceStore, new_face: Make) -> None:
    face = new_face(7)
    smiling = replace(face.code, expression=torch.full_like(face.code.expression, 0.5))
    assert store.query(smiling, 1)[0].face.id == store.query(face.code, 1)[0].face.id


def test_filters_answer_as_a_loop_over_all_faces(store: FaceStore, new_face: Make) -> None:
    wanted = FaceFilter(looks="man", min_age=30, tags=("even",))
    everybody = [store.get(known) for known in store.ids()]
    fit = {
        face.id
        for face in everybody
        if face.facts.looks == "man" and face.facts.years >= 30 and "even" in face.facts.tags
    }
    assert 0 < len(fit) < 30
    assert set(store.ids(wanted)) == fit
    query = new_face(35).code
    nearest = min(
        fit, key=lambda known: store.query(store.get(known).code, 1) and _apart(store, known, query)
    )
    assert store.query(query, 1, wanted)[0].face.id == nearest
    assert store.query(query, 30, wanted)[-1].face.id in fit
    assert not store.query(query, 5, FaceFilter(tags=("nobody",)))
    with pytest.raises(ToolError, match="must be smaller"):
        store.ids(FaceFilter(min_age=50, max_age=40))


def _apart(store: FaceStore, known: str, query: object) -> float:
    counted = store.calibration.counted
    return float(np.linalg.norm((store.vector(store.get(known).code) - store.vector(query))[counted]))


def test_this_nose_any_jaw(store: FaceStore, new_face: Make) -> None:
    nose, eyes = new_face(3).code, new_face(9).code
    hits = store.query_parts({"nose": nose}, 30)
    assert hits[0].distance < 1e-5 and torch.equal(hits[0].face.code.identity, nose.identity)
    both = store.query_parts({"nose": nose, "eyes": eyes}, 30)
    far = {hit.face.id: hit.distance for hit in both}
    assert min(far.values()) > 0.05  # nobody has this nose and those eyes
    with pytest.raises(ToolError, match="name parts of eyes"):
        store.query_parts({"chin": nose})


def test_part_query_looks_at_nothing_but_the_part(store: FaceStore, new_face: Make) -> None:
    nose = new_face(3).code
    rows = store.calibration.parts["nose"].rows[:, : nose.identity.shape[1]]
    generator = torch.Generator().manual_seed(0)
    other = torch.randn(nose.identity.shape, generator=generator)
    basis = torch.from_numpy(rows)
    changed = nose.identity + other - (other @ basis.T) @ basis  # all but the nose is somebody else's
    hits = store.query_parts({"nose": replace(nose, identity=changed)}, 1)
    assert torch.equal(hits[0].face.code.identity, nose.identity)


def test_the_same_numbers_are_one_face_per_case(store: FaceStore, new_face: Make) -> None:
    again = store.add([new_face(2, "k-1", ("new",)), new_face(2), new_face(2), new_face(31)])
    assert again.fresh == (False, True, False, True)
    assert len(store) == 32 and again.ids[1] == again.ids[2] != again.ids[0]


@pytest.mark.usefixtures("numbers_only")
def test_a_face_and_its_file_are_the_same_face(store: FaceStore, new_face: Make, tmp_path: Path) -> None:
    studio = open_studio()
    rough = replace(new_face(34).code, identity=new_face(34).code.identity + 1e-7)
    workspace = Workspace(tmp_path / "case", studio)
    made = workspace.add(FaceEstimate(rough, None, "text:x", "m@1"), made_by={})
    kept = store.add([replace(new_face(34), code=rough)])
    again = store.add([replace(new_face(34), code=made.estimate.code)])
    assert kept.fresh == (True,) and again.fresh == (False,)
    brought = Workspace(tmp_path / "other", studio).add(store.get(kept.ids[0]).estimate(), made_by={})
    assert torch.equal(brought.estimate.code.identity, made.estimate.code.identity)


def test_deleting_a_face_and_a_case(store: FaceStore, new_face: Make) -> None:
    hit = store.query(new_face(12).code, 1)[0]
    store.delete([hit.face.id])
    assert store.query(new_face(12).code, 1)[0].distance > 0.3
    with pytest.raises(ToolError, match="holds no face"):
        store.get(hit.face.id)
    assert store.delete_case("k-1") == 5
    assert len(store) == 24 and "k-1" not in store.known("case")
    for name in (WHOLE, *PARTS):
        assert store._collections.count(name) == 24
    with pytest.raises(ToolError, match="no face of case 'k-1'; cases it knows: none"):
        store.delete_case("k-1")


def test_hnsw_finds_what_the_scan_finds_in_a_small_store(store: FaceStore, new_face: Make) -> None:
    exact = [hit.face.id for hit in store.query(new_face(33).code, 5)]
    parts = [hit.face.id for hit in store.query_parts({"mouth": new_face(33).code}, 5)]
    store.exact_limit = 0
    assert [hit.face.id for hit in store.query(new_face(33).code, 5)] == exact
    assert [hit.face.id for hit in store.query_parts({"mouth": new_face(33).code}, 5)] == parts


def test_a_second_opener_is_told_who_has_the_folder(store: FaceStore) -> None:
    with pytest.raises(ToolError, match=r"in use by process \d+ since .*facegpt store serve"):
        open_store(store.folder, open_studio())


def test_faces_of_another_head_model_are_refused(store: FaceStore, new_face: Make) -> None:
    foreign = replace(new_face(0).code, basis="ict-face@1")
    with pytest.raises(ToolError, match="convert"):
        store.query(foreign)
    broken = replace(new_face(0).code, identity=torch.full((1, 150), torch.nan))
    with pytest.raises(ToolError, match="not finite"):
        store.add([replace(new_face(0), code=broken)])


@pytest.mark.parametrize("changed", ["basis", "calibration"])
def test_a_store_of_another_calibration_is_not_opened(tmp_path: Path, changed: str, new_face: Make) -> None:
    with open_store(tmp_path, open_studio()) as store:
        store.add([new_face(0)])
        collection = store._collections._by_name[WHOLE]
        collection.modify(metadata=dict(collection.metadata) | {changed: "other@1"})
    with pytest.raises(ToolError, match="other@1"):
        open_store(tmp_path, open_studio())
    if changed == "calibration":
        assert rebuild(tmp_path, open_studio()) == 1
        with open_store(tmp_path, open_studio()) as store:
            assert store.query(new_face(0).code, 1)[0].distance == 0


def test_labels_hold_no_names(store: FaceStore, new_face: Make) -> None:
    for label in ("John Smith", "Müller", "", "x" * 41):
        with pytest.raises(ToolError, match="nobody's name"):
            checked_tags([label])
    kept = {key for metadata in store._sidecar.metadata for key in metadata}
    assert not kept & {"name", "person", "file", "path"}


def test_words_of_witnesses_and_file_names_stay_out(estimate: Callable[..., object]) -> None:
    kind, origin = source_of(estimate(0, source="text:Bob from the bakery"))  # type: ignore[arg-type]
    assert kind == "text" and "Bob" not in origin and len(origin) == 5 + 64
