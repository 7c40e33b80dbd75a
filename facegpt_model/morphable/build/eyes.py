"""Eyeballs with rings at the edges of pupil, iris and white, and how they turn.

The old eyeballs of the body mesh are spheres of 72 vertices, too coarse for an iris in
vertex colours. The new ones take their centre and radius and look straight ahead (+z).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facegpt_model.morphable.build.wheel import FloatArray, IntArray

SEGMENTS = 24
PUPIL_EDGE, IRIS_EDGE = 0.135, 0.40  # radians from the gaze axis; 2.0 and 5.8 mm on a ball of 15 mm
EDGE_WIDTH = 0.025  # radians over which one colour gives way to the next
RING_ANGLES = (
    0.06,
    PUPIL_EDGE - EDGE_WIDTH / 2,
    PUPIL_EDGE + EDGE_WIDTH / 2,
    0.25,
    IRIS_EDGE - EDGE_WIDTH,
    IRIS_EDGE - EDGE_WIDTH / 2,
    IRIS_EDGE + EDGE_WIDTH / 2,
    0.52,
    0.72,
    0.98,
    1.35,
    1.9,
    2.5,
)
GAZE_DOWN = np.deg2rad(3.5)  # turns the resting gaze to the middle of the lids' opening
# A full ARKit look action turns the eye this far. The data's own lids move less than the
# eyes of people who look aside, so these stay below the ranges of real eyes.
LOOK_DEGREES = {"Up": 16.0, "Down": 18.0, "In": 26.0, "Out": 26.0}


@dataclass(frozen=True)
class Eyeball:
    """One ball: vertices (E, 3) mm, pole at the pupil first and at the back last.

    angle: (E,) radians from the gaze axis; triangles, triangles_uv: (T, 3);
    uv: (E, 2) in the unit disc, see disc_radius; centre: (3,) mm; radius: mm
    """

    vertices: FloatArray
    angle: FloatArray
    triangles: IntArray
    triangles_uv: IntArray
    uv: FloatArray
    centre: FloatArray
    radius: float


def eyeball(old: FloatArray, mirrored: bool) -> Eyeball:
    """Ball at the place of an old one ((72, 3) mm).

    `mirrored` numbers the vertices as the mirror image (x to -x) of the other eye's.
    """
    centre = (old.min(0) + old.max(0)) / 2
    radius = float(np.linalg.norm(old - centre, axis=1).mean())
    turn = np.arange(SEGMENTS) * (2 * np.pi / SEGMENTS)
    if mirrored:
        turn = np.pi - turn
    angle = np.concatenate([[0.0], np.repeat(RING_ANGLES, SEGMENTS), [np.pi]])
    around = np.concatenate([[0.0], np.tile(turn, len(RING_ANGLES)), [0.0]])
    direction = np.stack(
        [np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)], axis=1
    )
    cos, sin = np.cos(GAZE_DOWN), np.sin(GAZE_DOWN)
    direction = direction @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T
    uv = disc_radius(angle)[:, None] * np.stack([np.cos(around), np.sin(around)], axis=1)
    triangles = _ball_triangles()
    if mirrored:
        triangles = triangles[:, ::-1]
    back = len(angle) - 1
    triangles_uv = np.where(triangles == back, triangles[:, 1:2], triangles)
    return Eyeball(centre + radius * direction, angle, triangles, triangles_uv, uv, centre, radius)


def disc_radius(angle: FloatArray) -> FloatArray:
    """Radius in the eye's texture disc of points `angle` radians from the gaze axis; the iris gets most.

    The cap behind the last ring has no texture of its own.
    """
    return np.minimum(angle / RING_ANGLES[-1], 1.0) ** 0.6


def disc_angle(radius: FloatArray) -> FloatArray:
    """Inverse of disc_radius, for radii in [0, 1]."""
    return RING_ANGLES[-1] * radius ** (1 / 0.6)


def _ball_triangles() -> IntArray:
    """Counter-clockwise seen from outside for a ball whose rings run counter-clockwise about +z."""
    triangles = []
    last = 1 + len(RING_ANGLES) * SEGMENTS
    for here in range(SEGMENTS):
        there = (here + 1) % SEGMENTS
        triangles.append([0, 1 + here, 1 + there])
        for ring in range(len(RING_ANGLES) - 1):
            inner, outer = 1 + ring * SEGMENTS, 1 + (ring + 1) * SEGMENTS
            triangles.append([inner + here, outer + here, outer + there])
            triangles.append([inner + here, outer + there, inner + there])
        triangles.append([last, last - SEGMENTS + there, last - SEGMENTS + here])
    return np.array(triangles)


def follow_affinely(old: FloatArray, new: FloatArray) -> FloatArray:
    """(E, n) matrix that moves `new` by the affine least-squares fit of how `old` (n, 3) moves.

    It reproduces every affine map, so it also turns the rest shape of old into that of new.
    """
    centre = old.mean(0)
    return np.c_[new - centre, np.ones(len(new))] @ np.linalg.pinv(np.c_[old - centre, np.ones(len(old))])


def look_displacement(ball: Eyeball, side: str, way: str) -> FloatArray:
    """(E, 3) mm that turn a ball for one full look action.

    side: "Left" or "Right" eye; way: "Up", "Down", "In" (to the nose) or "Out".
    """
    radians = np.deg2rad(LOOK_DEGREES[way])
    if way in ("Up", "Down"):
        pitch, yaw = (radians if way == "Up" else -radians), 0.0
    else:
        to_left = (way == "Out") == (side == "Left")
        pitch, yaw = 0.0, (radians if to_left else -radians)
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    cos, sin = np.cos(pitch), np.sin(pitch)
    nod = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    return (ball.vertices - ball.centre) @ (turn @ nod).T - (ball.vertices - ball.centre)
