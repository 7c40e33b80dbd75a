"""Cuts a head on a bust out of the body mesh and gives it own eyeballs.

Every vertex of the head is a fixed linear combination of body vertices, so targets of
the body carry over exactly: kept vertices one to one, vertices of the rim by
interpolation along the edge that was cut, eyeballs by the affine map of the old ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.eyes import Eyeball, eyeball, follow_affinely
from facegpt_model.morphable.build.wheel import BodyMesh, FloatArray, IntArray

PART_NAMES = ("skin", "left_eye", "right_eye", "upper_teeth", "lower_teeth", "tongue")
HELPER_GROUPS = {
    "upper_teeth": "helper-upper-teeth",
    "lower_teeth": "helper-lower-teeth",
    "tongue": "helper-tongue",
}
EYE_GROUPS = {"left_eye": "helper-l-eye", "right_eye": "helper-r-eye"}
# The bust ends on an ellipse seen from the front: half width and depth below the neck's base, mm.
RIM_CENTRE_Y, RIM_HALF_WIDTH, RIM_DEPTH = 588.0, 112.0, 66.0


@dataclass(frozen=True)
class HeadCut:
    """Topology of the head and the linear map from body vertices to its vertices.

    first, second: (S, ) body vertices and share: (S,) so that skin vertex s is
    (1 - share) * body[first] + share * body[second]; the eyeballs follow after them.
    triangles, triangles_uv: (T, 3); uv: (U, 2), body atlas for all but the eyes, which are
    polar (radius 1 at the back of the ball); part: (T,) index into PART_NAMES;
    mirror: (V,) vertex on the other side; body_id: (V,) body vertex or -1
    """

    first: IntArray
    second: IntArray
    share: FloatArray
    eyes: tuple[Eyeball, Eyeball]
    eye_vertices: tuple[IntArray, IntArray]
    eye_follow: tuple[FloatArray, FloatArray]
    triangles: IntArray
    triangles_uv: IntArray
    uv: FloatArray
    part: IntArray
    mirror: IntArray
    body_id: IntArray

    def carry(self, body: FloatArray) -> FloatArray:
        """(..., V, 3) head vertices (or displacements) of (..., N, 3) body vertices (or displacements)."""
        share = self.share[:, None]
        skin = body[..., self.first, :] * (1 - share) + body[..., self.second, :] * share
        eyes = [
            follow @ body[..., old, :] for old, follow in zip(self.eye_vertices, self.eye_follow, strict=True)
        ]
        return np.concatenate([skin, *eyes], axis=-2)

    @property
    def vertex_count(self) -> int:
        """How many vertices the head has."""
        return len(self.body_id)

    def vertices_of(self, part: str) -> IntArray:
        """Vertex ids of a named part."""
        return np.unique(self.triangles[self.part == PART_NAMES.index(part)])


def rim_distance(vertices: FloatArray) -> FloatArray:
    """(N,) positive above the bust's rim, zero on it; a smooth function of x and y only."""
    below = np.minimum(vertices[:, 1] - RIM_CENTRE_Y, 0.0) / RIM_DEPTH
    return 1.0 - (vertices[:, 0] / RIM_HALF_WIDTH) ** 2 - below**2


class _Corners:
    """Numbers corners (body vertices or points on cut edges) in order of first use.

    The cap under the bust repeats the rim's points, so that shading keeps a crisp edge there.
    """

    def __init__(self) -> None:
        self.index: dict[tuple[int, int, bool], int] = {}
        self.share: list[float] = []

    def add(self, first: int, second: int, share: float, of_cap: bool = False) -> int:
        """Number of the point `share` of the way from first to second; the cap has its own points."""
        key = (first, second, of_cap)
        if key not in self.index:
            self.index[key] = len(self.share)
            self.share.append(share)
        return self.index[key]


