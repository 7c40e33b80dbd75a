"""Exact search in the rows of a sidecar: by whole faces, by parts, by readings.

Rows and distances come back nearest first; equal distances in order of row. Distances are
shares of what two random people are apart: 0 is the same, 1 like two random people.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tools.store.exact import Array, Ids
from tools.store.filters import Mask
from tools.store.sidecar import Sidecar
from tools.store.vectors import Calibration

FAR_TARGET = 2.5  # standard deviations of the stored faces
LEAST_SPREAD = 1e-6  # below it all stored faces are alike in a reading


class Search:
    """What can be asked of a sidecar's rows; holds the part vectors of all rows once they were asked for."""

    def __init__(self, sidecar: Sidecar, calibration: Calibration) -> None:
        self._sidecar = sidecar
        self._calibration = calibration
        self._parts: dict[str, Array] = {}

    def forget(self) -> None:
        """Rows left or changed places: part vectors are made again when next asked for."""
        self._parts.clear()

    def whole(self, vector: Array, k: int, mask: Mask | None, among: Ids | None = None) -> tuple[Ids, Array]:
        """The k rows nearest to a (D,) vector; `among` some rows only, then the mask is not looked at."""
        index = self._sidecar.index
        if among is None:
            rows, distances = index.search(vector, k, mask)
        else:
            rows, distances = _nearest(among, index.distances(vector, among), k)
        return rows, distances / np.float32(self._calibration.typical)

    def parts(self, queries: Mapping[str, Array], k: int, rows: Ids) -> tuple[Ids, Array]:
        """The k of some rows whose parts are nearest to part -> (k,) part vectors, taken together."""
        squares = np.zeros(len(rows), np.float32)
        for part, query in queries.items():
            difference = self._part_rows(part)[rows] - query
            squares += np.einsum("nk,nk->n", difference, difference)
        typical = np.float32(np.sqrt(2 * sum(len(query) for query in queries.values())))
        return _nearest(rows, (np.sqrt(squares) / typical).astype(np.float32), k)

    def readings(self, readers: Array, targets: Array, k: int, rows: Ids) -> tuple[Ids, Array, Array]:
        """The k of some rows whose (m, D) linear readings come nearest to (m,) targets.

        Each reading is measured in standard deviations of all stored faces; a target beyond
        FAR_TARGET of them counts as that far. Third, (k, m) standard deviations above the target.
        """
        if not len(rows):
            return rows, np.empty(0, np.float32), np.empty((0, len(targets)), np.float32)
        values = self._sidecar.index.rows @ (readers / self._calibration.scale).T.astype(np.float32)
        middle, spread = values.mean(0), values.std(0)
        spread[spread < LEAST_SPREAD] = 1.0
        goals = np.clip((targets - middle) / spread, -FAR_TARGET, FAR_TARGET)
        apart = (values[rows] - middle) / spread - goals
        distances = np.sqrt(np.square(apart).mean(1) / 2).astype(np.float32)
        near, distances = _nearest(np.arange(len(rows)), distances, k)
        return rows[near], distances, apart[near]

    def _part_rows(self, part: str) -> Array:
        """(n, k) vectors of a part of all rows, extended when rows came."""
        rows = self._sidecar.index.rows
        have = self._parts.get(part)
        if have is None:
            have = self._calibration.part_vectors(rows, part)
        elif len(have) < len(rows):
            have = np.concatenate([have, self._calibration.part_vectors(rows[len(have) :], part)])
        self._parts[part] = have
        return have


def _nearest(rows: Ids, distances: Array, k: int) -> tuple[Ids, Array]:
    k = min(k, len(rows))
    if k < 1:
        return rows[:0], distances[:0]
    some = np.argpartition(distances, k - 1)[:k]
    some = some[np.lexsort((rows[some], distances[some]))]
    return rows[some], distances[some]
