"""Chroma behind a small door: one collection of whole faces and one per part.

Vectors are always our own, so Chroma's embedder is never asked and nothing is downloaded;
telemetry is off. The collection of whole faces is the truth of the store: its vectors are the
codes, its metadata what filters read. Every collection says which head model and
calibration its vectors belong to.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tools.errors import ToolError
from tools.store.records import Metadata
from tools.store.regions import PARTS
from tools.store.vectors import Array, Calibration

PREFIX, WHOLE = "facegpt-", "faces"
BATCH = 1000  # rows per call; Chroma takes at most 5461
HNSW = {"space": "l2", "ef_construction": 100, "ef_search": 400, "max_neighbors": 16}


class Collections:
    """The collections of one store."""

    def __init__(self, client: Any, calibration: Calibration) -> None:
        """Open or make them; ToolError when they hold vectors of another head model or calibration."""
        self._client = client
        self._stamp = {
            "basis": calibration.layout.basis,
            "calibration": calibration.version,
            "scales": calibration.scales,
        }
        self._by_name: dict[str, Any] = {}
        for name in (WHOLE, *PARTS):
            self._by_name[name] = self._open(name)

    def _open(self, name: str) -> Any:
        collection = self._client.get_or_create_collection(
            PREFIX + name,
            embedding_function=None,
            configuration={"hnsw": HNSW},
            metadata=self._stamp | {"revision": ""},
        )
        found = {key: (collection.metadata or {}).get(key) for key in self._stamp}
        if found != self._stamp:
            wanted = self._stamp
            if found["basis"] != wanted["basis"]:
                raise ToolError(
                    f"this face store holds faces of {found['basis']}, not of {wanted['basis']}; "
                    "choose another folder with --store"
                )
            raise ToolError(
                f"this face store was calibrated as {found['calibration']}, this FaceGPT calibrates as "
                f"{wanted['calibration']}; rebuild it once with: facegpt store rebuild"
            )
        return collection

    @property
    def revision(self) -> str:
        """Changes whenever any process wrote; asked of Chroma anew."""
        metadata = self._client.get_collection(PREFIX + WHOLE, embedding_function=None).metadata or {}
        return f"{metadata.get('revision', '')}/{self._by_name[WHOLE].count()}"

    def touch(self) -> None:
        """Tell other processes that something was written."""
        self._by_name[WHOLE].modify(metadata=self._stamp | {"revision": uuid.uuid4().hex})

    @property
    def key(self) -> str:
        """Names this very collection of faces; another one at the same address has another."""
        return str(self._by_name[WHOLE].id)

    def close(self) -> None:
        """Let go of the files or the connection."""
        self._client.close()

    def count(self, name: str = WHOLE) -> int:
        """Rows of a collection."""
        return int(self._by_name[name].count())

    def ids(self, name: str = WHOLE) -> list[str]:
        """All ids of a collection."""
        return list(self._by_name[name].get(include=[])["ids"])

    def add(self, name: str, ids: Sequence[str], vectors: Array, metadata: Sequence[Metadata] = ()) -> None:
        """Add rows; ids that are there already are left as they are."""
        for start in range(0, len(ids), BATCH):
            rows = slice(start, start + BATCH)
            self._by_name[name].add(
                ids=list(ids[rows]),
                embeddings=np.ascontiguousarray(vectors[rows]),
                metadatas=[dict(fields) for fields in metadata[rows]] if metadata else None,
            )

    def fetch(self, ids: Sequence[str]) -> tuple[list[str], Array, list[Metadata]]:
        """Ids, vectors and metadata of those whole faces that exist, in Chroma's own order."""
        found: list[str] = []
        vectors: list[Array] = []
        metadata: list[Metadata] = []
        for start in range(0, len(ids), BATCH):
            batch = list(ids[start : start + BATCH])
            rows = self._by_name[WHOLE].get(ids=batch, include=["embeddings", "metadatas"])
            found += rows["ids"]
            vectors += [np.asarray(rows["embeddings"], np.float32)] if rows["ids"] else []
            metadata += [dict(fields or {}) for fields in rows["metadatas"]]
        return found, np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32), metadata

    def delete(self, name: str, ids: Collection[str]) -> None:
        """Delete rows; unknown ids do nothing."""
        listed = list(ids)
        for start in range(0, len(listed), BATCH):
            self._by_name[name].delete(ids=listed[start : start + BATCH])

    def nearest(self, name: str, vector: Array, count: int) -> list[str]:
        """Ids of about the nearest rows by Chroma's HNSW index."""
        answer = self._by_name[name].query(query_embeddings=[vector], n_results=count, include=[])
        return list(answer["ids"][0])


def embedded_client(folder: Path) -> Any:
    """A client on files of its own folder, made if needed."""
    import chromadb

    return chromadb.PersistentClient(str(folder), settings=_settings())


def server_client(url: str) -> Any:
    """A client of a running server; ToolError if the address is none or nobody answers."""
    import chromadb

    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ToolError(f"{url!r} is no address; give one such as http://127.0.0.1:8100") from error
    if parts.scheme not in ("", "http", "https") or not host:
        raise ToolError(f"{url!r} is no address; give one such as http://127.0.0.1:8100")
    secure = parts.scheme == "https"
    try:
        client = chromadb.HttpClient(
            host, port or (443 if secure else 8100), ssl=secure, settings=_settings()
        )
        client.heartbeat()
    except Exception as error:  # chromadb wraps connection errors in ValueError and its own kinds
        raise ToolError(f"no face store answers at {url}; start one with: facegpt store serve") from error
    return client


def stamp_of(client: Any) -> Mapping[str, Any] | None:
    """What the collection of whole faces says of its basis and calibration, None where there is none."""
    names = [collection.name for collection in client.list_collections()]
    if PREFIX + WHOLE not in names:
        return None
    return dict(client.get_collection(PREFIX + WHOLE, embedding_function=None).metadata or {})


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)
