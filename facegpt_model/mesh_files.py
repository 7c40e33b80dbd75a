"""Plain mesh files: Wavefront OBJ with materials and pictures, and PLY with vertex colours.

Both show the current expression, in millimetres, with sRGB colours, which is what their
readers expect. Neither can hold expressions as targets; glTF can (gltf.py).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.mesh import Floats, Mesh, NamedMesh, check_worn, save_bytes, srgb

ABOUT = "FaceGPT face; millimetres; x to the person's left, y up, z out of the face"
Colour = tuple[float, float, float, float]


def write_obj(mesh: Mesh, path: Path, worn: Sequence[NamedMesh] = ()) -> None:
    """Write the .obj and, beside it, its .mtl and .png files; errors as obj_files."""
    for name, content in obj_files(mesh, path.name, worn).items():
        save_bytes(path.with_name(name), content)


def obj_files(mesh: Mesh, name: str, worn: Sequence[NamedMesh] = ()) -> dict[str, bytes]:
    """File name -> content of an OBJ called `name` and the files it refers to, itself last.

    An object "head" with one group and material per part, then one object per thing worn. A
    painted face gets its picture, another one vertex colours behind its coordinates. Raises
    ValueError as check_worn does.
    """
    check_worn(mesh, worn)
    stem = re.sub(r"\s", "_", Path(name).stem)
    materials = _Materials(stem)
    lines = [f"# {ABOUT}", f"mtllib {stem}.mtl", "o head"]
    colours = srgb(mesh.colours) if mesh.paint is None else np.zeros((len(mesh.vertices), 0))
    lines += _rows("v", np.hstack([mesh.vertices, colours]))
    lines += _rows("vn", mesh.normals)
    picture = None
    if mesh.paint is not None:
        lines += _rows("vt", mesh.paint.uv)
        picture = materials.picture("face", mesh.paint.image)
    for index, part in enumerate(mesh.part_names):
        inside = mesh.part == index
        if inside.any():
            materials.add(part, (1, 1, 1, 1), 0.55, picture)
            places = None if mesh.paint is None else mesh.paint.triangles_uv[inside] + 1
            lines += [f"g {part}", f"usemtl {part}", *_faces(mesh.triangles[inside] + 1, places)]
    vertices, uvs = len(mesh.vertices), 0 if mesh.paint is None else len(mesh.paint.uv)
    for thing in worn:
        lines += [
            f"o {thing.name}",
            *_rows("v", thing.posed(mesh.morph_weights)),
            *_rows("vn", thing.normals),
        ]
        places = None
        picture = None
        if thing.uv is not None and thing.image is not None:
            lines += _rows("vt", thing.uv)
            places = thing.triangles + 1 + uvs
            picture = materials.picture(thing.name, thing.image)
            uvs += len(thing.uv)
        see_through = thing.alpha != "OPAQUE"
        materials.add(thing.name, thing.base_colour, thing.roughness, picture, see_through)
        lines += [f"g {thing.name}", f"usemtl {thing.name}", *_faces(thing.triangles + 1 + vertices, places)]
        vertices += len(thing.vertices)
    return {**materials.files(), name: ("\n".join(lines) + "\n").encode()}


class _Materials:
    """The .mtl file while it grows, and the pictures it names."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self.lines = [f"# materials of {stem}.obj; Pr is roughness; colours are sRGB"]
        self.pictures: dict[str, bytes] = {}

    def picture(self, name: str, image: NDArray[np.uint8]) -> str:
        """Keep a picture and return the name of its file."""
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "PNG", compress_level=6)
        file = f"{self.stem}-{re.sub(r'[^A-Za-z0-9_-]', '_', name)}.png"
        self.pictures[file] = encoded.getvalue()
        return file

    def add(
        self, name: str, colour: Colour, roughness: float, picture: str | None, see_through: bool = False
    ) -> None:
        red, green, blue = srgb(np.array(colour[:3]))
        shine = 2 / max(roughness, 0.05) ** 4 - 2  # Blinn-Phong exponent of that GGX roughness
        self.lines += [
            f"newmtl {name}",
            f"Kd {red:.4f} {green:.4f} {blue:.4f}",
            "Ks 0.04 0.04 0.04",
            f"Ns {min(max(shine, 1), 1000):.1f}",
            f"Pr {roughness:.3f}",
            f"d {colour[3] if see_through else 1:.4f}",
            "illum 2",
        ]
        if picture:
            self.lines.append(f"map_Kd {picture}")
            if see_through:
                self.lines.append(f"map_d -imfchan m {picture}")

    def files(self) -> dict[str, bytes]:
        return {**self.pictures, f"{self.stem}.mtl": ("\n".join(self.lines) + "\n").encode()}


