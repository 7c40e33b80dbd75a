"""Faces into the store and out of it: photos, face-N.json files, and exports of other stores.

An import can be stopped at any time and started again: what is stored already is skipped,
photos by the digest of their file, so they are not fitted twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from facegpt_model.fitting.photo import fit_photo
from facegpt_model.layout import BadRecord, from_record, to_record
from facegpt_model.perception.analyse import NoFace
from tools.errors import ToolError
from tools.face_files import read_face
from tools.reconstruct import PHOTO_SUFFIXES, checked_photo
from tools.store.estimates import facts_of
from tools.store.face_store import EVERYBODY, FaceStore
from tools.store.filters import FaceFilter
from tools.store.records import FaceFacts, NewFace
from tools.studio import Studio
from tools.workspace import FACE_FILE
from tools.writing import ensure_folder, write_through

FORMAT, KIND = 1, "facegpt-faces"
NEARLY_SAME = 0.1  # distance under which a face is told to be nearly another one
BATCH = 200  # faces of an export stored at a time

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Imported:
    """What became of one source: a file, or one line of an export.

    state: "new", "there" for exactly the same face in the same case, or "failed"
    note:  why it failed, or which stored face it is nearly the same as
    """

    source: Path
    state: Literal["new", "there", "failed"]
    id: str = ""
    note: str = ""


def sources_in(paths: Sequence[Path]) -> list[Path]:
    """Files to import, folders replaced by what is in them; ToolError for a folder without faces.

    A folder with face-N.json files, such as a case, gives those; its pictures show the same
    faces. Any other folder gives its photos and its exports (.jsonl).
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.is_file():
                raise ToolError(f"there is no file {path}")
            found.append(path)
            continue
        inside = sorted(entry for entry in path.iterdir() if entry.is_file())
        faces = [entry for entry in inside if FACE_FILE.match(entry.name)]
        others = [entry for entry in inside if entry.suffix.lower() in (*PHOTO_SUFFIXES, ".jsonl")]
        others = [entry for entry in others if entry.name != "journal.jsonl"]
        if not faces and not others:
            raise ToolError(f"there is no photo, face-N.json or export (.jsonl) in {path}")
        found += faces or others
    return found


def import_all(
    store: FaceStore,
    studio: Studio,
    sources: Sequence[Path],
    case: str = "",
    tags: tuple[str, ...] = (),
    report: Report = lambda _, __: None,
) -> Iterator[Imported]:
    """Store the faces of these files one by one; a file that fails does not stop the others."""
    for number, path in enumerate(sources):
        report(f"importing {path.name}", number / len(sources))
        try:
            if path.suffix.lower() == ".jsonl":
                yield from _import_export(store, studio, path, case, tags)
            elif path.suffix.lower() == ".json":
                face = read_face(path, studio)
                facts = facts_of(face.estimate, studio, face.speculative, case, tags)
                yield _keep(store, path, NewFace(face.estimate.code, facts))
            else:
                yield _import_photo(store, studio, path, case, tags)
        except ToolError as error:
            yield Imported(path, "failed", note=str(error))


def export_all(store: FaceStore, path: Path, wanted: FaceFilter = EVERYBODY) -> int:
    """Write all faces that fit as lines of JSON; returns how many. ToolError for none or another suffix."""
    if path.suffix != ".jsonl":
        raise ToolError(f"cannot export to {path.name!r}; let the name end in .jsonl")
    ids = store.ids(wanted)
    if not ids:
        raise ToolError(f"no stored face fits {wanted.words()}" if len(store) else "the face store is empty")
    head = {"kind": KIND, "format": FORMAT, "basis": store.calibration.layout.basis, "count": len(ids)}

    def write(stand_in: Path) -> None:
        with stand_in.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head) + "\n")
            for known in ids:
                face = store.get(known)
                line = {"facts": face.facts.metadata(), "face": to_record(face.estimate())}
                file.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")

    ensure_folder(path.parent)
    write_through(path, write)
    return len(ids)


def _keep(store: FaceStore, source: Path, face: NewFace) -> Imported:
    near = store.query(face.code, 1) if len(store) else []
    added = store.add([face])
    note = ""
    if added.fresh[0] and near and near[0].distance < NEARLY_SAME:
        note = f"nearly the same as {near[0].face.id} (distance {near[0].distance:.2f})"
    return Imported(source, "new" if added.fresh[0] else "there", added.ids[0], note)


def _import_photo(store: FaceStore, studio: Studio, path: Path, case: str, tags: tuple[str, ...]) -> Imported:
    try:
        origin = f"photo:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        raise ToolError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if origin in store.origins(case):
        return Imported(path, "there", note="this photo was imported before")
    try:
        fit = fit_photo(checked_photo(path), None, path.name)
    except NoFace as error:
        raise ToolError(str(error)) from error
    facts = replace(facts_of(fit.estimate, studio, False, case, tags), origin=origin)
    return _keep(store, path, NewFace(fit.estimate.code, facts))


def _import_export(
    store: FaceStore, studio: Studio, path: Path, case: str, tags: tuple[str, ...]
) -> Iterator[Imported]:
    batch: list[NewFace] = []
    with path.open(encoding="utf-8") as file:
        try:
            head = json.loads(file.readline())
            known = head.get("kind") == KIND and head.get("format") == FORMAT
        except (ValueError, AttributeError):
            known = False
        if not known:
            raise ToolError(f"{path} is no export of a face store; its first line does not say so")
        for number, line in enumerate(file, start=2):
            batch.append(_line_face(studio, path, number, line, case, tags))
            if len(batch) == BATCH:
                yield from _keep_batch(store, path, batch)
                batch = []
    yield from _keep_batch(store, path, batch)


def _keep_batch(store: FaceStore, path: Path, batch: Sequence[NewFace]) -> Iterator[Imported]:
    if batch:
        added = store.add(batch)
        for known, fresh in zip(added.ids, added.fresh, strict=True):
            yield Imported(path, "new" if fresh else "there", known)


def _line_face(
    studio: Studio, path: Path, number: int, line: str, case: str, tags: tuple[str, ...]
) -> NewFace:
    try:
        record: dict[str, Any] = json.loads(line)
        facts = FaceFacts.of(record["facts"])
        code = from_record(record["face"]).code
    except (BadRecord, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{path}: line {number} holds no face ({error})") from error
    studio.require_basis(code, f"{path}: line {number}")
    return NewFace(code, replace(facts, case=case or facts.case, tags=(*facts.tags, *tags)))
