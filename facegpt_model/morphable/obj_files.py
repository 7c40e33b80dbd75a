"""Reading Wavefront OBJ meshes: places, polygons as triangles, texture corners, materials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel


@dataclass(frozen=True)
class ObjMesh:
    """One OBJ file; V vertices, U texture coordinates, T triangles.

    vertices: (V, 3) in the file's unit; uv: (U, 2); triangles: (T, 3) vertex numbers from 0
    triangles_uv: (T, 3) texture numbers, -1 where the file gives none
    material: (T,) index into materials, the names of `usemtl` in order of appearance
    """

    vertices: NDArray[np.float32]
    uv: NDArray[np.float32]
    triangles: NDArray[np.int64]
    triangles_uv: NDArray[np.int64]
    material: NDArray[np.int64]
    materials: tuple[str, ...]


def read_vertices(path: Path) -> NDArray[np.float32]:
    """(V, 3) places only, in the file's unit; BadModel if there are none."""
    rows = [line[2:] for line in path.read_bytes().split(b"\n") if line.startswith(b"v ")]
    numbers = np.fromstring(b" ".join(rows).decode("latin1"), np.float32, sep=" ")
    if not rows or len(numbers) != 3 * len(rows):
        raise BadModel(f"{path} holds no vertices of three numbers")
    return numbers.reshape(-1, 3)


def read_obj(path: Path) -> ObjMesh:
    """The mesh of a file; polygons become fans of triangles. BadModel if it is no OBJ file."""
    places: list[list[bytes]] = []
    textures: list[list[bytes]] = []
    corners: list[list[tuple[int, int]]] = []
    worn: list[int] = []
    materials: list[str] = [""]
    with path.open("rb") as stream:
        for line in stream:
            if line.startswith(b"v "):
                places.append(line.split()[1:4])
            elif line.startswith(b"vt "):
                textures.append(line.split()[1:3])
            elif line.startswith(b"usemtl"):
                materials.append(line.split(maxsplit=1)[1].strip().decode("latin1"))
            elif line.startswith(b"f "):
                polygon = [_corner(word) for word in line.split()[1:]]
                for k in range(1, len(polygon) - 1):
                    corners.append([polygon[0], polygon[k], polygon[k + 1]])
                    worn.append(len(materials) - 1)
    if not corners:
        raise BadModel(f"{path} holds no faces")
    table = np.array(corners, np.int64)
    uv = _floats(textures, path) if textures else np.zeros((0, 2), np.float32)
    return ObjMesh(
        vertices=_floats(places, path),
        uv=uv,
        triangles=np.ascontiguousarray(table[..., 0]),
        triangles_uv=np.ascontiguousarray(table[..., 1]),
        material=np.array(worn, np.int64),
        materials=tuple(materials),
    )


def _corner(word: bytes) -> tuple[int, int]:
    vertex, _, rest = word.partition(b"/")
    texture = rest.partition(b"/")[0]
    return int(vertex) - 1, int(texture) - 1 if texture else -1


def _floats(rows: list[list[bytes]], path: Path) -> NDArray[np.float32]:
    if not rows:
        raise BadModel(f"{path} holds no vertices")
    try:
        return np.array(rows).astype(np.float32)
    except ValueError as error:
        raise BadModel(f"{path} is no OBJ file: {error}") from error
