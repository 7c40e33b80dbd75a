"""Landmarks of the head as points on its surface, and the paths on which the jaw line slides.

landmarks.json names them by body vertices, since vertices of the head are numbered by the
cut: the three corners of a triangle and the weights in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegpt_model.morphable.build.cut import HeadCut
from facegpt_model.morphable.build.eyes import EDGE_WIDTH, IRIS_EDGE, RING_ANGLES, SEGMENTS
from facegpt_model.morphable.build.wheel import FloatArray, IntArray
from facegpt_model.morphable.embedding import Embedding, barycentric_clipped

FILE = Path(__file__).with_name("landmarks.json")
# MediaPipe's iris points: the middle, then towards image right, up, image left and down, of the
# person's right eye first; in segments of the ball, counter-clockwise from the person's left.
IRIS_TURNS = (0, SEGMENTS // 4, SEGMENTS // 2, 3 * SEGMENTS // 4)
MIRRORED_TURNS = (SEGMENTS // 2, SEGMENTS // 4, 0, 3 * SEGMENTS // 4)


@dataclass(frozen=True)
class HeadLandmarks:
    """ibug68: 68 points; mediapipe478: MediaPipe's 468 face points and 10 of the irises;
    design68: (68,) vertices around which masks are drawn and components weighted.
    """

    ibug68: Embedding
    mediapipe478: Embedding
    design68: IntArray


def head_landmarks(cut: HeadCut) -> HeadLandmarks:
    """The landmarks of landmarks.json on the head."""
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    place = {int(body): head for head, body in enumerate(cut.body_id) if body >= 0}
    face, iris = _embedding(stored["mediapipe468"], cut, place), iris_points(cut)
    return HeadLandmarks(
        ibug68=_embedding(stored["ibug68"], cut, place),
        mediapipe478=Embedding(
            np.concatenate([face.triangle, iris.triangle]), np.concatenate([face.weights, iris.weights])
        ),
        design68=np.array([place[body] for body in stored["design68"]]),
    )


def _embedding(rows: list[list[float]], cut: HeadCut, place: dict[int, int]) -> Embedding:
    """Rows of three body vertices and three weights."""
    row_of = {tuple(sorted(map(int, corners))): row for row, corners in enumerate(cut.triangles)}
    triangle, weights = [], []
    for row in rows:
        corners = [place[int(body)] for body in row[:3]]
        found = row_of[tuple(sorted(corners))]
        triangle.append(found)
        weights.append([row[3 + corners.index(int(corner))] for corner in cut.triangles[found]])
    return Embedding(np.array(triangle), np.array(weights))


def as_rows(embedding: Embedding, cut_body_id: IntArray, triangles: IntArray) -> list[list[Any]]:
    """What landmarks.json holds of an embedding: body vertices and rounded weights that sum to 1."""
    rows = []
    for row, weights in zip(embedding.triangle, embedding.weights, strict=True):
        rounded = np.round(weights, 4)
        rounded[rounded.argmax()] += 1.0 - rounded.sum()
        body = [int(cut_body_id[corner]) for corner in triangles[row]]
        rows.append([*body, *[round(float(weight), 4) for weight in rounded]])
    return rows


def iris_points(cut: HeadCut) -> Embedding:
    """The 10 iris points: pupil and four places half-way between the rings at the iris's edge."""
    ball = len(cut.eyes[0].vertices)
    inner = RING_ANGLES.index(IRIS_EDGE - EDGE_WIDTH / 2)
    triangle, weights = [], []
    for start, turns in (
        (cut.vertex_count - ball, MIRRORED_TURNS),
        (cut.vertex_count - 2 * ball, IRIS_TURNS),
    ):
        middle = int(np.flatnonzero((cut.triangles == start).any(1))[0])
        triangle.append(middle)
        weights.append((cut.triangles[middle] == start).astype(float))
        for turn in turns:
            near = start + 1 + inner * SEGMENTS + turn
            far = near + SEGMENTS
            on_both = (cut.triangles == near).any(1) & (cut.triangles == far).any(1)
            row = int(np.flatnonzero(on_both)[0])
            triangle.append(row)
            weights.append(np.isin(cut.triangles[row], (near, far)) / 2.0)
    return Embedding(np.array(triangle), np.array(weights))


