"""Distance of real scans to predicted faces: `facegpt evaluate scans`.

The neutral skin is brought to a scan by a similarity on seven landmarks, then by closest
points with scale; the distance is that of the scan's points to the surface, pooled over all
cases as NoW does. Predictions are also written in the layout that a benchmark's own scripts
read, since only those give official figures: NoW's optimiser and REALY's non-rigid matching
are not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegpt_model.evaluation.agreement import REGIONS, regions
from facegpt_model.evaluation.methods import Method, head, methods
from facegpt_model.evaluation.scan_layouts import SEVEN, ScanCase, read_scans
from facegpt_model.evaluation.surfaces import Array, Surface, refine, similarity, surfaces_of
from facegpt_model.face import FaceCode
from facegpt_model.fitting.closest_points import MeshSearch
from facegpt_model.mesh import save_bytes
from facegpt_model.morphable.people import sample_people
from facegpt_model.perception.analyse import NoFace
from facegpt_model.perception.photos import load_photo

ALIGNED_BY, MEASURED = 2000, 20000  # of a scan's points at most, the same each time
MEAN, RANDOM = "mean face", "random faces"
NAN = float("nan")


@dataclass(frozen=True)
class ScanRow:
    """One method over all cases, mm; NaN where no case has a scan.

    regions: mean by region; failures: photos without a face, measured as the mean face
    """

    method: str
    cases: int
    median: float
    mean: float
    std: float
    failures: int
    regions: dict[str, float] = field(default_factory=dict)


def evaluate_scans(
    folder: Path,
    layout: str,
    qualities: Iterable[str] = ("default",),
    out: Path | None = None,
    progress: Callable[[str, float], None] = lambda doing, share: None,
) -> list[ScanRow]:
    """Rows for the mean face, random faces, landmarks only and the methods.

    out: where predictions go, as OUT/METHOD/NAME.obj (whole neutral head, mm) and NAME.npy (seven
    landmarks). Raises BadScans, UnknownQuality, PhotoError.
    """
    chosen = methods(qualities)
    cases = read_scans(folder, layout)
    random = sample_people(head(), len(cases), torch.Generator().manual_seed(1)).code
    rows = [
        _row(MEAN, cases, [head().mean_code()] * len(cases), 0),
        _row(RANDOM, cases, [random[k] for k in range(len(cases))], 0),
    ]
    for name, method in chosen.items():
        codes, failures = [], 0
        for index, case in enumerate(cases):
            progress(name, index / len(cases))
            code = _predicted(method, case)
            failures += code is None
            codes.append(head().mean_code() if code is None else code)
            if out is not None:
                _write_prediction(out / name.replace(" ", "-") / case.name, codes[-1])
        rows.append(_row(name, cases, codes, failures))
    return rows


def scan_distances(case: ScanCase, surface: Surface) -> dict[str, Array]:
    """(N,) mm of each set of the case's points to a predicted surface, aligned for each set."""
    placed = surface.moved(similarity(surface.landmarks[list(SEVEN)], case.landmarks))
    search = MeshSearch(placed.vertices, placed.triangles)
    found = {}
    for name, points in case.points.items():
        motion, _ = refine(some(points, ALIGNED_BY), search)
        moved = placed.moved(motion)
        there = some(points, MEASURED)
        gap = MeshSearch(moved.vertices, moved.triangles).closest(there).distance
        found[name] = gap * case.mm
    return found


def some(points: Array, count: int) -> Array:
    """At most so many of (N, 3) points, the same each time."""
    if len(points) <= count:
        return points
    return points[np.sort(np.random.default_rng(0).choice(len(points), count, replace=False))]


def table(rows: list[ScanRow]) -> list[str]:
    """The rows in Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row.regions))
    lines = [
        "| method | cases | median / mean / std mm | "
        + "".join(f"{name} | " for name in names)
        + "no face |",
        "|" + " --- |" * (4 + len(names)),
    ]
    for row in rows:
        parts = "".join(f"{row.regions.get(name, NAN):.2f} | " for name in names)
        lines.append(
            f"| {row.method} | {row.cases} | {row.median:.2f} / {row.mean:.2f} / {row.std:.2f} "
            f"| {parts}{row.failures} |"
        )
    if not any(row.cases for row in rows):
        lines.append("no case has a scan: predictions were written, nothing was measured")
    return lines


def figures(rows: list[ScanRow]) -> list[dict[str, Any]]:
    """The rows for a JSON file; what was not measured is null."""
    return [
        {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(row).items()}
        for row in rows
    ]


def _row(method: str, cases: list[ScanCase], codes: list[FaceCode], failures: int) -> ScanRow:
    """Pool all distances; a whole face is told by region, and sets of their own by their names."""
    by_name: dict[str, list[Array]] = {}
    every: list[Array] = []
    scanned = 0
    for case, code in zip(cases, codes, strict=True):
        if not case.points:
            continue
        scanned += 1
        for name, gap in scan_distances(case, surfaces_of(head(), code)[0]).items():
            every.append(gap)
            for region, part in _by_region(case, name, gap).items():
                by_name.setdefault(region, []).append(part)
    if not every:
        return ScanRow(method, 0, NAN, NAN, NAN, failures)
    pooled = np.concatenate(every)
    means = {name: float(np.concatenate(parts).mean()) for name, parts in by_name.items()}
    return ScanRow(
        method,
        scanned,
        float(np.median(pooled)),
        float(pooled.mean()),
        float(pooled.std()),
        failures,
        {name: means[name] for name in (*REGIONS, *means) if name in means},
    )


def _by_region(case: ScanCase, name: str, gap: Array) -> dict[str, Array]:
    if name != "face":
        return {name: gap}
    mean = surfaces_of(head(), head().mean_code())[0]  # one division into regions for all methods
    marks = mean.moved(similarity(mean.landmarks[list(SEVEN)], case.landmarks)).landmarks
    label = regions(some(case.points[name], MEASURED), marks)
    return {region: gap[label == k] for k, region in enumerate(REGIONS) if (label == k).any()}


def _predicted(method: Method, case: ScanCase) -> FaceCode | None:
    try:
        return method(load_photo(case.photo)).code
    except NoFace:
        return None


def _write_prediction(place: Path, code: FaceCode) -> None:
    model = head()
    with torch.no_grad():
        vertices = model.vertices(code.neutral())
        seven = model.landmarks68(vertices)[0, list(SEVEN)].numpy()
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices[0].tolist()]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in model.triangles.tolist()]
    place.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(place.with_name(f"{place.name}.obj"), ("\n".join(lines) + "\n").encode())
    np.save(place.with_name(f"{place.name}.npy"), seven.astype(np.float32))
