"""Stores in a temporary folder, filled with plausible people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.layout import from_record, to_record
from tools.store.estimates import facts_of
from tools.store.face_store import FaceStore
from tools.store.gallery import people
from tools.store.opening import open_store
from tools.store.records import NewFace
from tools.studio import open_studio


@lru_cache(maxsize=1)
def crowd() -> FaceCode:
    return people(open_studio().head, 40, 5)


def new_face(index: int, case: str = "", tags: tuple[str, ...] = (), source: str = "seed:5") -> NewFace:
    estimate = from_record(to_record(FaceEstimate(crowd()[index], None, source, "test@1")))
    return NewFace(estimate.code, facts_of(estimate, open_studio(), True, case, tags))


@pytest.fixture(name="new_face")
def new_face_fixture() -> Callable[..., NewFace]:
    return new_face


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaceStore]:
    """Thirty people: even ones tagged "even", the first five in case k-1."""
    with open_store(tmp_path / "store", open_studio()) as opened:
        opened.add(
            [new_face(i, "k-1" if i < 5 else "", ("even",) if i % 2 == 0 else ("odd",)) for i in range(30)]
        )
        yield opened
