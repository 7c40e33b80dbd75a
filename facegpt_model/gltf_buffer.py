"""The binary half of a GLB: numbers laid out as buffer views and accessors, and the container.

Two ways to lay them out. Plain: float32, metres. Quantised (KHR_mesh_quantization): positions
and displacements are 16-bit whole steps, which a mesh's node scales back to metres; normals
are 16-bit shares of 1, their changes 8-bit. Displacements that touch few vertices become sparse
accessors, those that touch none an accessor of zeros, which needs no bytes.
Specification: Khronos glTF 2.0, section 3.6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

METRES_PER_MM = 0.001
VERTICES, CORNERS = 34962, 34963  # targets of buffer views
_CODES = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
_SPARSE_BELOW = 0.8  # of the vertices; above, a dense accessor is about as small
_STILL_MM = 0.005  # displacements below this are not stored: one step of 16 bits over a head
_STILL_NORMAL = 0.004  # likewise for unit normals, half a step of 8 bits


@dataclass(frozen=True)
class Frame:
    """What quantised positions of one mesh count from, and how far its largest numbers reach.

    centre: (3,) mm; step: mm that one whole number stands for
    """

    centre: NDArray[np.float64]
    step: float

    @classmethod
    def around(cls, vertices: NDArray[Any], displacements: NDArray[Any]) -> Frame:
        """The frame that holds (V, 3) vertices and (N, V, 3) displacements in mm."""
        low, high = vertices.min(axis=0).astype(np.float64), vertices.max(axis=0).astype(np.float64)
        centre = (low + high) / 2
        farthest = float(np.abs(displacements).max(initial=0.0))
        reach = max(float((high - low).max()) / 2, farthest, 1e-3)
        return cls(centre, reach / np.iinfo(np.int16).max)

    def node(self) -> dict[str, Any]:
        """Translation and scale of the node that shows a quantised mesh, in metres."""
        return {
            "translation": (self.centre * METRES_PER_MM).tolist(),
            "scale": [self.step * METRES_PER_MM] * 3,
        }


@dataclass
class Buffer:
    """The binary chunk while it grows, with its views and accessors; methods return accessor numbers."""

    quantised: bool = False
    payload: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    _zeros: dict[tuple[int, str], int] = field(default_factory=dict)

    def positions(self, vertices: NDArray[Any], frame: Frame) -> int:
        """(V, 3) places in mm."""
        if not self.quantised:
            return self._dense(vertices * METRES_PER_MM, "float32", bounds=True)
        return self._dense((vertices - frame.centre) / frame.step, "int16", bounds=True, share=False)

    def moves(self, displacements: NDArray[Any], frame: Frame) -> int:
        """(V, 3) displacements in mm: dense, sparse, or all zero."""
        still = np.abs(displacements).max(axis=1) < _STILL_MM
        rows = np.where(still[:, None], 0, displacements)
        if not self.quantised:
            return self._changes(rows * METRES_PER_MM, "float32", bounds=True)
        return self._changes(rows / frame.step, "int16", bounds=True, share=False)

    def normals(self, normals: NDArray[Any]) -> int:
        """(V, 3) unit normals."""
        return self._dense(normals, "int16" if self.quantised else "float32")

    def turns(self, changes: NDArray[Any]) -> int:
        """(V, 3) changes of normals: dense, sparse, or all zero."""
        still = np.abs(changes).max(axis=1) < _STILL_NORMAL
        return self._changes(np.where(still[:, None], 0, changes), "int8" if self.quantised else "float32")

    def colours(self, colours: NDArray[Any]) -> int:
        """(V, 3) linear RGB."""
        return self._dense(np.clip(colours, 0, 1), "uint16" if self.quantised else "float32")

    def places(self, uv: NDArray[Any]) -> int:
        """(V, 2) places in a picture, u right and v up; glTF counts v downwards."""
        down = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
        inside = bool(((down >= 0) & (down <= 1)).all())
        return self._dense(down, "uint16" if self.quantised and inside else "float32")

    def indices(self, corners: NDArray[np.int64]) -> int:
        """Corners of triangles, in one row."""
        kind = "uint16" if corners.max() < 0xFFFF else "uint32"
        view = self.bytes(corners.astype(kind).tobytes(), CORNERS)
        return self._accessor(
            {"bufferView": view, "componentType": _CODES[kind], "count": len(corners), "type": "SCALAR"}
        )

    def bytes(self, data: bytes, target: int | None = None, stride: int | None = None) -> int:
        """Number of a new view of these bytes."""
        self.payload.extend(b"\0" * (-len(self.payload) % 4))
        view = {"buffer": 0, "byteOffset": len(self.payload), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        if stride is not None:
            view["byteStride"] = stride
        self.views.append(view)
        self.payload.extend(data)
        return len(self.views) - 1

    def _dense(self, rows: NDArray[Any], kind: str, bounds: bool = False, share: bool = True) -> int:
        stored = _stored(rows, kind, share)
        size = stored.shape[1] * stored.itemsize
        padded = size + -size % 4  # vertex attributes start at multiples of four bytes
        packed = np.zeros((len(stored), padded), np.uint8)
        packed[:, :size] = stored.view(np.uint8).reshape(len(stored), size)
        view = self.bytes(packed.tobytes(), VERTICES, padded if padded != size else None)
        return self._accessor({"bufferView": view, **_shape(stored, bounds, share)})

    def _changes(self, rows: NDArray[Any], kind: str, bounds: bool = False, share: bool = True) -> int:
        stored = _stored(rows, kind, share)
        changed = np.flatnonzero(stored.any(axis=1))
        if not len(changed):
            key = (len(rows), kind)
            if key not in self._zeros:
                self._zeros[key] = self._accessor(_shape(stored, True, share))
            return self._zeros[key]
        if len(changed) > _SPARSE_BELOW * len(rows):
            return self._dense(rows, kind, bounds, share)
        places = "uint16" if len(rows) <= 0xFFFF else "uint32"
        sparse = {
            "count": len(changed),
            "indices": {
                "bufferView": self.bytes(changed.astype(places).tobytes()),
                "componentType": _CODES[places],
            },
            "values": {"bufferView": self.bytes(np.ascontiguousarray(stored[changed]).tobytes())},
        }
        return self._accessor({**_shape(stored, bounds, share), "sparse": sparse})

    def _accessor(self, accessor: dict[str, Any]) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _stored(rows: NDArray[Any], kind: str, share: bool) -> NDArray[Any]:
    """Rows as they lie in the file: float32, whole steps, or shares of the type's largest number."""
    if kind == "float32":
        return np.ascontiguousarray(rows, dtype="<f4")
    most = np.iinfo(kind).max
    whole = np.round(np.clip(rows, -1, 1) * most if share else np.clip(rows, -most, most))
    return np.ascontiguousarray(whole, dtype=np.dtype(kind).newbyteorder("<"))


def _shape(stored: NDArray[Any], bounds: bool, share: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "componentType": _CODES[stored.dtype.name],
        "count": len(stored),
        "type": f"VEC{stored.shape[1]}",
    }
    if share and stored.dtype.kind in "iu":
        shape["normalized"] = True
    if bounds:
        shape["min"], shape["max"] = stored.min(axis=0).tolist(), stored.max(axis=0).tolist()
    return shape


def container(document: bytes, payload: bytes) -> bytes:
    """A whole .glb of a JSON document and its binary chunk."""
    document += b" " * (-len(document) % 4)
    payload += b"\0" * (-len(payload) % 4)
    size = 12 + 8 + len(document) + 8 + len(payload)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, size),
            struct.pack("<I4s", len(document), b"JSON"),
            document,
            struct.pack("<I4s", len(payload), b"BIN\0"),
            payload,
        ]
    )