JAW_STEP, JAW_STEPS = 1.5, 43  # mm between places on a path, and how many: 63 mm towards the face
JAW_TANGENT = 2  # neighbours by which the jaw line's direction is taken


def jaw_paths(ibug68: Embedding, cut: HeadCut, mean: FloatArray) -> Embedding:
    """(17, S): for each jaw point a path over the skin, from it towards the face, across the jaw line.

    A path lies in the plane through the point across the jaw line; it ends where the skin does.
    """
    points = ibug68.on(mean, cut.triangles)
    jaw, middle = points[:17], points[[30, 33, 51]].mean(0)
    skin = np.flatnonzero(cut.part == 0)
    rows, weights = [], []
    for number in range(17):
        low, high = max(number - JAW_TANGENT, 0), min(number + JAW_TANGENT, 16)
        across = jaw[high] - jaw[low]
        path = _walk(jaw[number], middle, across / np.linalg.norm(across), mean, cut.triangles[skin])
        rows.append(skin[path.triangle])
        weights.append(path.weights)
    return Embedding(np.stack(rows), np.stack(weights))


def _walk(
    start: FloatArray, goal: FloatArray, normal: FloatArray, vertices: FloatArray, triangles: IntArray
) -> Embedding:
    """JAW_STEPS places along the cut of a plane with the mesh, from `start` towards `goal`."""
    height = (vertices - start) @ normal
    height[np.abs(height) < 1e-6] = 1e-6
    cut_rows = np.flatnonzero(np.ptp(np.sign(height[triangles]), axis=1) > 0)
    by_edge: dict[tuple[int, int], list[int]] = {}
    edges: dict[int, list[tuple[int, int]]] = {}
    for row in cut_rows.tolist():
        for a, b in ((0, 1), (1, 2), (2, 0)):
            one, other = sorted((int(triangles[row, a]), int(triangles[row, b])))
            if height[one] * height[other] < 0:
                by_edge.setdefault((one, other), []).append(row)
                edges.setdefault(row, []).append((one, other))

    def crossing(edge: tuple[int, int]) -> FloatArray:
        share = height[edge[0]] / (height[edge[0]] - height[edge[1]])
        return np.asarray(vertices[edge[0]] * (1 - share) + vertices[edge[1]] * share)

    middles = {row: (crossing(pair[0]) + crossing(pair[1])) / 2 for row, pair in edges.items()}
    row = min(middles, key=lambda r: float(np.linalg.norm(middles[r] - start)))
    ahead = min(edges[row], key=lambda edge: float(np.linalg.norm(crossing(edge) - goal)))
    rows: list[int] = []
    weights: list[FloatArray] = []
    place, walked = start, 0.0
    while len(rows) < JAW_STEPS:
        end = crossing(ahead)
        length = float(np.linalg.norm(end - place))
        while len(rows) < JAW_STEPS and len(rows) * JAW_STEP <= walked + length:
            here = place + (end - place) * ((len(rows) * JAW_STEP - walked) / max(length, 1e-9))
            weights.append(barycentric_clipped(here, vertices[triangles[row]][None])[0])
            rows.append(row)
        others = [r for r in by_edge[ahead] if r != row]
        if not others:
            break
        walked, place, row = walked + length, end, others[0]
        ahead = next(edge for edge in edges[row] if edge != ahead)
    missing = JAW_STEPS - len(rows)
    return Embedding(np.array(rows + rows[-1:] * missing), np.array(weights + weights[-1:] * missing))
