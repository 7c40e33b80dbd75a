"""The room around a head: how far from the skin a place is, and where it goes on another head.

Hair is grown around the mean face of a model and then carried to each person, so that a
parting or a hairline means the same on everyone. Millimetres, head frame (x to the
person's left, y up, z out of the face). Everything here depends on the model only and is
kept as long as the model lives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from facegpt_model.face import FaceCode
from facegpt_model.morphable.textured import TexturedModel
from facegpt_model.rendering.subdivision import fine_attributes, subdivide
from facegpt_model.rendering.topology import vertex_normals

Array = NDArray[np.floating]
Ints = NDArray[np.int64]
CELL_MM = 4.0  # of the distance field
NODE_MM = 14.0  # of the field that carries places to another head
MARGIN_MM = 60.0  # how far both reach beyond the head
NEIGHBOURS = 12
MASK_SIZE = 512
EAR_CENTRE = np.array([58.0, 22.0, -90.0])
EAR_BULGE = np.array([32.0, 78.0, 72.0])  # half axes of what long hair goes over
EAR_BLEND_MM = 14.0
HAIRY = ("scalp", "beard", "brow")  # regions of the atlas whose hair can be worn


@njit(cache=True, nogil=True)
def _nearest_samples(points: np.ndarray, low: np.ndarray, cell: float, shape: tuple) -> np.ndarray:
    """(X, Y, Z) index of about the nearest point for each cell, by sweeping it through the grid."""
    nx, ny, nz = shape
    found = np.full((nx, ny, nz), -1, np.int64)
    best = np.full((nx, ny, nz), np.float32(1e12))
    for i in range(len(points)):
        a = int((points[i, 0] - low[0]) / cell + 0.5)
        b = int((points[i, 1] - low[1]) / cell + 0.5)
        c = int((points[i, 2] - low[2]) / cell + 0.5)
        for x in range(max(a - 1, 0), min(a + 2, nx)):
            for y in range(max(b - 1, 0), min(b + 2, ny)):
                for z in range(max(c - 1, 0), min(c + 2, nz)):
                    dx, dy, dz = (
                        low[0] + x * cell - points[i, 0],
                        low[1] + y * cell - points[i, 1],
                        low[2] + z * cell - points[i, 2],
                    )
                    far = dx * dx + dy * dy + dz * dz
                    if far < best[x, y, z]:
                        best[x, y, z] = far
                        found[x, y, z] = i
    for sweep in range(4):
        step = 1 if sweep % 2 == 0 else -1
        for i in range(nx):
            x = i if step > 0 else nx - 1 - i
            for j in range(ny):
                y = j if step > 0 else ny - 1 - j
                for k in range(nz):
                    z = k if step > 0 else nz - 1 - k
                    for dx in range(-1, 2):
                        for dy in range(-1, 2):
                            for dz in range(-1, 2):
                                u, v, w = x + dx, y + dy, z + dz
                                if u < 0 or v < 0 or w < 0 or u >= nx or v >= ny or w >= nz:
                                    continue
                                p = found[u, v, w]
                                if p < 0:
                                    continue
                                px = low[0] + x * cell - points[p, 0]
                                py = low[1] + y * cell - points[p, 1]
                                pz = low[2] + z * cell - points[p, 2]
                                far = px * px + py * py + pz * pz
                                if far < best[x, y, z]:
                                    best[x, y, z] = far
                                    found[x, y, z] = p
    return found


@njit(cache=True, nogil=True)
def _near_vertices(nodes: np.ndarray, points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, count) indices of the nearest points of each node and their distances."""
    index = np.zeros((len(nodes), count), np.int64)
    reach = np.full((len(nodes), count), np.float32(1e12))
    for m in range(len(nodes)):
        for i in range(len(points)):
            dx, dy, dz = (
                nodes[m, 0] - points[i, 0],
                nodes[m, 1] - points[i, 1],
                nodes[m, 2] - points[i, 2],
            )
            far = dx * dx + dy * dy + dz * dz
            if far >= reach[m, count - 1]:
                continue
            k = count - 1
            while k > 0 and reach[m, k - 1] > far:
                reach[m, k] = reach[m, k - 1]
                index[m, k] = index[m, k - 1]
                k -= 1
            reach[m, k] = far
            index[m, k] = i
    return index, np.sqrt(reach)


