"""What the painters of regions look at: for each texel its place on the mean face and its part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.build.atlas import EYE_CENTRE, EYE_RADIUS, islands, texel_map
from facegpt_model.morphable.build.cut import PART_NAMES
from facegpt_model.morphable.build.eyes import disc_angle
from facegpt_model.morphable.build.shape import HeadShape
from facegpt_model.morphable.build.wheel import AnnyWheel, FloatArray, IntArray

FAR_RING = 12.0
GUTTER = 6  # texels each island is grown by, so that filtering does not see the seam
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Canvas:
    """A square image over the atlas; masks painted on it are (S, S) in [0, 1].

    place: (S, S, 3) mm on the mean face; part: (S, S) index into PART_NAMES or -1;
    island: (S, S) name index into ISLANDS for skin, else -1; lips, ears: given masks;
    eye_angle: (S, S) radians from the gaze axis inside the eye's disc, else 9;
    lids: two (n, 3) loops where lids touch the eyes, person's right first; lid_ring, mouth_ring:
    (S, S) rows of the mesh from that loop, or from where the lips meet, up to FAR_RING;
    landmarks: (68, 3); points: (468, 3) mm
    """

    size: int
    place: FloatArray
    part: IntArray
    island: IntArray
    lips: FloatArray
    ears: FloatArray
    eye_angle: FloatArray
    lids: tuple[FloatArray, FloatArray]
    lid_ring: FloatArray
    mouth_ring: FloatArray
    landmarks: FloatArray
    points: FloatArray

    def is_part(self, name: str) -> BoolArray:
        """Where a named part lies."""
        return self.part == PART_NAMES.index(name)

    def face(self) -> BoolArray:
        """Outer skin of the head, without bust, mouth and sockets."""
        return self.island == ISLANDS.index("head")


ISLANDS = ("head", "mouth", "right_socket", "left_socket", "bust")


def make_canvas(wheel: AnnyWheel, shape: HeadShape, uv: FloatArray, size: int) -> Canvas:
    """Canvas of `size` texels over the atlas `uv` ((U, 2), see atlas.lay_out)."""
    cut, mean = shape.cut, shape.components.mean
    texels = texel_map(uv, cut.triangles_uv, size, GUTTER)
    filled = texels.triangle >= 0
    place = texels.sample(mean, cut.triangles)
    body_uv = texels.sample(cut.uv, cut.triangles_uv)
    part = np.where(filled, cut.part[texels.triangle], -1)
    of_corner = island_of_corner(shape)
    island = np.where(filled, of_corner[cut.triangles_uv[texels.triangle, 0]], -1)
    centres = (np.arange(size) + 0.5) / size
    across, down = np.meshgrid(centres, 1 - centres)
    radius = np.hypot(across - EYE_CENTRE[0], down - EYE_CENTRE[1]) / EYE_RADIUS
    on_eye = np.isin(part, (PART_NAMES.index("left_eye"), PART_NAMES.index("right_eye")))
    head = ISLANDS.index("head")
    return Canvas(
        size=size,
        place=place,
        part=part,
        island=island,
        lips=np.where(island == head, _look_up(wheel.mask("lips"), body_uv), 0.0),
        ears=np.where(island == head, _look_up(wheel.mask("ears"), body_uv), 0.0),
        eye_angle=np.where(on_eye, disc_angle(np.minimum(radius, 1.0)), 9.0),
        lids=(
            mean[_seam(shape, of_corner, "right_socket")],
            mean[_seam(shape, of_corner, "left_socket")],
        ),
        lid_ring=texels.sample(_rings(shape, of_corner, ("right_socket", "left_socket")), cut.triangles)[
            ..., 0
        ],
        mouth_ring=texels.sample(_rings(shape, of_corner, ("mouth",)), cut.triangles)[..., 0],
        landmarks=mean[shape.landmarks.design68],
        points=shape.landmarks.mediapipe478.on(mean, cut.triangles)[:468],
    )


def island_of_corner(shape: HeadShape) -> IntArray:
    """(U,) index into ISLANDS of each uv corner of the skin, -1 elsewhere; told apart by place."""
    cut, mean = shape.cut, shape.components.mean
    skin = cut.triangles_uv[cut.part == 0]
    vertex = np.zeros(len(cut.uv), dtype=np.int64)
    vertex[cut.triangles_uv] = cut.triangles
    found = np.full(len(cut.uv), -1)
    pieces = sorted(islands(skin, len(cut.uv)), key=len, reverse=True)
    found[pieces[0]] = ISLANDS.index("head")
    for island in pieces[1:]:
        middle = mean[vertex[island]].mean(0)
        if middle[1] < -90:
            name = "bust"
        elif abs(middle[0]) < 5:
            name = "mouth"
        else:
            name = "left_socket" if middle[0] > 0 else "right_socket"
        found[island] = ISLANDS.index(name)
    return found


def _seam(shape: HeadShape, of_corner: IntArray, name: str) -> IntArray:
    """Vertices where the head's island meets another one."""
    cut = shape.cut
    first = of_corner[cut.triangles_uv[:, 0]]
    head = np.unique(cut.triangles[first == ISLANDS.index("head")])
    return np.intersect1d(head, np.unique(cut.triangles[first == ISLANDS.index(name)]))


def _rings(shape: HeadShape, of_corner: IntArray, names: tuple[str, ...]) -> FloatArray:
    """(V, 1) rows of the mesh from the seams with the named islands, at most FAR_RING."""
    cut = shape.cut
    triangles = cut.triangles[of_corner[cut.triangles_uv[:, 0]] == ISLANDS.index("head")]
    ring = np.full(cut.vertex_count, FAR_RING)
    ring[np.concatenate([_seam(shape, of_corner, name) for name in names])] = 0.0
    for row in range(1, int(FAR_RING)):
        touched = np.unique(triangles[(ring[triangles] == row - 1).any(1)])
        ring[touched] = np.minimum(ring[touched], row)
    return ring[:, None]


def _look_up(image: FloatArray, uv: FloatArray) -> FloatArray:
    """Bilinear values of an image (row 0 is v = 1) at uv (..., 2)."""
    height, width = image.shape
    x = np.clip(uv[..., 0] * width - 0.5, 0, width - 1.001)
    y = np.clip((1 - uv[..., 1]) * height - 0.5, 0, height - 1.001)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, down = x - left, y - top
    above = image[top, left] * (1 - right) + image[top, left + 1] * right
    below = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return above * (1 - down) + below * down
