"""Things a face wears in a still: solid ones become part of the surface, see-through ones lie over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facegpt_model.appearance.worn import worn_glasses
from facegpt_model.face import FaceCode
from facegpt_model.mesh import NamedMesh
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.rendering.lamps import Lamps
from facegpt_model.rendering.surface import Surface
from facegpt_model.rendering.visibility import rasterise

Array = NDArray[np.float32]
CASTS_SHADOW_FROM = 0.4  # mean opacity from which a see-through thing keeps light away
LENS_F0 = 0.03
PANE = (0.10, 0.34)  # half width and height, as tangents, of the soft light mirrored in lenses
PANE_WAY = (-0.34, 0.02, 0.95)
PANE_LIGHT = 1.6


def worn_now(model: MorphableModel, code: FaceCode) -> list[NamedMesh]:
    """What one face wears beside its hair, which stills draw as strands; moved by its expression."""
    weights = dict(zip(model.expression_names, code.expression[0].tolist(), strict=True))
    return [replace(mesh, vertices=mesh.posed(weights)) for mesh in worn_glasses(model, code)]


def dressed(surface: Surface, meshes: Sequence[NamedMesh]) -> Surface:
    """The surface with solid meshes added; their material is -1 - k, the row k of Surface.worn."""
    for mesh in meshes:
        count, corners = len(mesh.vertices), len(mesh.triangles)
        start = len(surface.vertices)
        finish = np.array([[mesh.roughness, mesh.metallic]], np.float32)
        surface = replace(
            surface,
            vertices=np.concatenate([surface.vertices, mesh.vertices]),
            normals=np.concatenate([surface.normals, mesh.normals]),
            rest=np.concatenate([surface.rest, mesh.vertices]),
            triangles=np.concatenate([surface.triangles, mesh.triangles + start]),
            material=np.concatenate([surface.material, np.full(corners, -1 - len(surface.worn))]),
            occlusion=np.concatenate([surface.occlusion, np.ones(count, np.float32)]),
            colours=np.concatenate(
                [surface.colours, np.tile(np.array(mesh.base_colour[:3], np.float32), (count, 1))]
            ),
            corner_uv=np.concatenate([surface.corner_uv, np.zeros((corners, 3, 2), np.float32)]),
            worn=np.concatenate([surface.worn, finish]),
        )
    return surface


def casts_shadow(mesh: NamedMesh) -> bool:
    """Whether a see-through mesh is dark enough to be drawn into the shadow map."""
    opacity = mesh.base_colour[3]
    if mesh.image is not None and mesh.image.shape[2] == 4:
        opacity *= float(np.median(mesh.image[..., 3])) / 255
    return opacity >= CASTS_SHADOW_FROM


def lay_over(
    mesh: NamedMesh,
    screen: NDArray[np.float64],
    positions: NDArray[np.float64],
    normals: NDArray[np.float64],
    nearest: Array,
    light: Array,
    cover: Array,
    lamps: Lamps,
) -> None:
    """Draw a see-through mesh over light (H, W, 3) and cover (H, W), in place, where nothing is nearer.

    screen: (V, 3) pixel x, y and depth; positions, normals: (V, 3) in the lamps' frame; light is
    linear and counts where cover is 1; a lens before the background adds to cover.
    """
    height, width = nearest.shape
    points = np.column_stack([screen[:, :2], 1 / screen[:, 2]])
    ids, near = rasterise(points, mesh.triangles, height, width)
    rows, columns = np.nonzero((ids >= 0) & (near >= nearest))
    if not len(rows):
        return
    corners = mesh.triangles[ids[rows, columns]]
    weights = _weights(screen[corners], columns + 0.5, rows + 0.5)

    def mixed(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.einsum("nk,nkc->nc", weights, values[corners])

    towards = -mixed(positions)
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    normal = mixed(normals)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    facing = np.einsum("nc,nc->n", normal, towards)
    normal *= np.where(facing < 0, -1.0, 1.0)[:, None]
    facing = np.abs(facing)
    colour, opacity = _tint(mesh, None if mesh.uv is None else mixed(mesh.uv))
    mirrored = 2 * facing[:, None] * normal - towards
    fresnel = LENS_F0 + (1 - LENS_F0) * (1 - facing) ** 5
    key_colour, ground = np.array(lamps.key_colour), np.array(lamps.ground)
    sky = ground + (np.array(lamps.sky) - ground) * (0.5 + 0.5 * mirrored[:, 1:2])
    shine = fresnel[:, None] * (0.6 * sky + PANE_LIGHT * _pane(mirrored)[:, None] * key_colour)
    lit = 0.35 * (sky + key_colour * np.maximum(normal @ np.array(lamps.key), 0)[:, None])
    share = 1 - (1 - opacity) * (1 - fresnel)
    behind = light[rows, columns] * cover[rows, columns, None]
    light[rows, columns] = behind * (1 - share)[:, None] + colour * lit * opacity[:, None] + shine
    shown = cover[rows, columns] + (1 - cover[rows, columns]) * share
    light[rows, columns] /= np.maximum(shown, 1e-6)[:, None]
    cover[rows, columns] = shown


def _weights(
    corners: NDArray[np.float64], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n, 3) barycentric weights of pixels in triangles (n, 3, 3), right under perspective."""
    (ax, ay), (bx, by), (cx, cy) = ((corners[:, k, 0] - x, corners[:, k, 1] - y) for k in range(3))
    flat = np.stack([bx * cy - cx * by, cx * ay - ax * cy, ax * by - bx * ay], axis=1) / corners[..., 2]
    return flat / flat.sum(axis=1, keepdims=True)


def _tint(mesh: NamedMesh, uv: NDArray[np.float64] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear colour (n, 3) and opacity (n,) at places (n, 2) of the mesh's image."""
    base = np.array(mesh.base_colour)
    if mesh.image is None or uv is None:
        return base[None, :3], base[3:]
    height, width = mesh.image.shape[:2]
    column = np.clip((uv[:, 0] * width).astype(np.int64), 0, width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(np.int64), 0, height - 1)
    texel = mesh.image[row, column].astype(np.float64) / 255
    colour = np.where(texel[:, :3] <= 0.04045, texel[:, :3] / 12.92, ((texel[:, :3] + 0.055) / 1.055) ** 2.4)
    opacity = texel[:, 3] if mesh.image.shape[2] == 4 else np.ones(len(texel))
    return colour * base[:3], opacity * base[3]


def _pane(way: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) share of a soft upright pane of light that mirrored rays (n, 3) meet."""
    forward = np.array(PANE_WAY) / np.linalg.norm(PANE_WAY)
    right = np.array([forward[2], 0.0, -forward[0]]) / np.hypot(forward[0], forward[2])
    along = np.maximum(way @ forward, 1e-3)
    across, up = way @ right / along, way @ np.cross(forward, right) / along
    inside = [
        np.clip((half - np.abs(at)) / 0.16 + 0.5, 0, 1) for half, at in zip(PANE, (across, up), strict=True)
    ]
    return np.where(way @ forward > 0, inside[0] * inside[1], 0.0)
