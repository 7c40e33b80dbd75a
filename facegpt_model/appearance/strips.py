"""Hair as meshes for files: strips that carry many strands in a painted texture, over a dark cap.

Strands are what stills draw (strands.py); other programs get the middles of their locks as
narrow strips with a cut-out picture of hair, and a cap that keeps skin from showing between.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.head_space import Array, HeadSpace, head_space
from facegpt_model.appearance.strand import Strands
from facegpt_model.appearance.strands import arc_length, frames
from facegpt_model.face import FaceCode
from facegpt_model.mesh import NamedMesh, srgb
from facegpt_model.morphable.textured import TexturedModel

TILE = (64, 512)  # texels across and along one painted lock
TILES = 6  # the last one is solid, for the cap
CAP_MM = 1.0
AXIS = np.array([0.0, 20.0, -90.0])  # strips turn their face away from here
LEAST_MOTION_MM = 0.25  # expressions that move no vertex further are left out


def strip_mesh(
    model: TexturedModel,
    code: FaceCode,
    name: str,
    strands: Strands,
    width_mm: float,
    segments: int,
    hairs: int,
    cap: NDArray[np.bool_] | None = None,
) -> NamedMesh:
    """One mesh of the strips of all locks; cap: (V,) vertices of the head to cover under them.

    strands: as worn without expression; width_mm: of a strip at its root; hairs: painted on a
    strip, few where it is short, so that their tips stand apart.
    """
    space = head_space(model)
    middles = np.unique(strands.lock)
    random = np.random.default_rng(81)
    line = _resampled(strands.points[middles], segments + 1)
    outward = line - AXIS
    outward[..., 1] *= 0.35
    outward = outward + 40 * strands.normal[middles][:, None]
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    up, across = frames(line, outward)
    turn = random.normal(0, 0.35, len(line))[:, None, None]
    across = np.cos(turn) * across + np.sin(turn) * up
    facing = 0.75 * outward + 0.25 * up  # light falls on the mass of hair, not on single strips
    t = np.linspace(0, 1, segments + 1)
    half = 0.5 * width_mm * random.uniform(0.75, 1.3, len(line))[:, None] * (1 - 0.45 * t**2)
    edges = np.stack([line - half[..., None] * across, line + half[..., None] * across], axis=2)
    tile = random.integers(0, TILES - 1, len(line))
    u = (tile[:, None] + np.where(random.random((len(line), 1)) < 0.5, [0.02, 0.98], [0.98, 0.02])) / TILES
    uv = np.stack(np.broadcast_arrays(u[:, None, :], (1 - t)[None, :, None]), axis=3)
    row = np.arange(segments)
    quad = np.stack([2 * row, 2 * row + 1, 2 * row + 3, 2 * row, 2 * row + 3, 2 * row + 2], axis=1)
    triangles = (
        quad.reshape(-1, 3)[None] + (np.arange(len(line)) * 2 * (segments + 1))[:, None, None]
    ).reshape(-1, 3)
    vertices = edges.reshape(-1, 3)
    normals = np.repeat(facing[:, :, None], 2, axis=2).reshape(-1, 3)
    places = uv.reshape(-1, 2)
    fade = np.exp(-arc_length(line) / strands.follow_mm)
    motion = _motions(
        model, space, strands, middles, np.repeat(fade[..., None], 2, axis=2).reshape(len(line), -1)
    )
    if cap is not None:
        covered, corners = _cap(space, cap)
        with torch.no_grad():
            head = model.vertices(code.neutral())[0].float().numpy()
        above = head[covered] + CAP_MM * space.normals[covered]
        triangles = np.concatenate([corners, triangles + len(covered)])
        vertices = np.concatenate([above, vertices])
        normals = np.concatenate([space.normals[covered], normals])
        solid = np.stack(
            [(TILES - 0.5 + 0.2 * np.sin(above[:, 0] / 9)) / TILES, 0.5 + 0.4 * np.sin(above[:, 2] / 40)],
            axis=1,
        )
        places = np.concatenate([solid, places])
        basis = model.expression_basis[:, torch.from_numpy(covered)].float().numpy()
        motion = np.concatenate([basis, motion], axis=1)
    moving = np.abs(motion).max(axis=(1, 2)) > LEAST_MOTION_MM
    return NamedMesh(
        name=name,
        vertices=vertices.astype(np.float32),
        normals=(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)).astype(
            np.float32
        ),
        triangles=triangles.astype(np.int64),
        roughness=0.7,
        uv=places.astype(np.float32),
        image=_picture(strands, hairs),
        alpha="MASK",
        morph_targets={
            target: motion[k].astype(np.float32)
            for k, target in enumerate(model.expression_names)
            if moving[k]
        },
    )


def _resampled(points: Array, count: int) -> NDArray[np.float64]:
    """(N, count, 3) the same lines with evenly chosen points."""
    at = np.linspace(0, points.shape[1] - 1, count)
    before = np.minimum(at.astype(int), points.shape[1] - 2)
    share = (at - before)[None, :, None]
    return np.asarray(points[:, before] * (1 - share) + points[:, before + 1] * share, np.float64)


def _motions(
    model: TexturedModel, space: HeadSpace, strands: Strands, middles: NDArray[np.int64], fade: Array
) -> NDArray[np.float32]:
    """(E, N * K, 3) displacement of each strip's K vertices under each expression."""
    basis = model.expression_basis.float().numpy()
    corners = space.triangles[strands.triangle[middles]]
    roots = (basis[:, corners] * strands.weights[middles][None, ..., None]).sum(axis=2)
    return (roots[:, :, None] * fade[None, ..., None]).reshape(len(basis), -1, 3).astype(np.float32)