def _clip(quad: IntArray, height: FloatArray) -> list[tuple[int, int, float]]:
    """Corners (i, j, share) of one polygon after cutting away height < 0; i, j are places in the quad."""
    corners: list[tuple[int, int, float]] = []
    for here in range(len(quad)):
        there = (here + 1) % len(quad)
        if height[here] >= 0:
            corners.append((here, here, 0.0))
        if (height[here] >= 0) != (height[there] >= 0):
            low, high = sorted((here, there), key=lambda place: int(quad[place]))
            corners.append((low, high, float(height[low] / (height[low] - height[high]))))
    return corners


def cut_head(body: BodyMesh, shape: FloatArray) -> HeadCut:
    """The head of `body`, cut where the rim crosses `shape` ((N, 3) mm, a typical adult)."""
    height = rim_distance(shape)
    corners, corners_uv = _Corners(), _Corners()
    polygons: list[list[int]] = []
    polygons_uv: list[list[int]] = []
    part: list[int] = []
    for name in ("skin", *HELPER_GROUPS):
        group = "body" if name == "skin" else HELPER_GROUPS[name]
        for row in np.flatnonzero(body.group == group):
            quad, quad_uv = body.quads[row], body.quads_uv[row]
            if name == "skin" and shape[quad, 1].max() < RIM_CENTRE_Y - RIM_DEPTH:
                continue
            clipped = _clip(quad, height[quad] if name == "skin" else np.ones(4))
            if len(clipped) < 3:
                continue
            polygons.append([corners.add(int(quad[i]), int(quad[j]), t) for i, j, t in clipped])
            polygons_uv.append([corners_uv.add(int(quad_uv[i]), int(quad_uv[j]), t) for i, j, t in clipped])
            part.append(PART_NAMES.index(name))
    _close_rim(body, shape, corners, corners_uv, polygons, polygons_uv, part)
    ends = np.array([key[:2] for key in corners.index])
    of_cap = np.array([key[2] for key in corners.index])
    share = np.array(corners.share)
    ends_uv, share_uv = np.array([key[:2] for key in corners_uv.index]), np.array(corners_uv.share)[:, None]
    uv = body.uv[ends_uv[:, 0]] * (1 - share_uv) + body.uv[ends_uv[:, 1]] * share_uv
    flat = shape[ends[:, 0]] * (1 - share[:, None]) + shape[ends[:, 1]] * share[:, None]
    triangles, triangles_uv, part_ids = _triangulate(polygons, polygons_uv, part, flat)
    return _with_eyes(body, shape, ends, of_cap, share, uv, triangles, triangles_uv, part_ids)


def _close_rim(
    body: BodyMesh,
    shape: FloatArray,
    corners: _Corners,
    corners_uv: _Corners,
    polygons: list[list[int]],
    polygons_uv: list[list[int]],
    part: list[int],
) -> None:
    """Close the bust from below with a fan, so that it looks solid from every side.

    The fan's centre lies half-way between two kept vertices of the midline, in front and
    behind; its texture is one point of the chest.
    """
    ends = [key[:2] for key in corners.index]
    edges = {(a, b) for p in polygons for a, b in zip(p, p[1:] + p[:1], strict=True)}
    on_rim = [first != second for first, second in ends]
    rim = sorted((a, b) for a, b in edges if (b, a) not in edges and on_rim[a] and on_rim[b])
    kept = np.array([first for first, second in ends if first == second])
    skin = np.unique(body.quads[body.group == "body"])
    midline = kept[np.isin(kept, skin) & (np.abs(shape[kept, 0]) < 0.1)]
    depth = shape[midline, 2]
    middle = float(shape[[ends[a][0] for a, _ in rim], 2].mean())
    front = midline[depth > middle][shape[midline[depth > middle], 1].argmin()]
    back = midline[depth < middle][shape[midline[depth < middle], 1].argmin()]
    low, high = sorted((int(front), int(back)))
    centre = corners.add(low, high, 0.5, of_cap=True)
    row, place = np.argwhere((body.quads == front) & (body.group == "body")[:, None])[0]
    chest = int(body.quads_uv[row, place])
    chest_uv = corners_uv.add(chest, chest, 0.0)
    for a, b in rim:
        own = [corners.add(*ends[end], corners.share[end], of_cap=True) for end in (b, a)]
        polygons.append([*own, centre])
        polygons_uv.append([chest_uv] * 3)
        part.append(PART_NAMES.index("skin"))


