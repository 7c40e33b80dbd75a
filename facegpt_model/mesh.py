"""One face as a mesh, and the things it wears as meshes of their own.

Vertices are millimetres in the head frame (x to the person's left, y up, z out of the
face); colours are linear RGB. Files are written by gltf.py (with expressions) and by
mesh_files.py (OBJ, PLY).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.painted import painted
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.morphable.textured import TexturedModel
from facegpt_model.rendering.topology import vertex_normals

PAINT_SIZE = 1024
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Paint:
    """Colours finer than vertices: a picture laid over the mesh.

    uv: (U, 2) float32 in [0, 1], u right, v up; triangles_uv: (T, 3) int64
    image: (S, S, 3) uint8 sRGB, row 0 at v = 1
    """

    uv: Floats
    triangles_uv: NDArray[np.int64]
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class NamedMesh:
    """Something worn with a face, such as hair or glasses: its own mesh and one material.

    name:          what files call it, such as "hair"; unique among the things a face wears
    vertices:      (V, 3) float32 mm, head frame, as it sits on the face without expression
    normals:       (V, 3) float32 unit normals
    triangles:     (T, 3) int64, counter-clockwise from outside
    base_colour:   linear RGB and opacity in [0, 1]; multiplies the image where there is one
    roughness, metallic: 0 to 1, as in glTF
    uv:            (V, 2) float32, u right, v up; needed with an image
    image:         (H, W, 3 or 4) uint8 sRGB and opacity, row 0 at v = 1
    alpha:         what opacity does: OPAQUE nothing, MASK cuts below 0.5, BLEND is see-through
    double_sided:  seen from behind too, as strips of hair and lenses are
    morph_targets: a name of the face's targets -> (V, 3) float32 mm, displacement at weight 1;
                   targets not named here leave it still
    Raises ValueError when shapes or numbers do not fit.
    """

    name: str
    vertices: Floats
    normals: Floats
    triangles: NDArray[np.int64]
    base_colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    roughness: float = 0.6
    metallic: float = 0.0
    uv: Floats | None = None
    image: NDArray[np.uint8] | None = None
    alpha: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    double_sided: bool = True
    morph_targets: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.vertices)
        moved = {f"target {name}": rows for name, rows in self.morph_targets.items()}
        for what, rows in {"vertices": self.vertices, "normals": self.normals, **moved}.items():
            if rows.shape != (count, 3) or not np.isfinite(rows).all():
                raise ValueError(f"{self.name}: {what} must be ({count}, 3) finite numbers, not {rows.shape}")
        if not self.triangles.size or self.triangles.min() < 0 or self.triangles.max() >= count:
            raise ValueError(f"{self.name}: triangles must name some of its {count} vertices")
        if self.uv is not None and self.uv.shape != (count, 2):
            raise ValueError(f"{self.name}: uv must be ({count}, 2), not {self.uv.shape}")
        if self.image is not None and self.uv is None:
            raise ValueError(f"{self.name}: an image needs uv")
        factors = (*self.base_colour, self.roughness, self.metallic)
        if not all(0 <= factor <= 1 for factor in factors):
            raise ValueError(f"{self.name}: colours, roughness and metallic lie in [0, 1], not {factors}")

    def posed(self, weights: Mapping[str, float]) -> Floats:
        """(V, 3) mm with these weights of the face's targets applied."""
        place = self.vertices.astype(np.float64)
        for name, displacement in self.morph_targets.items():
            place = place + weights.get(name, 0.0) * displacement
        return place.astype(np.float32)


@dataclass(frozen=True)
class Mesh:
    """A face with its current expression, and what it takes to change that expression.

    vertices:      (V, 3) float32 mm, expression applied
    normals:       (V, 3) float32 unit normals of these vertices
    colours:       (V, 3) float32 linear RGB in [0, 1]
    triangles:     (T, 3) int64, counter-clockwise from outside
    part:          (T,) int64 index into part_names
    morph_targets: name -> (V, 3) float32 mm, displacement from neutral at weight 1
    morph_weights: name -> weight of that target in `vertices`
    morph_ranges:  name -> least and largest useful weight, 0 and 1 for names not in it
    paint:         the same colours as a picture, for models that have one
    """

    vertices: Floats
    normals: Floats
    colours: Floats
    triangles: NDArray[np.int64]
    part: NDArray[np.int64]
    part_names: tuple[str, ...]
    morph_targets: dict[str, Floats]
    morph_weights: dict[str, float]
    paint: Paint | None = None
    morph_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def neutral_vertices(self) -> Floats:
        """(V, 3) mm without expression."""
        neutral = self.vertices.astype(np.float64)
        for name, displacement in self.morph_targets.items():
            neutral = neutral - self.morph_weights[name] * displacement
        return neutral.astype(np.float32)


def check_worn(mesh: Mesh, worn: Sequence[NamedMesh]) -> None:
    """ValueError unless names are unique, those of parts included, and targets are the face's."""
    names = ["face", "head", *mesh.part_names, *(thing.name for thing in worn)]
    for thing in worn:
        if names.count(thing.name) > 1:
            raise ValueError(f"a face has two things called {thing.name!r}")
        unknown = [name for name in thing.morph_targets if name not in mesh.morph_targets]
        if unknown:
            raise ValueError(f"{thing.name} follows {unknown[0]!r}, which is no target of the face")


def mesh_of(model: MorphableModel, code: FaceCode) -> Mesh:
    """The mesh of one face, with every expression of the model as a morph target.

    Raises ValueError unless the code holds exactly one face, BasisMismatch for a code of
    another model.
    """
    if code.batch_size != 1:
        raise ValueError(f"a mesh shows one face, but the code holds {code.batch_size}; take code[index]")
    count = len(model.expression_names)
    with torch.no_grad():
        vertices = model.vertices(code)
        neutral = model.vertices(code.neutral())
        one_each = replace(
            code,
            identity=code.identity.expand(count, -1),
            albedo=code.albedo.expand(count, -1),
            joints=code.joints.expand(count, -1, -1),
            appearance=code.appearance.expand(count, -1),
            expression=torch.eye(count).to(code.expression),
        )
        displacements = (model.vertices(one_each) - neutral).float().numpy()
        normals = vertex_normals(vertices, model.triangles)
        colours = model.albedo(code)
        paint = _paint(model, code) if isinstance(model, TexturedModel) else None
    return Mesh(
        vertices=vertices[0].float().numpy(),
        normals=normals[0].float().numpy(),
        colours=colours[0].float().clamp(0, 1).numpy(),
        triangles=model.triangles.numpy().astype(np.int64),
        part=model.part.numpy().astype(np.int64),
        part_names=tuple(model.part_names),
        morph_targets=dict(zip(model.expression_names, displacements, strict=True)),
        morph_weights=dict(zip(model.expression_names, code.expression[0].tolist(), strict=True)),
        paint=paint,
    )


def _paint(model: TexturedModel, code: FaceCode) -> Paint:
    colour = painted(model, code, PAINT_SIZE).colour
    return Paint(
        uv=model.uv.float().numpy(),
        triangles_uv=model.triangles_uv.numpy().astype(np.int64),
        image=np.round(srgb(colour) * 255).astype(np.uint8),
    )


def srgb(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    """Linear RGB, clipped to [0, 1], as sRGB in [0, 1] (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def save_bytes(path: Path, payload: bytes) -> None:
    """Write a whole file or none: a temporary file beside it takes its place at the end."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.write_bytes(payload)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
