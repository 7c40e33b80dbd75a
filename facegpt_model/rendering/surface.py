"""A face prepared for a still: fine mesh, texture, materials, eyes and ambient occlusion.

Everything is numpy, in the head frame and in millimetres, and does not depend on the view.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.on_head import worn_strands
from facegpt_model.appearance.painted import painted
from facegpt_model.appearance.strand import Strands
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.morphable.textured import TexturedModel
from facegpt_model.rendering.occlusion import ambient_occlusion
from facegpt_model.rendering.subdivision import fine_attributes, fine_corners, subdivide
from facegpt_model.rendering.topology import vertex_normals

Array = NDArray[np.float32]
SKIN, MOUTH, EYE = 0, 1, 2  # materials; EYE + k is the k-th eyeball


# How much regions mirror, in shares of plain skin's reflection; regions not named are 1.
GLOSS = {
    "scalp": 0.22,
    "beard": 0.6,
    "lashes": 0.3,
    "lips": 1.5,
    "wet_rim": 3.0,
    "cavity": 0.3,
    "mouth_line": 0.6,
}


_GLOSS_MAPS: WeakKeyDictionary[object, dict[int, Array]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Surface:
    """One face, ready to be drawn from anywhere.

    vertices, normals: (V, 3); triangles: (T, 3); material: (T,) SKIN, MOUTH or EYE + k
    rest: (V, 3) the same person without expression, to which pores stick
    occlusion: (V,) visible share of the surroundings; colours: (V, 3) linear RGB
    corner_uv: (T, 3, 2), u right and v up; texture: (S, S, 4) linear RGB and gloss, row 0 at
    v = 1; a texture of size 0 means that the vertex colours hold
    eyes: (K, 6) centre of each eyeball and unit direction of its gaze
    strands: hair of scalp and face, drawn beside the mesh
    slope: (S, S, 3) relief finer than the mesh, over the same atlas: a normal n of the neutral
    head becomes n - slope; size 0 for none
    worn: (M, 2) roughness and metalness of solid things; a material -1 - k is the k-th of them
    """

    vertices: Array
    normals: Array
    rest: Array
    triangles: NDArray[np.int64]
    material: NDArray[np.int64]
    occlusion: Array
    colours: Array
    corner_uv: Array
    texture: Array
    eyes: Array
    strands: tuple[Strands, ...] = ()
    slope: Array = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    worn: Array = field(default_factory=lambda: np.zeros((0, 2), np.float32))


def surface_of(model: MorphableModel, code: FaceCode, texture_size: int) -> Surface:
    """Prepare one face; ValueError unless the code holds exactly one.

    Models that are not TexturedModels are drawn by their vertex colours.
    """
    if code.batch_size != 1:
        raise ValueError(f"a still shows one face, but the code holds {code.batch_size}; take code[index]")
    with torch.no_grad():
        coarse = model.vertices(code).float()
        rest = model.vertices(code.neutral())[0].float().numpy()
        coarse_normals = vertex_normals(coarse, model.triangles)[0].numpy()
        colours = model.albedo(code)[0].float().numpy()
        texture = np.zeros((0, 0, 4), np.float32)
        slope = np.zeros((0, 0, 3), np.float32)
        corner_uv = np.zeros((len(model.triangles), 3, 2), np.float32)
        if isinstance(model, TexturedModel):
            skin = painted(model, code, texture_size)
            gloss = _gloss(model, texture_size) * skin.gloss
            texture = np.ascontiguousarray(np.concatenate([skin.colour, gloss], axis=2))
            slope = skin.slope
            corner_uv = model.uv.float().numpy()[model.triangles_uv.numpy()]
    vertices, triangles = coarse[0].numpy(), model.triangles.numpy()
    part = model.part.numpy()
    material, eyes = _materials(model.part_names, part, triangles, rest, vertices)
    occlusion = ambient_occlusion(vertices, coarse_normals, triangles)
    fine, finer_triangles = subdivide(vertices, triangles)
    normals = vertex_normals(torch.from_numpy(fine)[None], torch.from_numpy(finer_triangles))[0].numpy()
    return Surface(
        vertices=fine,
        normals=normals,
        rest=fine_attributes(rest, triangles),
        triangles=finer_triangles,
        material=np.repeat(material, 4),
        occlusion=fine_attributes(occlusion[:, None], triangles)[:, 0],
        colours=fine_attributes(colours, triangles),
        corner_uv=fine_corners(corner_uv),
        texture=texture,
        eyes=eyes,
        strands=worn_strands(model, code),
        slope=slope,
    )


def _gloss(model: TexturedModel, size: int) -> Array:
    """(size, size, 1) gloss over the atlas, kept as long as the model lives."""
    known = _GLOSS_MAPS.setdefault(model, {})
    if size not in known:
        gloss = torch.ones(size, size)
        for name, mask in zip(model.region_names, model.masks(size).float(), strict=True):
            gloss = gloss * (1 + mask * (GLOSS.get(name, 1.0) - 1))
        known[size] = gloss[..., None].numpy()
    return known[size]


def _materials(
    names: tuple[str, ...],
    part: NDArray[np.int64],
    triangles: NDArray[np.int64],
    rest: Array,
    vertices: Array,
) -> tuple[NDArray[np.int64], Array]:
    """Material of each triangle, and the eyeballs: their gaze passes the vertex that is foremost at rest."""
    material = np.full(len(part), SKIN)
    eyes: list[NDArray[np.float64]] = []
    for index, name in enumerate(names):
        if "eye" in name and "lash" not in name and "brow" not in name:
            for ball in _pieces(np.unique(triangles[part == index]), triangles[part == index], rest):
                pole = ball[rest[ball, 2].argmax()]
                centre = (vertices[ball].min(axis=0) + vertices[ball].max(axis=0)) / 2
                gaze = vertices[pole] - centre
                inside = (part == index) & np.isin(triangles[:, 0], ball)
                material[inside] = EYE + len(eyes)
                eyes.append(np.concatenate([centre, gaze / np.linalg.norm(gaze)]))
        elif any(word in name for word in ("teeth", "tongue", "gum", "mouth")):
            material[part == index] = MOUTH
    return material, np.array(eyes, np.float32).reshape(-1, 6)


def _pieces(used: NDArray[np.int64], triangles: NDArray[np.int64], rest: Array) -> list[NDArray[np.int64]]:
    """A part called "eyes" holds both balls: split it by side of the face."""
    left = rest[used, 0] > 0
    if left.all() or not left.any():
        return [used] if len(used) else []
    return [used[left], used[~left]]