def _triangulate(
    polygons: list[list[int]], polygons_uv: list[list[int]], part: list[int], vertices: FloatArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Triangles of the polygons; quads split along the shorter diagonal so both sides agree."""
    triangles, triangles_uv, parts = [], [], []
    for polygon, polygon_uv, name in zip(polygons, polygons_uv, part, strict=True):
        start = 0
        if len(polygon) == 4:
            diagonal = [np.linalg.norm(vertices[polygon[i]] - vertices[polygon[i + 2]]) for i in (0, 1)]
            start = int(diagonal[1] < diagonal[0] - 1e-6)
        turned = polygon[start:] + polygon[:start]
        turned_uv = polygon_uv[start:] + polygon_uv[:start]
        for step in range(1, len(polygon) - 1):
            triangles.append([turned[0], turned[step], turned[step + 1]])
            triangles_uv.append([turned_uv[0], turned_uv[step], turned_uv[step + 1]])
            parts.append(name)
    return np.array(triangles), np.array(triangles_uv), np.array(parts)


def _with_eyes(
    body: BodyMesh,
    shape: FloatArray,
    ends: IntArray,
    of_cap: NDArray[np.bool_],
    share: FloatArray,
    uv: FloatArray,
    triangles: IntArray,
    triangles_uv: IntArray,
    part: IntArray,
) -> HeadCut:
    """Append the two eyeballs and the mirror table."""
    place = {(int(a), int(b), bool(c)): i for i, (a, b, c) in enumerate(zip(*ends.T, of_cap, strict=True))}
    mirror = []
    for a, b, c in zip(*ends.T, of_cap, strict=True):
        low, high = sorted((int(body.mirror[a]), int(body.mirror[b])))
        mirror.append(place[low, high, bool(c)])
    eyes, old_vertices, follow = [], [], []
    vertex_start, uv_start = len(ends), len(uv)
    ball_size = 0
    for group in EYE_GROUPS.values():
        old = np.unique(body.quads[body.group == group])
        ball = eyeball(shape[old], mirrored=group == EYE_GROUPS["right_eye"])
        eyes.append(ball)
        old_vertices.append(old)
        follow.append(follow_affinely(shape[old], ball.vertices))
        ball_size = len(ball.vertices)
    pieces = [triangles], [triangles_uv], [part]
    for side, ball in enumerate(eyes):
        pieces[0].append(ball.triangles + vertex_start + side * ball_size)
        pieces[1].append(ball.triangles_uv + uv_start)
        pieces[2].append(np.full(len(ball.triangles), PART_NAMES.index("left_eye") + side))
    own = np.arange(ball_size)
    mirror_ids = np.concatenate([mirror, vertex_start + ball_size + own, vertex_start + own])
    body_id = np.where(ends[:, 0] == ends[:, 1], ends[:, 0], -1)
    return HeadCut(
        first=ends[:, 0],
        second=ends[:, 1],
        share=share,
        eyes=(eyes[0], eyes[1]),
        eye_vertices=(old_vertices[0], old_vertices[1]),
        eye_follow=(follow[0], follow[1]),
        triangles=np.concatenate(pieces[0]),
        triangles_uv=np.concatenate(pieces[1]),
        uv=np.concatenate([uv, eyes[0].uv]),
        part=np.concatenate(pieces[2]),
        mirror=mirror_ids.astype(np.int64),
        body_id=np.concatenate([body_id, np.full(2 * ball_size, -1)]),
    )
