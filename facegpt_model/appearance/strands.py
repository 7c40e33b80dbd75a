"""Strands: how hair grows from its root, gathers into locks, waves and curls.

A strand is a line of P points. Growth happens around the mean head (head_space.py), where
the skin is a distance field; millimetres, head frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from facegpt_model.appearance.head_space import CELL_MM, Array, HeadSpace

Ints = NDArray[np.int64]
NOISE_WAVES = 14


@dataclass(frozen=True)
class Roots:
    """N places on the skin from which hair grows.

    triangle: (N,) row of HeadSpace.triangles; weights: (N, 3) barycentric; place, normal:
    (N, 3) on the mean head; strength: (N,) in [0, 1], lower at the edge of the hair
    """

    triangle: Ints
    weights: Array
    place: Array
    normal: Array
    strength: Array

    def __len__(self) -> int:
        return len(self.triangle)

    def __getitem__(self, chosen: NDArray[np.bool_] | Ints) -> Roots:
        return Roots(
            self.triangle[chosen],
            self.weights[chosen],
            self.place[chosen],
            self.normal[chosen],
            self.strength[chosen],
        )

    def on(self, space: HeadSpace, vertices: Array) -> Array:
        """(N, 3) the roots on a head with these vertices."""
        corners = vertices[space.triangles[self.triangle]]
        return (corners * self.weights[..., None]).sum(axis=1).astype(np.float32)


def scatter_roots(space: HeadSpace, region: str, count: int, seed: int) -> Roots:
    """About `count` roots spread over a region of the skin, as dense as the region is painted."""
    random = np.random.default_rng(seed)
    corners = space.mean[space.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    middle = np.stack([space.mask_at(region, space.corner_uv[:, k]) for k in range(3)]).max(axis=0)
    middle = np.maximum(middle, space.mask_at(region, space.corner_uv.mean(axis=1)))
    candidate = np.cumsum(area * (middle > 0.02))
    tries = int(count * candidate[-1] / max(_painted_area(space, region, area), 1.0) * 1.02) + 1
    triangle = np.searchsorted(candidate, random.random(tries) * candidate[-1])
    a, b = random.random((2, tries))
    flip = a + b > 1
    a, b = np.where(flip, 1 - a, a), np.where(flip, 1 - b, b)
    weights = np.stack([1 - a - b, a, b], axis=1).astype(np.float32)
    uv = (space.corner_uv[triangle] * weights[..., None]).sum(axis=1)
    strength = space.mask_at(region, uv)
    kept = random.random(tries) < np.minimum(strength * 1.15, 1)
    triangle, weights, strength = triangle[kept], weights[kept], strength[kept]
    corner = space.triangles[triangle]
    normal = (space.normals[corner] * weights[..., None]).sum(axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    place = (space.mean[corner] * weights[..., None]).sum(axis=1)
    return Roots(
        triangle, weights, place.astype(np.float32), normal.astype(np.float32), strength.astype(np.float32)
    )


def _painted_area(space: HeadSpace, region: str, area: Array) -> float:
    painted = space.mask_at(region, space.corner_uv.mean(axis=1))
    return float((area * np.minimum(painted * 1.15, 1)).sum())


@njit(cache=True, nogil=True, fastmath=True)
def _field(
    field: np.ndarray, low: np.ndarray, cell: float, x: float, y: float, z: float, out: np.ndarray
) -> None:
    nx, ny, nz, _ = field.shape
    x = min(max((x - low[0]) / cell, 0.0), nx - 1.001)
    y = min(max((y - low[1]) / cell, 0.0), ny - 1.001)
    z = min(max((z - low[2]) / cell, 0.0), nz - 1.001)
    a, b, c = int(x), int(y), int(z)
    u, v, w = x - a, y - b, z - c
    out[:] = 0.0
    for k in range(8):
        da, db, dc = k & 1, (k >> 1) & 1, k >> 2
        share = (u if da else 1 - u) * (v if db else 1 - v) * (w if dc else 1 - w)
        for q in range(4):
            out[q] += share * field[a + da, b + db, c + dc, q]


# Columns of the rules a strand grows by.
LENGTH, LIFT, STIFF, GRAVITY_PULL, CLING, CLEARANCE, RISE, CURTAIN, CUT, TIE = range(10)
RULES = 10


@njit(cache=True, nogil=True, fastmath=True)
def _grow(
    root: np.ndarray,
    normal: np.ndarray,
    flow: np.ndarray,
    rules: np.ndarray,
    tie: np.ndarray,
    tail: np.ndarray,
    curtain: np.ndarray,
    field: np.ndarray,
    low: np.ndarray,
    cell: float,
    steps: int,
    out: np.ndarray,
    reached: np.ndarray,
) -> None:
    """Lay each strand step by step; out (N, P, 3) is spaced evenly along what is left after the cut.

    tie: (3,) where tied hair meets; tail: (N, 3) its direction after that; curtain: (K, 2)
    heights y and half widths x that hair beside the face leaves free.
    """
    here = np.zeros(4)
    path = np.zeros((steps + 1, 3))
    points = out.shape[1]
    for i in range(len(root)):
        h = rules[i, 0] / steps
        lift = rules[i, 1]
        px, py, pz = root[i, 0], root[i, 1], root[i, 2]
        dx = normal[i, 0] * lift + flow[i, 0] * (1 - lift)
        dy = normal[i, 1] * lift + flow[i, 1] * (1 - lift)
        dz = normal[i, 2] * lift + flow[i, 2] * (1 - lift)
        size = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
        dx, dy, dz = dx / size, dy / size, dz / size
        path[0, 0], path[0, 1], path[0, 2] = px, py, pz
        last = steps
        tied = False
        for k in range(1, steps + 1):
            s = k * h
            px, py, pz = px + dx * h, py + dy * h, pz + dz * h
            _field(field, low, cell, px, py, pz, here)
            gap = here[0]
            want = rules[i, 5] * min(1.0, s / rules[i, 6])
            if tied:
                want = max(want, 6.0)
            if gap < want:
                push = min(want - gap, h)
                px, py, pz = px + here[1] * push, py + here[2] * push, pz + here[3] * push
                inward = dx * here[1] + dy * here[2] + dz * here[3]
                if inward < 0.0:
                    dx, dy, dz = dx - inward * here[1], dy - inward * here[2], dz - inward * here[3]
            elif not tied:
                cling = min(rules[i, 4] * h, 0.5) * min(1.0, (gap - want) / 6.0)
                dx, dy, dz = dx - cling * here[1], dy - cling * here[2], dz - cling * here[3]
            if rules[i, 7] > 0.0 and pz > -62.0 and py < curtain[0, 0] and gap < 70.0:
                half = curtain[len(curtain) - 1, 1]
                for c in range(len(curtain) - 1):
                    if py <= curtain[c, 0] and py > curtain[c + 1, 0]:
                        t = (curtain[c, 0] - py) / (curtain[c, 0] - curtain[c + 1, 0])
                        half = curtain[c, 1] + t * (curtain[c + 1, 1] - curtain[c, 1])
                half += rules[i, 7] - 1.0
                if abs(px) < half:
                    side = 1.0 if px > 0 else -1.0
                    push = min(half - abs(px), 1.2 * h)
                    px += side * push
                    pz -= 0.5 * push
                    dx += side * 0.35
                    dz -= 0.12
            pull = rules[i, 3] * h
            if rules[i, 9] > 0.0:
                tx, ty, tz = tie[0] - px, tie[1] - py, tie[2] - pz
                far = math.sqrt(tx * tx + ty * ty + tz * tz) + 1e-9
                if not tied:
                    if far < 11.0:
                        tied = True
                        reached[i] = k
                        dx, dy, dz = tail[i, 0], tail[i, 1], tail[i, 2]
                    else:
                        grip = 1.4 * h / 6.0
                        dx, dy, dz = dx + grip * tx / far, dy + grip * ty / far, dz + grip * tz / far
                        pull = 0.0
            dy -= pull
            size = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
            dx, dy, dz = dx / size, dy / size, dz / size
            path[k, 0], path[k, 1], path[k, 2] = px, py, pz
            if py < rules[i, 8] and k > 2:
                last = k
                break
        for k in range(points):
            t = k * last / (points - 1)
            a = min(int(t), last - 1)
            w = t - a
            for q in range(3):
                out[i, k, q] = path[a, q] * (1 - w) + path[a + 1, q] * w


def grow(
    space: HeadSpace,
    roots: Roots,
    flow: Array,
    rules: Array,
    points: int,
    curtain: Array,
    over_ears: bool = False,
    tie: Array | None = None,
    tail: Array | None = None,
) -> tuple[Array, Ints]:
    """(N, points, 3) strands, and at which of their points tied ones meet the tie, -1 for never.

    flow: (N, 3) direction along the skin at the root; rules: (N, RULES) by the names above:
    LENGTH mm; LIFT 0 lying to 1 upright; GRAVITY_PULL and CLING turns per mm; CLEARANCE mm
    from the skin, reached after RISE mm; CURTAIN 0 or 1 + mm added to what the face leaves
    free; CUT height y at which it ends; TIE 1 when tied.
    """
    steps = max(24, 2 * points)
    out = np.zeros((len(roots), points, 3), np.float32)
    reached = np.full(len(roots), -1, np.int64)
    _grow(
        roots.place,
        roots.normal,
        np.ascontiguousarray(flow, np.float32),
        np.ascontiguousarray(rules, np.float32),
        np.zeros(3, np.float32) if tie is None else tie.astype(np.float32),
        np.zeros((len(roots), 3), np.float32) if tail is None else tail.astype(np.float32),
        np.ascontiguousarray(curtain, np.float32),
        space.over_ears if over_ears else space.distance,
        space.low,
        CELL_MM,
        steps,
        out,
        reached,
    )
    return out, np.where(reached >= 0, reached * (points - 1) // steps, -1)


def along_skin(direction: Array, normal: Array) -> Array:
    """(N, 3) unit directions without their part along the normal."""
    flat = direction - (direction * normal).sum(axis=1, keepdims=True) * normal
    return (flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _nearest(
    places: np.ndarray, group: np.ndarray, centres: np.ndarray, centre_group: np.ndarray
) -> np.ndarray:
    """(N,) the nearest centre of each place's own group, the first of equals.

    Centres are tried outwards from the place along x, until they are further than the best in x alone.
    """
    order = np.argsort(centres[:, 0])
    across = centres[order, 0]
    out = np.zeros(len(places), np.int64)
    starts = np.searchsorted(across, places[:, 0])
    for i in range(len(places)):
        best = 1e12
        for way in (-1, 1):
            at = starts[i] - 1 if way < 0 else starts[i]
            while 0 <= at < len(order):
                dx = places[i, 0] - across[at]
                if dx * dx > best:
                    break
                k = order[at]
                at += way
                if centre_group[k] != group[i]:
                    continue
                dy, dz = places[i, 1] - centres[k, 1], places[i, 2] - centres[k, 2]
                far = dx * dx + dy * dy + dz * dz
                if far < best or (far == best and k < out[i]):
                    best = far
                    out[i] = k
    return out


def locks_of(places: Array, group: Ints, count: int, random: np.random.Generator) -> Ints:
    """(N,) the strand whose lock each strand joins: the nearest of about `count` of the same group."""
    chosen = np.sort(random.permutation(len(places))[: max(count, 1)])
    for value in np.setdiff1d(np.unique(group), np.unique(group[chosen])):
        chosen = np.append(chosen, np.flatnonzero(group == value)[0])
    return chosen[_nearest(places, group, places[chosen], group[chosen])]


def gather(points: Array, lock: Ints, strength: Array, rise: float) -> Array:
    """Strands drawn towards the middle of their lock; strength: (N,) at the tip, 0 to 1.

    rise: share of the length after which half of it holds.
    """
    t = np.linspace(0, 1, points.shape[1])
    profile = (t**2 / (t**2 + rise**2)) * (1 + rise**2)
    pull = strength[:, None, None] * profile[None, :, None]
    return (points + pull * (points[lock] - points)).astype(np.float32)


def frames(points: Array, outward: Array) -> tuple[Array, Array]:
    """(N, P, 3) unit vectors across each strand: away from the head as far as possible, and sideways."""
    tangent = np.gradient(points, axis=1)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=2, keepdims=True), 1e-6)
    up = outward - (outward * tangent).sum(axis=2, keepdims=True) * tangent
    up /= np.maximum(np.linalg.norm(up, axis=2, keepdims=True), 1e-6)
    return up.astype(np.float32), np.cross(tangent, up).astype(np.float32)


def arc_length(points: Array) -> Array:
    """(N, P) mm from the root."""
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)
    return np.concatenate([np.zeros((len(points), 1)), np.cumsum(steps, axis=1)], axis=1).astype(np.float32)


def smooth_noise(places: Array, scale_mm: float, seed: int, channels: int = 1) -> Array:
    """(N, channels) smooth random numbers of about unit size over space."""
    random = np.random.default_rng(seed)
    directions = (random.standard_normal((channels, NOISE_WAVES, 3)) / scale_mm).astype(np.float32)
    phase = (random.random((channels, NOISE_WAVES, 1)) * 2 * np.pi).astype(np.float32)
    flat = np.ascontiguousarray(places.T, np.float32)
    noise = [np.sin(ways @ flat + start).sum(axis=0) for ways, start in zip(directions, phase, strict=True)]
    return np.stack(noise, axis=1) * np.float32(math.sqrt(2 / NOISE_WAVES))