@njit(cache=True, nogil=True)
def trilinear(field: np.ndarray, low: np.ndarray, cell: float, points: np.ndarray) -> np.ndarray:
    """(N, C) values of a field (X, Y, Z, C) at points (N, 3); beyond its edge, those of the edge."""
    nx, ny, nz, channels = field.shape
    out = np.zeros((len(points), channels), np.float32)
    for i in range(len(points)):
        x = min(max((points[i, 0] - low[0]) / cell, 0.0), nx - 1.001)
        y = min(max((points[i, 1] - low[1]) / cell, 0.0), ny - 1.001)
        z = min(max((points[i, 2] - low[2]) / cell, 0.0), nz - 1.001)
        a, b, c = math.floor(x), math.floor(y), math.floor(z)
        u, v, w = x - a, y - b, z - c
        for k in range(8):
            da, db, dc = k & 1, (k >> 1) & 1, k >> 2
            share = (u if da else 1 - u) * (v if db else 1 - v) * (w if dc else 1 - w)
            for q in range(channels):
                out[i, q] += share * field[a + da, b + db, c + dc, q]
    return out


@dataclass(frozen=True)
class HeadSpace:
    """The mean head of a model and the room around it.

    mean, normals: (V, 3) of the mean face; triangles: (T, 3) of its skin
    corner_uv: (T, 3, 2); masks: name -> (S, S) in [0, 1], row 0 at v = 1
    low: (3,) corner of both grids; distance: (X, Y, Z, 4) signed distance to the skin in mm,
    positive outside, and the unit direction away from it, every CELL_MM
    node_shape: sizes of the carrying grid; near, share: (M, NEIGHBOURS) skin vertices that
    carry each node and their shares
    """

    mean: Array
    normals: Array
    triangles: Ints
    corner_uv: Array
    masks: dict[str, Array]
    low: Array
    distance: Array
    over_ears: Array
    node_shape: tuple[int, int, int]
    near: Ints
    share: Array

    def carry(self, points: Array, vertices: Array) -> Array:
        """(N, 3) places on the head with these (V, 3) vertices of (N, 3) places around the mean head."""
        moved = ((vertices - self.mean)[self.near] * self.share[..., None]).sum(axis=1)
        field = np.ascontiguousarray(moved.reshape(*self.node_shape, 3), np.float32)
        return points + trilinear(field, self.low, NODE_MM, np.ascontiguousarray(points, np.float32))

    def mask_at(self, name: str, uv: Array) -> Array:
        """(N,) weight of a region at places (N, 2) of the atlas, nearest texel."""
        mask = self.masks[name]
        column = np.clip((uv[:, 0] * MASK_SIZE).astype(np.int64), 0, MASK_SIZE - 1)
        row = np.clip(((1 - uv[:, 1]) * MASK_SIZE).astype(np.int64), 0, MASK_SIZE - 1)
        return mask[row, column]


_SPACES: WeakKeyDictionary[TexturedModel, HeadSpace] = WeakKeyDictionary()


def head_space(model: TexturedModel) -> HeadSpace:
    """The room around the mean head of a model that paints a scalp; made once per model."""
    if model not in _SPACES:
        _SPACES[model] = _measure(model)
    return _SPACES[model]


def has_scalp(model: object) -> bool:
    """Whether hair knows where to grow on this model."""
    return isinstance(model, TexturedModel) and set(HAIRY) <= set(model.region_names)


