"""Measure landmark offsets and resting blendshapes from portraits.

    python -m facegpt_model.fitting.calibrate --photos FOLDER

Alternates: fit every training portrait with the present offsets; find, per landmark, the
3D offset in the head frame that explains what is left over best in all portraits. Only
portraits with a verified licence and of people not kept for tests are used, the sources in
turn, so that a small one counts too. Whether eyes and mouths are open must come from the
expression, so the offsets of facing lids and lips may not open or close them. Writes
correspondence.npz and correspondence.json beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections import Counter
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegpt_model.fitting.correspondence import FILE, Correspondence
from facegpt_model.fitting.landmark_fit import INNER, LandmarkBasis, LandmarkFit, basis_at, fit_landmarks
from facegpt_model.fitting.portraits import Portrait, read_portraits
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

DEPTH_RIDGE = 0.02  # holds offsets along the line of sight, which nearly frontal heads hardly show
REST_PERCENTILE = 10  # of each detected weight over all portraits
FACING = (  # upper and lower rims of the right eye, the left eye and the mouth, corners left out
    ((161, 160, 159, 158, 157), (163, 144, 145, 153, 154)),
    ((388, 387, 386, 385, 384), (390, 373, 374, 380, 381)),
    ((80, 81, 82, 13, 312, 311, 310), (88, 178, 87, 14, 317, 402, 318)),
)


def calibrate(
    model: OpenHead, portraits: list[Portrait], image_size: tuple[int, int], rounds: int
) -> Correspondence:
    """The relation of detectors and model in portraits of one (height, width) in pixels."""
    rest = np.percentile([p.blendshapes for p in portraits], REST_PERCENTILE, axis=0)
    known = Correspondence(np.zeros((468, 3)), np.zeros((68, 3)), rest, model.basis)
    own68 = basis_at(model, model.landmarks68, known.ibug68)
    order = [BLENDSHAPE_NAMES.index(name) for name in model.expression_names]
    fits: list[LandmarkFit | None] = [None] * len(portraits)
    for number in range(rounds):
        basis = basis_at(model, model.landmarks468, known.mediapipe468)
        inner = basis[INNER]
        found = [
            fit_landmarks(
                inner, p.points478[INNER, :2], known.expression(p.blendshapes)[order], image_size, start
            )
            for p, start in zip(portraits, fits, strict=True)
        ]
        left = [
            _left_over(basis, fit, p.points478[:468, :2]) for fit, p in zip(found, portraits, strict=True)
        ]
        log.info("round %d: %.2f mm left over on %d portraits", number, _mean_length(left), len(portraits))
        left68 = [_left_over(own68, fit, p.points68) for fit, p in zip(found, portraits, strict=True)]
        known = replace(
            known,
            mediapipe468=_without_openings(known.mediapipe468 + _mean_offset(left, found)),
            ibug68=_mean_offset(left68, found),
        )
        fits = list(found)
    return known


def in_turn(portraits: list[Portrait], count: int) -> list[Portrait]:
    """At most `count` portraits, one of each source after the other, in the order of their keys' hashes."""
    ordered = sorted(portraits, key=lambda p: hashlib.sha256(p.person.encode()).digest())
    by_source = [[p for p in ordered if p.source == source] for source in sorted({p.source for p in ordered})]
    rounds = zip_longest(*by_source)
    return [p for row in rounds for p in row if p is not None][:count]


def _left_over(basis: LandmarkBasis, fit: LandmarkFit, points: Array) -> Array:
    """(K, 2) mm by which the points miss the fit, in the camera frame at the depth of each landmark."""
    shape = basis.points(fit.identity, fit.expression)
    depth = fit.camera.to_camera(shape)[:, 2:]
    return np.asarray((points - fit.camera.project(shape)) * depth / fit.camera.focal)


def _mean_offset(left: list[Array], fits: list[LandmarkFit]) -> Array:
    """(K, 3) head-frame offsets c that minimise sum_i |first two rows of R_i c - left_i|^2."""
    views = np.stack([fit.camera.rotation[:2] for fit in fits])
    curvature = np.einsum("nai,naj->ij", views, views) + DEPTH_RIDGE * len(fits) * np.eye(3)
    return np.asarray(np.linalg.solve(curvature, np.einsum("nai,nka->ik", views, np.stack(left))).T)


def _without_openings(offset: Array) -> Array:
    """Offsets whose facing rims have the same mean height, so that they neither open nor close."""
    kept = offset.copy()
    for upper, lower in FACING:
        opening = offset[list(upper), 1].mean() - offset[list(lower), 1].mean()
        kept[list(upper), 1] -= opening / 2
        kept[list(lower), 1] += opening / 2
    return kept


def _mean_length(left: list[Array]) -> float:
    return float(np.linalg.norm(np.stack(left)[:, INNER], axis=2).mean())


def main() -> None:
    """Read the folder, calibrate, write the two files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--photos", type=Path, required=True, help="folder with metadata.csv and landmarks.npz"
    )
    parser.add_argument("--size", type=int, default=256, help="side of the square pictures in pixels")
    parser.add_argument("--count", type=int, default=500, help="portraits to use")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model = OpenHead()
    portraits = in_turn(
        [p for p in read_portraits(options.photos) if p.verified and not p.is_test], options.count
    )
    known = calibrate(model, portraits, (options.size, options.size), options.rounds)
    np.savez_compressed(
        FILE,
        mediapipe468=known.mediapipe468.astype(np.float32),
        ibug68=known.ibug68.astype(np.float32),
        rest=known.rest.astype(np.float32),
        basis=known.basis,
    )
    about = {
        "made_by": "python -m facegpt_model.fitting.calibrate",
        "basis": model.basis,
        "portraits": dict(Counter(f"{p.source}, {p.licence}" for p in portraits)),
        "attribution": sorted({p.attribution for p in portraits}),
        "rounds": options.rounds,
        "mean_length_mm": {
            "mediapipe468": round(float(np.linalg.norm(known.mediapipe468, axis=1).mean()), 3),
            "ibug68": round(float(np.linalg.norm(known.ibug68, axis=1).mean()), 3),
        },
        "note": "offsets are averages over all portraits; no person's shape can be read from them",
    }
    FILE.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n")
    log.info("wrote %s and %s", FILE.name, FILE.with_suffix(".json").name)


if __name__ == "__main__":
    main()
