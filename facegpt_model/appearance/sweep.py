"""Solids drawn along a line, and how they join: the parts that glasses are made of. Millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.rendering.topology import vertex_normals

Floats = NDArray[np.float64]
Part = tuple[Floats, NDArray[np.int64]]  # vertices (n, 3) and triangles (t, 3)


def bevelled(width: float, depth: float) -> Floats:
    """(8, 2) corners of a rectangle with bevelled edges, counter-clockwise, centred."""
    w, d = width / 2, depth / 2
    cut = 0.2 * min(width, depth)
    return np.array(
        [
            [w, -d + cut],
            [w, d - cut],
            [w - cut, d],
            [-w + cut, d],
            [-w, d - cut],
            [-w, -d + cut],
            [-w + cut, -d],
            [w - cut, -d],
        ]
    )


def sweep(path: Floats, across: Floats, depth: Floats, profile: Floats, closed: bool = False) -> Part:
    """A solid with a profile (m, 2) in the axes across and depth (n, 3) at each point of a path (n, 3).

    profile may also be (n, m, 2), one for each point. Ends are capped unless the path is closed.
    """
    count, shape = len(path), np.broadcast_to(profile, (len(path), *profile.shape[-2:]))
    sides = shape.shape[1]
    vertices = (path[:, None] + shape[..., :1] * across[:, None] + shape[..., 1:] * depth[:, None]).reshape(
        -1, 3
    )
    here = np.arange(count if closed else count - 1)[:, None] * sides
    there = (here + sides) % (count * sides)
    side, following = np.arange(sides), (np.arange(sides) + 1) % sides
    a, b, c, d = here + side, here + following, there + following, there + side
    triangles = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    )
    if not closed:
        fan = np.stack([np.zeros(sides - 2), np.arange(1, sides - 1), np.arange(2, sides)], 1).astype(
            np.int64
        )
        triangles = np.concatenate([triangles, fan[:, ::-1], fan + (count - 1) * sides])
    return outwards((vertices, triangles))


def blob(centre: Floats, axes: Floats, rings: int = 5, sides: int = 8) -> Part:
    """An ellipsoid with half axes in the rows of axes (3, 3)."""
    polar = np.linspace(0, np.pi, rings + 2)[1:-1, None]
    around = np.arange(sides) * (2 * np.pi / sides)
    ring = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around], axis=-1
    ).reshape(-1, 3)
    unit = np.concatenate([[[0, 0, 1.0]], ring, [[0, 0, -1.0]]])
    triangles = []
    for k in range(sides):
        n = (k + 1) % sides
        triangles.append([0, 1 + k, 1 + n])
        for row in range(rings - 1):
            a, b = 1 + row * sides, 1 + (row + 1) * sides
            triangles += [[a + k, b + k, b + n], [a + k, b + n, a + n]]
        last = 1 + (rings - 1) * sides
        triangles.append([last + n, last + k, len(unit) - 1])
    return outwards((centre + unit @ axes, np.array(triangles)))


def outwards(part: Part) -> Part:
    """The same solid with its triangles counter-clockwise seen from outside."""
    vertices, triangles = part
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    volume = np.einsum("ni,ni->", a, np.cross(b, c))
    return (vertices, triangles) if volume >= 0 else (vertices, triangles[:, ::-1])


def mirrored(part: Part) -> Part:
    """The part on the other side of the face."""
    vertices, triangles = part
    return vertices * np.array([-1.0, 1.0, 1.0]), triangles[:, ::-1]


def joined(parts: Sequence[Part]) -> Part:
    """Several parts as one list of vertices and triangles."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    return (
        np.concatenate([vertices for vertices, _ in parts]),
        np.concatenate([triangles + start for (_, triangles), start in zip(parts, starts, strict=True)]),
    )


def smooth_normals(part: Part) -> NDArray[np.float32]:
    """(n, 3) unit normals averaged over the triangles at each vertex."""
    vertices, triangles = part
    return vertex_normals(
        torch.from_numpy(vertices).float()[None], torch.from_numpy(np.ascontiguousarray(triangles))
    )[0].numpy()