def _measure(model: TexturedModel) -> HeadSpace:
    with torch.no_grad():
        mean = model.vertices(_mean_code(model)).float()
        skin = model.part == list(model.part_names).index("skin")
        triangles = model.triangles[skin]
        normals = vertex_normals(mean, triangles)[0].numpy()
        masks = model.masks(MASK_SIZE)
    place, corners = mean[0].numpy(), triangles.numpy().astype(np.int64)
    fine, _ = subdivide(place, corners)
    outward = fine_attributes(normals, corners)
    used = np.zeros(len(fine), bool)
    used[np.unique(corners)] = True
    used[len(place) :] = True
    fine, outward = fine[used], outward[used]
    low = place.min(axis=0) - MARGIN_MM
    extent = place.max(axis=0) + MARGIN_MM - low
    shape = tuple(int(n) for n in np.ceil(extent / CELL_MM).astype(int) + 1)
    nearest = _nearest_samples(fine.astype(np.float32), low.astype(np.float32), CELL_MM, shape)
    axes = [low[k] + CELL_MM * np.arange(shape[k]) for k in range(3)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    apart = cells - fine[nearest]
    away = outward[nearest]
    away = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    plane = (apart * away).sum(axis=-1)
    straight = np.linalg.norm(apart, axis=-1)
    far = np.clip((straight - 4) / 8, 0, 1)
    distance = (1 - far) * plane + far * np.sign(plane) * straight
    pointing = np.sign(plane)[..., None] * apart / np.maximum(straight, 1e-6)[..., None]
    direction = (1 - far)[..., None] * away + far[..., None] * pointing
    direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-6)
    node_shape = tuple(int(n) for n in np.ceil(extent / NODE_MM).astype(int) + 1)
    nodes = np.stack(
        np.meshgrid(*[low[k] + NODE_MM * np.arange(node_shape[k]) for k in range(3)], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    skin_vertices = np.unique(corners)
    near, reach = _near_vertices(
        nodes.astype(np.float32), np.ascontiguousarray(place[skin_vertices]), NEIGHBOURS
    )
    share = 1 / (reach + 4.0) ** 2
    share /= share.sum(axis=1, keepdims=True)
    names = list(model.region_names)
    return HeadSpace(
        mean=place,
        normals=normals,
        triangles=corners,
        corner_uv=model.uv.float().numpy()[model.triangles_uv[skin].numpy()],
        masks={name: masks[names.index(name)].float().numpy() for name in HAIRY},
        low=low.astype(np.float32),
        distance=np.concatenate([distance[..., None], direction], axis=-1).astype(np.float32),
        over_ears=_over_ears(cells, distance, direction),
        node_shape=(node_shape[0], node_shape[1], node_shape[2]),
        near=skin_vertices[near],
        share=share.astype(np.float32),
    )


def _over_ears(cells: Array, distance: Array, direction: Array) -> Array:
    """(X, Y, Z, 4) the distance field with an ellipsoid smoothly joined on over each ear."""
    apart = np.abs(cells[..., :1]) * [1, 0, 0] + cells * [0, 1, 1] - EAR_CENTRE
    scaled = np.linalg.norm(apart / EAR_BULGE, axis=-1)
    slope = apart / EAR_BULGE**2
    steep = np.maximum(np.linalg.norm(slope, axis=-1), 1e-6)
    bulge = scaled * (scaled - 1) / steep
    away = slope / steep[..., None]
    away[..., 0] *= np.where(cells[..., 0] < 0, -1, 1)
    share = np.clip(0.5 + 0.5 * (distance - bulge) / EAR_BLEND_MM, 0, 1)
    joined = distance + share * (bulge - distance) - EAR_BLEND_MM * share * (1 - share)
    pointing = direction + share[..., None] * (away - direction)
    pointing /= np.maximum(np.linalg.norm(pointing, axis=-1, keepdims=True), 1e-6)
    return np.concatenate([joined[..., None], pointing], axis=-1).astype(np.float32)


def _mean_code(model: TexturedModel) -> FaceCode:
    return model.layout.unpack(torch.zeros(1, model.layout.code_size))
