"""glTF 2.0 binary files (GLB) of a face, with its expressions as named morph targets.

glTF wants metres, y up, the front towards +z and linear vertex colours, so the head frame
only needs a factor. The mesh is written neutral; the current expression is the default
weight of each target. One primitive and material per part. Models that paint a texture get it
as a JPEG (vertices are doubled along its seams), others get vertex colours. A target that moves little of a
part is stored as a sparse accessor, one that moves nothing as an accessor of zeros, which
needs no bytes. Specification: Khronos glTF 2.0, sections 3.6 (buffers), 3.7.2 (meshes).
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.mesh import Floats, Mesh, Paint, save_bytes
from facegpt_model.rendering.topology import vertex_normals

METRES_PER_MM = 0.001
_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963
_ROUGHNESS = {"skin": 0.55, "eyes": 0.08, "eye": 0.08, "teeth": 0.3, "tongue": 0.4, "lashes": 0.7}
_SPARSE_BELOW = 0.6  # of the vertices; above, a dense accessor is smaller or as small
_STILL_MM = 1e-4  # displacements below this are not stored
_STILL_NORMAL = 1e-3


def write_glb(mesh: Mesh, path: Path) -> None:
    """Write a mesh with positions, normals, colours and morph targets to a .glb file."""
    save_bytes(path, glb_bytes(mesh))


def glb_bytes(mesh: Mesh) -> bytes:
    """The .glb file of a mesh."""
    neutral = mesh.neutral_vertices()
    names = list(mesh.morph_targets)
    displacements = (
        np.stack([mesh.morph_targets[name] for name in names]) if names else np.zeros((0, *neutral.shape))
    )
    normals, normal_changes = _normals(neutral, displacements, mesh.triangles)
    buffer = _Buffer()
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for index, name in enumerate(mesh.part_names):
        if not (mesh.part == index).any():
            continue
        used, place, corners = _corners(mesh, index)
        targets = []
        for moved, turned in zip(displacements[:, used], normal_changes[:, used], strict=True):
            still = np.abs(moved).max(axis=1) < _STILL_MM
            turned = np.where((np.abs(turned).max(axis=1) < _STILL_NORMAL)[:, None], 0, turned)
            moved = np.where(still[:, None], 0, moved) * METRES_PER_MM
            targets.append({"POSITION": buffer.changes(moved), "NORMAL": buffer.changes(turned)})
        attributes = {
            "POSITION": buffer.vectors(neutral[used] * METRES_PER_MM, bounds=True),
            "NORMAL": buffer.vectors(normals[used]),
        }
        surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": _roughness(name)}
        if place is None:
            attributes["COLOR_0"] = buffer.vectors(np.clip(mesh.colours[used], 0, 1))
        else:
            attributes["TEXCOORD_0"] = buffer.vectors(np.stack([place[:, 0], 1 - place[:, 1]], axis=1))
            surface["baseColorTexture"] = {"index": 0}
        primitives.append(
            {
                "attributes": attributes,
                "indices": buffer.indices(corners),
                "material": len(materials),
                "mode": 4,
                **({"targets": targets} if targets else {}),
            }
        )
        materials.append({"name": name, "doubleSided": True, "pbrMetallicRoughness": surface})
    face: dict[str, Any] = {"name": "face", "primitives": primitives}
    if names:
        face["weights"] = [round(mesh.morph_weights[name], 6) for name in names]
        face["extras"] = {"targetNames": names}
    document = {
        "asset": {"version": "2.0", "generator": "FaceGPT"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "face", "mesh": 0}],
        "meshes": [face],
        "materials": materials,
        **({} if mesh.paint is None else _image(mesh.paint, buffer)),
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.payload)}],
    }
    return _container(
        json.dumps(document, separators=(",", ":"), allow_nan=False).encode(), bytes(buffer.payload)
    )


@dataclass
class _Buffer:
    """The binary chunk while it grows, with its views and accessors."""

    payload: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    zeros: dict[int, int] = field(default_factory=dict)

    def vectors(self, rows: NDArray[Any], bounds: bool = False) -> int:
        """Index of a dense accessor of (V, 2) or (V, 3) float32 vectors."""
        rows = np.ascontiguousarray(rows, dtype="<f4")
        accessor = {"bufferView": self._view(rows, _VERTEX_BUFFER), **_shape(rows, bounds)}
        return self._accessor(accessor)

    def indices(self, corners: NDArray[np.int64]) -> int:
        """Index of an accessor of triangle corners."""
        view = self._view(corners.astype("<u4"), _INDEX_BUFFER)
        return self._accessor(
            {"bufferView": view, "componentType": _UINT32, "count": len(corners), "type": "SCALAR"}
        )

    def changes(self, rows: NDArray[Any]) -> int:
        """Index of an accessor of (V, 3) displacements: dense, sparse, or all zero."""
        rows = np.ascontiguousarray(rows, dtype="<f4")
        changed = np.flatnonzero(np.abs(rows).max(axis=1) > 0)
        if not len(changed):
            if len(rows) not in self.zeros:
                self.zeros[len(rows)] = self._accessor(_shape(rows, bounds=True))
            return self.zeros[len(rows)]
        if len(changed) > _SPARSE_BELOW * len(rows):
            return self.vectors(rows, bounds=True)
        wide = len(rows) > 0xFFFF
        places = self._view(changed.astype("<u4" if wide else "<u2"), None)
        values = self._view(rows[changed], None)
        sparse = {
            "count": len(changed),
            "indices": {"bufferView": places, "componentType": _UINT32 if wide else _UINT16},
            "values": {"bufferView": values},
        }
        return self._accessor({**_shape(rows, bounds=True), "sparse": sparse})

    def bytes(self, data: bytes, target: int | None = None) -> int:
        """Index of a view of these bytes."""
        self.payload.extend(b"\0" * (-len(self.payload) % 4))
        view = {"buffer": 0, "byteOffset": len(self.payload), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.payload.extend(data)
        return len(self.views) - 1

    def _view(self, rows: NDArray[Any], target: int | None) -> int:
        return self.bytes(rows.tobytes(), target)

    def _accessor(self, accessor: dict[str, Any]) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _corners(mesh: Mesh, part: int) -> tuple[NDArray[np.int64], Floats | None, NDArray[np.int64]]:
    """Vertices a part uses, their places in the paint (None without), and its corners among them."""
    triangles = mesh.triangles[mesh.part == part].ravel()
    if mesh.paint is None:
        used, corners = np.unique(triangles, return_inverse=True)
        return used, None, corners
    places = mesh.paint.triangles_uv[mesh.part == part].ravel()
    pairs, corners = np.unique(np.stack([triangles, places], axis=1), axis=0, return_inverse=True)
    return pairs[:, 0], mesh.paint.uv[pairs[:, 1]], corners.reshape(-1)


def _image(paint: Paint, buffer: _Buffer) -> dict[str, Any]:
    encoded = io.BytesIO()
    Image.fromarray(paint.image).save(encoded, "JPEG", quality=90)
    return {
        "images": [
            {"name": "face", "bufferView": buffer.bytes(encoded.getvalue()), "mimeType": "image/jpeg"}
        ],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "textures": [{"source": 0, "sampler": 0}],
    }


def _shape(rows: Floats, bounds: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {"componentType": _FLOAT, "count": len(rows), "type": f"VEC{rows.shape[1]}"}
    if bounds:
        shape["min"], shape["max"] = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
    return shape


def _normals(
    neutral: Floats, displacements: NDArray[Any], triangles: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    poses = np.concatenate([neutral[None], neutral[None] + displacements])
    turned = vertex_normals(torch.from_numpy(poses).float(), torch.from_numpy(triangles)).numpy()
    normals = np.where(np.abs(turned).sum(axis=2, keepdims=True) > 0, turned, np.array([0, 0, 1], np.float32))
    return normals[0], normals[1:] - normals[0]


def _roughness(part: str) -> float:
    for known, roughness in _ROUGHNESS.items():
        if known in part.lower():
            return roughness
    return 0.6


def _container(document: bytes, payload: bytes) -> bytes:
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