def _cap(space: HeadSpace, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices of the triangles whose corners are all chosen, and those triangles among them."""
    corners = space.triangles[chosen[space.triangles].all(axis=1)]
    used, renamed = np.unique(corners, return_inverse=True)
    return used, renamed.reshape(-1, 3)


def _picture(strands: Strands, hairs: int) -> NDArray[np.uint8]:
    """(H, W, 4) sRGB and opacity: locks of single hairs in the strands' own colours, root at the top."""
    random = np.random.default_rng(82)
    width, height = TILE
    colour = np.zeros((height, width * TILES, 3))
    depth = np.full((height, width * TILES), -1.0)
    rows = np.arange(height)
    t = rows / (height - 1)
    shade = strands.root_shade + (strands.tip_shade - strands.root_shade) * t
    for tile in range(TILES):
        solid = tile == TILES - 1
        count = 90 if solid else hairs
        for hair in range(count):
            start = random.uniform(0.03, 0.97) if solid else random.uniform(0.08, 0.92)
            end = start + random.normal(0, 0.07)
            bend = random.normal(0, 0.05) * np.sin(np.pi * t * random.uniform(1, 2.5))
            x = (start + (end - start) * t**1.5 + bend) * (width - 1)
            inner = 1 - abs(2 * start - 1)
            stops = height if solid else height * min(1.0, random.uniform(0.62, 0.86) + 0.22 * inner)
            begins = 0 if solid else int(random.uniform(0, 0.05) * height * (1 - inner))
            own = strands.colour[random.integers(len(strands))]
            thick = random.uniform(1.4, 2.8) * (46 / count if not solid else 1) ** 0.7
            tip = thick * (1 - 0.85 * np.clip((rows / stops - 0.55) / 0.45, 0, 1))
            for offset in range(-4, 5):
                column = np.rint(x + offset).astype(int)
                cover = tip / 2 - np.abs(column - x)
                inside = (cover > -0.2) & (column >= 0) & (column < width) & (rows < stops) & (rows >= begins)
                place = tile * width + column[inside]
                over = hair + 0.5 > depth[rows[inside], place]
                line = rows[inside][over]
                depth[line, place[over]] = hair + 0.5
                light = (
                    shade[line] * (0.82 + 0.3 * np.clip(cover[inside][over], 0, 1)) * (0.75 if solid else 1)
                )
                colour[line, place[over]] = own * light[:, None]
    mean = strands.colour.mean(axis=0)
    painted = depth >= 0
    colour = np.where(painted[..., None], colour, mean * 0.7)
    opacity = painted | (np.arange(width * TILES) >= width * (TILES - 1))[None]
    return np.concatenate(
        [np.round(srgb(colour) * 255), np.where(opacity, 255, 0)[..., None]], axis=2
    ).astype(np.uint8)
