"""FaceStore: faces kept by what they look like, found again by shape.

Chroma holds the truth, the sidecar answers. Up to EXACT_LIMIT faces, and whenever a filter
is set, answers are exact; beyond it whole faces and single parts are found by Chroma's HNSW
index and put in order exactly. Answers are about similar shape; nobody is identified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType

import numpy as np

from facegpt_model import layout
from facegpt_model.face import FaceCode, FaceEstimate
from tools.errors import ToolError
from tools.store.agreement import agree
from tools.store.chroma import WHOLE, Collections
from tools.store.exact import Ids
from tools.store.filters import FaceFilter, Mask
from tools.store.lock import OwnerLock
from tools.store.records import FaceFacts, NewFace, StoredFace, checked_label, checked_tags, face_id
from tools.store.regions import PARTS
from tools.store.search import Search
from tools.store.sidecar import Sidecar
from tools.store.vectors import Array, Calibration
from tools.writing import ensure_folder

EXACT_LIMIT = 200_000  # faces up to which every answer is exact
OVERSAMPLING = 20  # times k rows asked of HNSW, put in order exactly afterwards
MOST_HITS = 200
WRITING = "writing"  # a file that stands in the folder while it may be half written
EVERYBODY = FaceFilter()

Report = Callable[[str], None]  # one sentence about something put right


@dataclass(frozen=True)
class Added:
    """What became of faces given to the store, in their order.

    ids: of every face, new or already there; fresh: whether it was new
    """

    ids: tuple[str, ...]
    fresh: tuple[bool, ...]


@dataclass(frozen=True)
class Hit:
    """A stored face and how far it is: 0 is the same shape, 1 like two random people."""

    face: StoredFace
    distance: float


class FaceStore:
    """An open store; close it, or use it in a with statement. Made by opening.py.

    Threads may share it: they take turns. Processes may not, see lock.py.
    """

    def __init__(
        self,
        collections: Collections,
        sidecar_folder: Path,
        calibration: Calibration,
        lock: OwnerLock,
        shared: bool,
        report: Report,
        exact_limit: int = EXACT_LIMIT,
    ) -> None:
        """shared: other processes may write too, so look for changes before every answer."""
        self.calibration = calibration
        self.folder = sidecar_folder.parent
        self.exact_limit = exact_limit
        self._collections = collections
        self._marker = sidecar_folder / WRITING
        self._sidecar = Sidecar(ensure_folder(sidecar_folder), calibration.dimension, calibration.counted)
        self._search = Search(self._sidecar, calibration)
        self._lock = lock
        self._shared = shared
        self._report = report
        self._revision = ""
        self._turn = RLock()
        self._agree(thorough=self._marker.exists())

    def __enter__(self) -> FaceStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._sidecar.ids)

    def close(self) -> None:
        """Give the folder back."""
        with suppress(OSError):
            self._marker.unlink(missing_ok=True)
        self._collections.close()
        self._lock.release()

    # --- writing

    def add(self, faces: Sequence[NewFace]) -> Added:
        """Store faces; when this returns they are on disk. The same numbers in the same case are one face.

        Raises ToolError for a code of another head model, a bad tag or a bad case.
        """
        with self._turn:
            self._refresh()
            vectors = [self._recorded(face.code) for face in faces]
            now = datetime.now(UTC).isoformat(timespec="seconds")
            facts = [_checked(face.facts, now) for face in faces]
            ids = [face_id(vector, fact.case) for vector, fact in zip(vectors, facts, strict=True)]
            fresh = [
                known not in self._sidecar.row_of and known not in ids[:place]
                for place, known in enumerate(ids)
            ]
            chosen = [place for place, new in enumerate(fresh) if new]
            if chosen:
                names = [ids[place] for place in chosen]
                rows = np.stack([vectors[place] for place in chosen])
                metadata = [facts[place].metadata() for place in chosen]
                self._begin_writing()
                self._collections.add(WHOLE, names, rows, metadata)
                for part in PARTS:
                    self._collections.add(part, names, self.calibration.part_vectors(rows, part))
                self._sidecar.append(names, rows, metadata)
                self._written()
            return Added(tuple(ids), tuple(fresh))

    def delete(self, ids: Sequence[str]) -> int:
        """Delete faces for good, pictures included; ToolError if one is not there, then none is deleted."""
        with self._turn:
            self._refresh()
            for known in ids:
                self._row(known)
            self._begin_writing()
            for name in (WHOLE, *PARTS):
                self._collections.delete(name, ids)
            gone = self._sidecar.drop(ids)
            self._search.forget()
            for known in ids:
                self.thumbnail(known).unlink(missing_ok=True)
            self._written()
            return gone

    def delete_case(self, case: str) -> int:
        """Delete all faces of a case; ToolError if it has none."""
        ids = self.ids(FaceFilter(case=checked_label(case, "the case")))
        if not ids:
            known = ", ".join(self.known("case")) or "none"
            raise ToolError(f"the store holds no face of case {case!r}; cases it knows: {known}")
        return self.delete(ids)

    # --- reading

    def get(self, known: str) -> StoredFace:
        """One face; ToolError for an id that is not there."""
        with self._turn:
            self._refresh()
            return self._face(self._row(known))

    def ids(self, wanted: FaceFilter = EVERYBODY) -> list[str]:
        """Ids of all faces that fit, oldest first."""
        with self._turn:
            self._refresh()
            mask = self._mask(wanted)
            return [known for row, known in enumerate(self._sidecar.ids) if mask is None or mask[row]]

    def origins(self, case: str = "") -> set[str]:
        """The origins of a case's faces: what an import need not do again."""
        with self._turn:
            self._refresh()
            return {
                str(fields["origin"])
                for fields in self._sidecar.metadata
                if fields.get("origin") and fields.get("case", "") == case
            }

    def known(self, field: str) -> tuple[str, ...]:
        """Words that occur in "source", "looks", "expression", "case" or "tags"."""
        return tuple(word for word, count in self._sidecar.columns.counts(field).items() if count)

    def counts(self, field: str) -> dict[str, int]:
        """How many faces have each word of a field."""
        with self._turn:
            self._refresh()
            return self._sidecar.columns.counts(field)

    def vector(self, code: FaceCode) -> Array:
        """(D,) of the one face of `code`; ToolError for another head model's code or a bad number."""
        if code.basis != self.calibration.layout.basis:
            raise ToolError(
                f"the store holds faces of {self.calibration.layout.basis}, this one is of {code.basis}; "
                "bring it over first: facegpt convert FACE.json --to openhead"
            )
        vector: Array = self.calibration.vectors(code)[0]
        if not np.isfinite(vector).all():
            raise ToolError("this face holds a number that is not finite, so it cannot be stored or compared")
        return vector

    def query(self, code: FaceCode, k: int = 10, wanted: FaceFilter = EVERYBODY) -> list[Hit]:
        """The k stored faces of most similar shape, colour, hair and beard, whatever their expression."""
        with self._turn:
            self._refresh()
            vector, mask = self.vector(code), self._mask(wanted)
            among = self._shortlist(WHOLE, vector, _checked_count(k), mask)
            return self._hits(*self._search.whole(vector, k, mask, among))

    def query_parts(
        self, targets: Mapping[str, FaceCode], k: int = 10, wanted: FaceFilter = EVERYBODY
    ) -> list[Hit]:
        """The k faces whose named parts are most like those of the given faces; all else is free.

        targets: part -> the face whose part is meant, such as {"nose": a, "eyes": b}.
        Raises ToolError for an unknown part or none.
        """
        if not targets or set(targets) - set(PARTS):
            raise ToolError(f"name parts of {', '.join(PARTS)}, not {', '.join(targets) or 'none'}")
        with self._turn:
            self._refresh()
            mask = self._mask(wanted)
            queries = {
                part: self.calibration.part_vectors(self.vector(code)[None], part)[0]
                for part, code in targets.items()
            }
            rows = None
            if len(queries) == 1:
                part, query = next(iter(queries.items()))
                rows = self._shortlist(part, query, _checked_count(k), mask)
            if rows is None:
                rows = self._rows(mask)
            return self._hits(*self._search.parts(queries, _checked_count(k), rows))

    def query_readings(
        self, readers: Array, targets: Array, k: int = 10, wanted: FaceFilter = EVERYBODY
    ) -> tuple[list[Hit], Array]:
        """The k faces in which linear readings of the flat code come nearest to targets; all else is free.

        readers: (m, D), such as how sliders are read; targets: (m,). Also returns (k, m), by how
        many standard deviations of the stored faces each hit has more than asked.
        """
        with self._turn:
            self._refresh()
            rows = self._rows(self._mask(wanted))
            rows, distances, apart = self._search.readings(readers, targets, _checked_count(k), rows)
            return self._hits(rows, distances), apart

    def thumbnail(self, known: str) -> Path:
        """Where the picture of a face is kept once it was drawn."""
        return self.folder / "thumbnails" / f"{known}.png"

    # --- inside

    def _recorded(self, code: FaceCode) -> Array:
        """The vector of a code as face-N.json holds it, so that a face and its file are the same face."""
        self.vector(code)  # refuses what no record could hold
        estimate = layout.from_record(layout.to_record(FaceEstimate(code, None, "", "")))
        return self.vector(estimate.code)

    def _shortlist(self, name: str, vector: Array, k: int, mask: Mask | None) -> Ids | None:
        """Rows HNSW proposes in a large store without filters, None where all rows are to be measured."""
        if mask is not None or len(self) <= self.exact_limit:
            return None
        ids = self._collections.nearest(name, vector, min(OVERSAMPLING * k, len(self)))
        return np.array([self._sidecar.row_of[known] for known in ids if known in self._sidecar.row_of])

    def _rows(self, mask: Mask | None) -> Ids:
        return np.arange(len(self)) if mask is None else np.flatnonzero(mask)

    def _mask(self, wanted: FaceFilter) -> Mask | None:
        return self._sidecar.columns.mask(wanted)

    def _hits(self, rows: Ids, distances: Array) -> list[Hit]:
        return [Hit(self._face(int(row)), float(far)) for row, far in zip(rows, distances, strict=True)]

    def _face(self, row: int) -> StoredFace:
        vectors = self._sidecar.index.rows[row : row + 1]
        facts = FaceFacts.of(self._sidecar.metadata[row])
        return StoredFace(self._sidecar.ids[row], self.calibration.code(vectors), facts)

    def _row(self, known: str) -> int:
        if known not in self._sidecar.row_of:
            raise ToolError(f"the store holds no face {known!r}; ids look like f0123456789abcdef")
        return self._sidecar.row_of[known]

    def _agree(self, thorough: bool) -> None:
        """Make sidecar and part collections agree with Chroma's whole faces; repairs are told."""
        self._revision = self._collections.revision if self._shared else ""
        told = agree(self._collections, self._sidecar, self.calibration, thorough)
        self._search.forget()
        for sentence in [] if self._shared else told:  # other processes' writing is no damage
            self._report(sentence)

    def _begin_writing(self) -> None:
        self._marker.touch()

    def _written(self) -> None:
        if self._shared:
            self._collections.touch()
            self._revision = self._collections.revision

    def _refresh(self) -> None:
        if self._shared and self._collections.revision != self._revision:
            self._agree(thorough=True)


def _checked(facts: FaceFacts, now: str) -> FaceFacts:
    case = checked_label(facts.case, "the case") if facts.case else ""
    return replace(facts, tags=checked_tags(facts.tags), case=case, added=facts.added or now)


def _checked_count(k: int) -> int:
    if not 1 <= k <= MOST_HITS:
        raise ToolError(f"ask for 1 to {MOST_HITS} faces, not {k}")
    return k