def _rows(kind: str, rows: NDArray[np.floating]) -> list[str]:
    return [f"{kind} " + " ".join(f"{value:.4f}" for value in row) for row in rows.tolist()]


def _faces(corners: NDArray[np.int64], places: NDArray[np.int64] | None) -> list[str]:
    if places is None:
        return ["f " + " ".join(f"{c}//{c}" for c in face) for face in corners.tolist()]
    pairs = zip(corners.tolist(), places.tolist(), strict=True)
    return ["f " + " ".join(f"{c}/{p}/{c}" for c, p in zip(*pair, strict=True)) for pair in pairs]


def write_ply(mesh: Mesh, path: Path, worn: Sequence[NamedMesh] = ()) -> None:
    """Write a binary .ply; errors as ply_bytes."""
    save_bytes(path, ply_bytes(mesh, worn))


def ply_bytes(mesh: Mesh, worn: Sequence[NamedMesh] = ()) -> bytes:
    """Binary little-endian PLY with normals and vertex colours; `part` numbers each triangle's part.

    The header's comments name the parts. PLY knows no opacity: see-through things (BLEND) are
    left out, cut-out ones (MASK) are whole. Raises ValueError as check_worn does.
    """
    check_worn(mesh, worn)
    solid = [thing for thing in worn if thing.alpha != "BLEND"]
    names = [*mesh.part_names, *(thing.name for thing in solid)]
    starts = np.cumsum([len(mesh.vertices), *(len(thing.vertices) for thing in solid)])
    vertices = np.concatenate([mesh.vertices, *(thing.posed(mesh.morph_weights) for thing in solid)])
    normals = np.concatenate([mesh.normals, *(thing.normals for thing in solid)])
    colours = np.concatenate([srgb(mesh.colours), *(_vertex_colours(thing) for thing in solid)])
    corners = np.concatenate(
        [mesh.triangles, *(thing.triangles + start for thing, start in zip(solid, starts, strict=False))]
    )
    own = [np.full(len(thing.triangles), len(mesh.part_names) + i) for i, thing in enumerate(solid)]
    header = "\n".join(
        [
            "ply",
            "format binary_little_endian 1.0",
            f"comment {ABOUT}",
            *(f"comment part {index}: {name}" for index, name in enumerate(names)),
            f"element vertex {len(vertices)}",
            *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
            *(f"property uchar {name}" for name in ("red", "green", "blue")),
            f"element face {len(corners)}",
            "property list uchar int vertex_indices",
            "property uchar part",
            "end_header\n",
        ]
    )
    rows = np.zeros(len(vertices), dtype=[("place", "<f4", 6), ("colour", "u1", 3)])
    rows["place"] = np.hstack([vertices, normals])
    rows["colour"] = np.round(colours * 255)
    faces = np.zeros(len(corners), dtype=[("count", "u1"), ("corners", "<i4", 3), ("part", "u1")])
    faces["count"], faces["corners"], faces["part"] = 3, corners, np.concatenate([mesh.part, *own])
    return header.encode() + rows.tobytes() + faces.tobytes()


def _vertex_colours(thing: NamedMesh) -> Floats:
    """(V, 3) sRGB of its base colour, over its picture where it has one."""
    base = srgb(np.array(thing.base_colour[:3]))
    if thing.image is None or thing.uv is None:
        return np.tile(base, (len(thing.vertices), 1)).astype(np.float32)
    height, width = thing.image.shape[:2]
    across = np.clip((thing.uv[:, 0] * width).astype(int), 0, width - 1)
    down = np.clip(((1 - thing.uv[:, 1]) * height).astype(int), 0, height - 1)
    return (thing.image[down, across, :3] / 255 * base).astype(np.float32)
