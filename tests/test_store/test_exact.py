"""The scan over bytes gives exactly what a full scan gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.store.exact import ExactIndex


def brute(rows: np.ndarray, query: np.ndarray, columns: np.ndarray, k: int, mask: np.ndarray) -> list[int]:
    squares = np.square(rows[:, columns].astype(float) - query[columns].astype(float)).sum(1)
    squares[~mask] = np.inf
    return [int(row) for row in np.argsort(squares, kind="stable")[:k] if np.isfinite(squares[row])]


@given(seed=st.integers(0, 2**16), count=st.integers(1, 300), scale=st.sampled_from([0.05, 1.0, 6.0]))
@settings(max_examples=40, deadline=None)
def test_same_rows_as_a_full_scan(seed: int, count: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    rows = scale * rng.standard_normal((count, 12)).astype(np.float32)  # far beyond 7 sd at times
    columns = np.array([0, 1, 2, 3, 5, 7, 8, 11])
    index = ExactIndex(12, columns)
    half = count // 2
    index.add(rows[:half])
    index.add(rows[half:])
    query = scale * rng.standard_normal(12).astype(np.float32)
    mask = rng.random(count) < 0.5
    found, distances = index.search(query, 7, mask)
    assert found.tolist() == brute(rows, query, columns, 7, mask)
    expected = np.linalg.norm(rows[found][:, columns] - query[columns], axis=1)
    assert np.allclose(distances, expected, rtol=1e-5)


def test_neighbours_closer_than_a_byte_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    query = rng.standard_normal(64).astype(np.float32)
    rows = query + 0.004 * rng.standard_normal((500, 64)).astype(np.float32)  # a tenth of a step
    index = ExactIndex(64)
    index.add(rows)
    everything = np.ones(500, bool)
    assert index.search(query, 20)[0].tolist() == brute(rows, query, np.arange(64), 20, everything)


def test_a_query_far_outside_is_answered_too() -> None:
    rows = np.eye(5, dtype=np.float32)
    index = ExactIndex(5)
    index.add(rows)
    query = np.array([0, 0, 1000, 0, 0], np.float32)
    assert index.search(query, 1)[0].tolist() == [2]


def test_nothing_to_find() -> None:
    index = ExactIndex(3)
    assert index.search(np.zeros(3, np.float32), 4)[0].size == 0
    index.add(np.ones((2, 3), np.float32))
    assert index.search(np.zeros(3, np.float32), 4, np.zeros(2, bool))[0].size == 0


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_rows_that_left_are_not_found(gone: int) -> None:
    index = ExactIndex(3)
    index.add(np.eye(3, dtype=np.float32))
    index.keep(np.arange(3) != gone)
    assert index.count == 2
    assert index.search(np.eye(3, dtype=np.float32)[gone], 1)[1][0] == pytest.approx(2**0.5)
