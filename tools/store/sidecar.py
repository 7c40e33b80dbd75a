"""The store's sidecar: every vector and its metadata in two append-only files, loaded whole.

vectors.f32 holds (n, D) float32 rows; rows.jsonl one line per row, written after the
vector it belongs to, so a row counts once its line is complete. Chroma is the truth; the
sidecar can always be rebuilt from it, and a cut-off end is simply dropped on opening.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from tools.store.exact import ExactIndex, Ids
from tools.store.filters import Columns
from tools.store.records import Metadata
from tools.store.vectors import Array
from tools.writing import write_bytes, write_text

VECTORS, ROWS = "vectors.f32", "rows.jsonl"


class Sidecar:
    """Rows of the store in memory, with their files.

    ids, metadata: by row; index: the vectors of whole faces; columns: what filters read
    """

    def __init__(self, folder: Path, dimension: int, counted: Ids) -> None:
        """Read the folder's files; what is cut off at their ends is dropped and overwritten later."""
        self.folder = folder
        self.dimension = dimension
        self.index = ExactIndex(dimension, counted)
        self.columns = Columns()
        self.ids: list[str] = []
        self.metadata: list[Metadata] = []
        self.row_of: dict[str, int] = {}
        self._read()

    def append(self, ids: Sequence[str], vectors: Array, metadata: Sequence[Metadata]) -> None:
        """Add rows, on disk first."""
        with (self.folder / VECTORS).open("ab") as file:
            file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())
        with (self.folder / ROWS).open("a", encoding="utf-8") as file:
            file.writelines(_line(*row) for row in zip(ids, metadata, strict=True))
            file.flush()
            os.fsync(file.fileno())
        self._take(ids, vectors, metadata)

    def drop(self, ids: Collection[str]) -> int:
        """Forget these ids and write the files anew without them; returns how many were there."""
        gone = set(ids) & self.row_of.keys()
        if not gone:
            return 0
        mask = np.array([known not in gone for known in self.ids])
        vectors = self.index.rows[mask].copy()
        kept = [row for row, stays in enumerate(mask) if stays]
        names = [self.ids[row] for row in kept]
        fields = [self.metadata[row] for row in kept]
        lines = "".join(_line(*row) for row in zip(names, fields, strict=True))
        # Rows go first: vectors without a line are dropped on opening, lines are checked by their count.
        write_text(self.folder / ROWS, "")
        write_bytes(self.folder / VECTORS, vectors.astype("<f4").tobytes())
        write_text(self.folder / ROWS, lines)
        self.index = ExactIndex(self.dimension, self.index.columns)
        self.columns = Columns()
        self.ids, self.metadata, self.row_of = [], [], {}
        self._take(names, vectors, fields)
        return len(gone)

    def _take(self, ids: Sequence[str], vectors: Array, metadata: Sequence[Metadata]) -> None:
        for row, known in enumerate(ids, start=len(self.ids)):
            self.row_of[known] = row
        self.ids += ids
        self.metadata += metadata
        self.index.add(np.asarray(vectors, np.float32).reshape(-1, self.dimension))
        self.columns.add(metadata)

    def _read(self) -> None:
        vectors_file, rows_file = self.folder / VECTORS, self.folder / ROWS
        ids: list[str] = []
        metadata: list[Metadata] = []
        length = 0
        content = rows_file.read_bytes() if rows_file.exists() else b""
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            if line.strip():
                try:
                    record = json.loads(line)
                    ids.append(str(record["id"]))
                    metadata.append(dict(record["facts"]))
                except (ValueError, KeyError, TypeError):
                    break
            length += len(line)
        row_bytes = 4 * self.dimension
        size = vectors_file.stat().st_size if vectors_file.exists() else 0
        if size // row_bytes < len(ids):  # cannot tell which: Chroma will fill all in again
            ids, metadata, length = [], [], 0
        if length != len(content):
            os.truncate(rows_file, length)
        if size != len(ids) * row_bytes:
            os.truncate(vectors_file, len(ids) * row_bytes)
        if ids:
            vectors = np.fromfile(vectors_file, "<f4").reshape(-1, self.dimension)
            self._take(ids, vectors, metadata)


def _line(known: str, facts: Metadata) -> str:
    return json.dumps({"id": known, "facts": facts}, separators=(",", ":")) + "\n"
