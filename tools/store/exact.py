"""Exact nearest neighbours without an index: a scan over bytes, proven by the float32 rows.

Every row is kept as float32 and, rounded to steps of STEP, as one byte per number. The scan
reads the bytes (a fifth of the memory). Rounding moves a point by a known length, so the
triangle inequality gives each row a least and a greatest distance; only rows whose least
distance does not exceed the k-th greatest are measured in float32. The answer is exactly
that of a full float32 scan, filters included.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

STEP = 7.0 / 127.0  # standard deviations; codes beyond 7 are clipped, and their error is known too
UNSEEN = np.int32(2**31 - 1)
FARTHEST = 1000  # steps; a query number beyond it would overflow the sums
SLACK = 1e-3  # standard deviations, against rounding of the float32 sums themselves


class ExactIndex:
    """Growing rows of numbers, searched by Euclidean distance.

    columns: which numbers of a row count for the distance; the others are only kept
    """

    def __init__(self, dimension: int, columns: Ids | None = None) -> None:
        self.columns = np.arange(dimension) if columns is None else np.asarray(columns)
        self._rows: Array = np.empty((0, dimension), np.float32)
        self._bytes = np.empty((0, len(self.columns)), np.int8)
        self._errors: Array = np.empty(0, np.float32)
        self.count = 0

    @property
    def rows(self) -> Array:
        """(count, D) the rows as they were given; a view, do not write."""
        return self._rows[: self.count]

    def add(self, rows: Array) -> None:
        """Append (n, D) rows."""
        self._grow(self.count + len(rows))
        place = slice(self.count, self.count + len(rows))
        counted = rows[:, self.columns]
        rounded = _rounded(counted)
        self._rows[place] = rows
        self._bytes[place] = rounded
        self._errors[place] = np.linalg.norm(counted - rounded * np.float32(STEP), axis=1)
        self.count += len(rows)

    def keep(self, mask: Mask) -> None:
        """Forget the rows where `mask` (count,) is False; the others move up in order."""
        self._rows = self._rows[: self.count][mask]
        self._bytes = self._bytes[: self.count][mask]
        self._errors = self._errors[: self.count][mask]
        self.count = len(self._rows)

    def distances(self, query: Array, rows: Ids) -> Array:
        """(n,) float32 distances of some rows from a (D,) query."""
        difference = self._rows[rows][:, self.columns] - query[self.columns]
        return np.sqrt(np.einsum("nd,nd->n", difference, difference))

    def search(self, query: Array, k: int, mask: Mask | None = None) -> tuple[Ids, Array]:
        """The k nearest rows to a (D,) query, nearest first, and their distances.

        mask: (count,) rows that may answer, None for all. Fewer than k where there are fewer.
        """
        allowed = np.ones(self.count, np.bool_) if mask is None else mask
        k = min(k, int(allowed.sum()))
        if k < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        counted = query[self.columns].astype(np.float32)
        near = np.rint(counted / STEP)
        error = float(np.linalg.norm(counted - near * STEP)) + SLACK
        if np.abs(near).max(initial=0) > FARTHEST:
            candidates = np.flatnonzero(allowed)
        else:
            squares = np.empty(self.count, np.int32)
            _scan(self._bytes[: self.count], near.astype(np.int32), allowed, squares)
            candidates = self._candidates(squares, error, k)
        measured = self.distances(query, candidates)
        order = np.argsort(measured, kind="stable")[:k]
        return candidates[order], measured[order]

    def _candidates(self, squares: NDArray[np.int32], error: float, k: int) -> Ids:
        """Rows that may be among the k nearest, in order of row."""
        slack = self._errors[: self.count]
        first = np.argpartition(squares, k - 1)[:k]
        greatest = float((np.sqrt(squares[first].astype(np.float64)) * STEP + slack[first]).max()) + error
        loosest = float(slack.max())
        reach = (greatest + error + loosest) / STEP  # cheap test first, each row's own slack after it
        some = np.flatnonzero(squares <= min(reach * reach, float(UNSEEN) - 1))
        least = np.sqrt(squares[some].astype(np.float64)) * STEP - slack[some] - error
        return some[least <= greatest]

    def _grow(self, needed: int) -> None:
        if needed <= len(self._rows):
            return
        size = max(needed, 2 * len(self._rows), 256)
        for name in ("_rows", "_bytes", "_errors"):
            old = getattr(self, name)
            new = np.empty((size, *old.shape[1:]), old.dtype)
            new[: self.count] = old[: self.count]
            setattr(self, name, new)


def _rounded(numbers: Array) -> NDArray[np.int8]:
    return np.clip(np.rint(numbers / np.float32(STEP)), -127, 127).astype(np.int8)


@njit(cache=True, nogil=True)
def _scan(rows: np.ndarray, query: np.ndarray, allowed: np.ndarray, squares: np.ndarray) -> None:
    for i in range(len(rows)):
        if not allowed[i]:
            squares[i] = UNSEEN
            continue
        total = np.int32(0)
        for j in range(rows.shape[1]):
            step = np.int32(rows[i, j]) - query[j]
            total += step * step
        squares[i] = total
