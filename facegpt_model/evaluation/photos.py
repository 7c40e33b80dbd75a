"""How well fitted faces lie on portraits and look like them: `facegpt evaluate photos`.

Portraits of people kept for tests (fitting/portraits.py splits by person), with a verified
licence. Landmark errors are mean distances in percent of the distance between the outer eye
corners (iBUG 36 and 45); they say pose and expression, hardly whose face it is. Beside them
stand the colours over the face, and whether an identity net finds the drawing nearest to its
own photo. The rows "mean face" and "random faces" keep everything of the last method but the
identity: camera, light, skin and expression.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facegpt_model.evaluation.likeness import draw, drawn_embedding, embedding, likeness, photometric_percent
from facegpt_model.evaluation.methods import Method, head, methods
from facegpt_model.face import FaceEstimate, View
from facegpt_model.fitting.correspondence import load_correspondence, seen_landmarks68
from facegpt_model.fitting.landmark_fit import INNER
from facegpt_model.fitting.portraits import BadPortraits, Portrait, read_portraits
from facegpt_model.morphable.people import sample_people
from facegpt_model.perception.analyse import FaceObservation, NoFace, analyse
from facegpt_model.perception.landmarks import MESH68
from facegpt_model.perception.photos import load_photo
from facegpt_model.rendering.cameras import project
from facegpt_model.rendering.still import render_overlay

Array = NDArray[np.float64]
Progress = Callable[[str, float], None]
NAN = float("nan")
JAW, INNER51 = slice(0, 17), slice(17, 68)
FIGURES = ("own51", "seen51", "own_jaw", "mesh432", "colours", "seconds")
MEAN, RANDOM = "mean face", "random faces"


@dataclass(frozen=True)
class PortraitScore:
    """One method on one portrait; errors in percent of the distance between the outer eye corners.

    own51, own_jaw: the model's landmarks68, as face-N.json holds them, against the stored points
    seen51: the inner points against those that our own detection saw, by the stored points' definition
    mesh432: the fitted mesh landmarks against those detected in this run
    colours: mean absolute difference of sRGB over the face, percent of full range
    seconds: CPU time of the method; failure: why there is no face, else empty; then the numbers are NaN
    """

    file: str
    source: str
    method: str
    own51: float = NAN
    own_jaw: float = NAN
    seen51: float = NAN
    mesh432: float = NAN
    colours: float = NAN
    seconds: float = NAN
    failure: str = ""


@dataclass(frozen=True)
class PhotoRow:
    """Means of one method over the portraits that have a face; FIGURES as in PortraitScore.

    distance: between the embeddings of drawing and photo; nearest_own: share of drawings whose
    nearest photo of the set is their own; median_rank: place of their own photo
    """

    method: str
    portraits: int
    failures: int
    figures: dict[str, float]
    worst51: float
    distance: float
    nearest_own: float
    median_rank: float


@dataclass(frozen=True)
class PhotoReport:
    """All rows and single scores; seen478 and blendshapes compare this detection with the stored one.

    seen478: percent of the eye corners' distance; blendshapes: mean absolute, percent of full weight
    """

    rows: list[PhotoRow]
    scores: list[PortraitScore]
    seen478: float
    blendshapes: float


@dataclass
class _Seen:
    """What is kept of one method."""

    scores: list[PortraitScore]
    drawings: list[Tensor]
    photos: list[Tensor]


def evaluate_portraits(
    folder: Path,
    count: int,
    qualities: Iterable[str] = ("default",),
    seed: int = 0,
    progress: Progress = lambda doing, share: None,
    on_overlay: Callable[[Image.Image, Image.Image], None] | None = None,
) -> PhotoReport:
    """Evaluate the methods of methods.py on `count` portraits.

    on_overlay: is given each photo and the last method's face over it. Raises BadPortraits for
    a folder that cannot be read or has no portrait for tests, UnknownQuality.
    """
    chosen = methods(qualities)
    kept = kept_for_tests(folder, count, seed)
    strangers = sample_people(head(), len(kept), torch.Generator().manual_seed(seed + 1)).code.identity
    seen = {name: _Seen([], [], []) for name in (MEAN, RANDOM, *chosen)}
    detection: list[tuple[float, float]] = []
    for index, portrait in enumerate(kept):
        progress("portraits", index / len(kept))
        _one_portrait(portrait, chosen, strangers[index : index + 1], seen, detection, on_overlay)
    progress("portraits", 1.0)
    rows = [_row(name, kept_of) for name, kept_of in seen.items()]
    scores = [score for kept_of in seen.values() for score in kept_of.scores]
    means = np.array(detection).mean(axis=0) if detection else np.full(2, NAN)
    return PhotoReport(rows, scores, float(means[0]), float(means[1]))


def kept_for_tests(folder: Path, count: int, seed: int = 0) -> list[Portrait]:
    """Up to `count` portraits with a verified licence of people kept for tests, in random order."""
    kept = [p for p in read_portraits(folder) if p.verified and p.is_test]
    if not kept:
        raise BadPortraits(f"{folder} holds no portrait with a verified licence of a person kept for tests")
    order = np.random.default_rng(seed).permutation(len(kept))[:count]
    return [kept[i] for i in order]


def _one_portrait(
    portrait: Portrait,
    chosen: dict[str, Method],
    stranger: Tensor,
    seen: dict[str, _Seen],
    detection: list[tuple[float, float]],
    on_overlay: Callable[[Image.Image, Image.Image], None] | None,
) -> None:
    photo = load_photo(portrait.file)
    try:
        face = analyse(photo, portrait.file.name)[0]
    except NoFace as error:
        for name, kept in seen.items():
            kept.scores.append(_failed(portrait, name, error))
        return
    detection.append(_detection(face, portrait))
    photo_is = embedding(photo, torch.from_numpy(portrait.points478).float())
    placed: FaceEstimate | None = (
        None  # the controls lie as the first fit, which is by landmarks, laid its face
    )
    last: FaceEstimate | None = None
    for name, method in chosen.items():
        started = time.process_time()
        try:
            estimate = method(photo)
        except NoFace as error:
            seen[name].scores.append(_failed(portrait, name, error))
            continue
        placed, last = placed or estimate, estimate
        _add(seen[name], portrait, name, estimate, photo, face, photo_is, time.process_time() - started)
    if placed is None or last is None:
        return
    for name, identity in ((MEAN, torch.zeros_like(stranger)), (RANDOM, stranger)):
        other = replace(last, view=placed.view, code=replace(last.code, identity=identity))
        _add(seen[name], portrait, name, other, photo, face, photo_is)
    if on_overlay is not None and last.view is not None:
        on_overlay(photo, render_overlay(photo, head(), last.code, last.view))


def _add(
    kept: _Seen,
    portrait: Portrait,
    name: str,
    estimate: FaceEstimate,
    photo: Image.Image,
    face: FaceObservation,
    photo_is: Tensor,
    seconds: float = NAN,
) -> None:
    """Score one estimate of a portrait; without a view only its time can be told."""
    score = PortraitScore(portrait.file.name, portrait.source, name, seconds=seconds)
    if estimate.view is not None:
        drawing = draw(head(), estimate, estimate.view)
        own = project_landmarks68(estimate, estimate.view)
        score = replace(
            score,
            own51=percent_error(own, portrait.points68, INNER51),
            own_jaw=percent_error(own, portrait.points68, JAW),
            seen51=percent_error(own, face.points478[list(MESH68), :2].double().numpy(), INNER51),
            mesh432=_mesh_error(estimate, estimate.view, face),
            colours=photometric_percent(photo, drawing),
        )
        kept.drawings.append(drawn_embedding(drawing, face.points478))
        kept.photos.append(photo_is)
    kept.scores.append(score)


def project_landmarks68(estimate: FaceEstimate, view: View) -> Array:
    """(68, 2) photo pixels of the landmarks68 that face-N.json holds."""
    with torch.no_grad():
        points = seen_landmarks68(head(), head().vertices(estimate.code)).double()
        return np.asarray(project(points, view)[0, :, :2].numpy())


def percent_error(points: Array, expected: Array, part: slice, eyes: tuple[int, int] = (36, 45)) -> float:
    """Mean distance over a part of (K, 2) points, percent of that between the outer eye corners `eyes`."""
    width = np.linalg.norm(expected[eyes[0]] - expected[eyes[1]])
    return float(np.linalg.norm(points[part] - expected[part], axis=1).mean() / width * 100)


def _mesh_error(estimate: FaceEstimate, view: View, face: FaceObservation) -> float:
    detected = face.points478[:, :2].double().numpy()
    with torch.no_grad():
        points = head().landmarks468(head().vertices(estimate.code)).double()
        points = points + torch.from_numpy(load_correspondence().mediapipe468)
        drawn = project(points, view)[0, :, :2].numpy()
    width = np.linalg.norm(detected[33] - detected[263])
    return float(np.linalg.norm(drawn[INNER] - detected[INNER], axis=1).mean() / width * 100)


def _detection(face: FaceObservation, portrait: Portrait) -> tuple[float, float]:
    points = face.points478[:, :2].double().numpy()
    moved = percent_error(points, portrait.points478[:, :2], slice(None), eyes=(33, 263))
    return moved, float(100 * np.abs(face.blendshapes.numpy() - portrait.blendshapes).mean())


def _failed(portrait: Portrait, method: str, error: NoFace) -> PortraitScore:
    return PortraitScore(portrait.file.name, portrait.source, method, failure=str(error))


def _row(name: str, kept: _Seen) -> PhotoRow:
    good = [score for score in kept.scores if not score.failure]
    means = {figure: _mean([getattr(score, figure) for score in good]) for figure in FIGURES}
    alike = likeness(torch.stack(kept.drawings), torch.stack(kept.photos)) if kept.drawings else None
    return PhotoRow(
        method=name,
        portraits=len(good),
        failures=len(kept.scores) - len(good),
        figures=means,
        worst51=max((s.own51 for s in good if np.isfinite(s.own51)), default=NAN),
        distance=float(alike.distance.mean()) if alike else NAN,
        nearest_own=alike.nearest_own if alike else NAN,
        median_rank=float(np.median(alike.rank)) if alike else NAN,
    )


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return statistics.fmean(finite) if finite else NAN


def table(report: PhotoReport) -> list[str]:
    """The rows in Markdown, then what the detection itself misses."""
    lines = [
        "| method | own51 % (worst) | seen51 % | jaw % | mesh432 % | colours % | identity distance "
        "| nearest photo its own | median rank | no face | s CPU |",
        "|" + " --- |" * 11,
    ]
    for row in report.rows:
        own, seen, jaw, mesh, colours, seconds = (_told(row.figures[name]) for name in FIGURES)
        lines.append(
            f"| {row.method} | {own} ({_told(row.worst51)}) | {seen} | {jaw} | {mesh} | {colours} "
            f"| {_told(row.distance)} | {_told(100 * row.nearest_own, 0)} % of {row.portraits} "
            f"| {_told(row.median_rank, 1)} | {row.failures} | {seconds} |"
        )
    lines.append("")
    lines.append(
        f"detection against the stored landmarks: {report.seen478:.2f} %, "
        f"blendshapes {report.blendshapes:.2f} % of full weight"
    )
    lines += [f"{s.file}: {s.failure}" for s in report.scores if s.failure and s.method == MEAN]
    return lines


def figures(report: PhotoReport) -> dict[str, Any]:
    """The report for a JSON file; what could not be measured is null."""
    return {
        "rows": [_plain(asdict(row)) for row in report.rows],
        "portraits": [_plain(asdict(score)) for score in report.scores],
        "seen478_percent": _plain(report.seen478),
        "blendshapes_percent": _plain(report.blendshapes),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _told(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"
