"""How well fitted faces lie on portraits: landmark errors, a table and overlays to look at.

    python -m facegpt_model.evaluation.geometry --photos FOLDER --count 40 --out DIR

Every portrait goes the user's way, from the picture file through `fit_photo`. Errors are
mean distances in percent of the distance between the outer eye corners (iBUG 36 and 45).
The bar is `own51`: the model's own landmarks68, as face-N.json holds them, against the 68
stored points, without the jaw line. Landmark error says pose and expression, hardly whose
face it is.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.fitting.correspondence import load_correspondence
from facegpt_model.fitting.photo import PhotoFit, fit_photo
from facegpt_model.fitting.portraits import Portrait, read_portraits
from facegpt_model.morphable.base import load
from facegpt_model.perception.analyse import NoFace
from facegpt_model.perception.photos import load_photo
from facegpt_model.rendering.cameras import project
from facegpt_model.rendering.still import contact_sheet, render_overlay

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

BAR_PERCENT = 3.5
NAN = float("nan")
JAW, INNER51 = slice(0, 17), slice(17, 68)
FIGURES = ("own51", "moved51", "own_jaw", "mesh432", "seen478", "blendshapes", "seconds")


@dataclass(frozen=True)
class PortraitScore:
    """Errors of one portrait, percent of the distance between the outer eye corners.

    own51, own_jaw: the model's landmarks68 against the stored points
    moved51: the same after the mean offset between the two definitions of the points
    mesh432: the fitted mesh landmarks against those detected in this run
    seen478: this run's detection against the stored one of another runtime (no fit involved)
    blendshapes: mean absolute difference of their 52 weights, in percent of full weight
    failure: why there is no face, else empty; then the numbers are NaN
    """

    file: str
    source: str
    own51: float = NAN
    own_jaw: float = NAN
    moved51: float = NAN
    mesh432: float = NAN
    seen478: float = NAN
    blendshapes: float = NAN
    seconds: float = NAN
    failure: str = ""


def evaluate_portraits(
    folder: Path, count: int, seed: int, on_fit: Callable[[Image.Image, PhotoFit], None] | None = None
) -> list[PortraitScore]:
    """Scores of `count` portraits with a verified licence, of people kept for tests.

    on_fit: is given each photo and its fit. Raises BadPortraits for a folder that cannot be read.
    """
    kept = [p for p in read_portraits(folder) if p.verified and p.is_test]
    order = np.random.default_rng(seed).permutation(len(kept))[:count]
    return [score_portrait(kept[i], on_fit) for i in order]


def score_portrait(
    portrait: Portrait, on_fit: Callable[[Image.Image, PhotoFit], None] | None = None
) -> PortraitScore:
    """Fit one portrait and measure it; a photo without a face becomes a failure, not an error."""
    photo = load_photo(portrait.file)
    try:
        fit = fit_photo(photo)
    except NoFace as error:
        return PortraitScore(portrait.file.name, portrait.source, failure=str(error))
    if on_fit is not None:
        on_fit(photo, fit)
    seen, stored = fit.observation.points478[:, :2].double().numpy(), portrait.points478[:, :2]
    own = project_landmarks68(fit)
    moved = project_landmarks68(fit, load_correspondence().ibug68)
    return PortraitScore(
        file=portrait.file.name,
        source=portrait.source,
        own51=percent_error(own, portrait.points68, INNER51),
        own_jaw=percent_error(own, portrait.points68, JAW),
        moved51=percent_error(moved, portrait.points68, INNER51),
        mesh432=fit.nme_percent,
        seen478=percent_error(seen, stored, slice(None), eyes=(33, 263)),
        blendshapes=100 * float(np.abs(fit.observation.blendshapes.numpy() - portrait.blendshapes).mean()),
        seconds=fit.seconds,
    )


def project_landmarks68(fit: PhotoFit, offset: Array | None = None) -> Array:
    """(68, 2) photo pixels of the model's iBUG points, moved by (68, 3) mm if given."""
    model, view = load(fit.estimate.code.basis), fit.estimate.view
    if view is None:
        raise ValueError("a fit without a view cannot be laid over its photo")
    with torch.no_grad():
        points = model.landmarks68(model.vertices(fit.estimate.code)).double()
        points = points if offset is None else points + torch.from_numpy(offset)
        return np.asarray(project(points, view)[0, :, :2].numpy())


def percent_error(points: Array, expected: Array, part: slice, eyes: tuple[int, int] = (36, 45)) -> float:
    """Mean distance over a part of (K, 2) points, percent of that between the outer eye corners `eyes`."""
    width = np.linalg.norm(expected[eyes[0]] - expected[eyes[1]])
    return float(np.linalg.norm(points[part] - expected[part], axis=1).mean() / width * 100)


def table(scores: list[PortraitScore]) -> str:
    """The scores as readable text, with means and the verdict at the end."""
    lines = [f"{'file':<22}{'source':<18}" + "".join(f"{name:>12}" for name in FIGURES)]
    for score in scores:
        numbers = "".join(f"{getattr(score, name):12.2f}" for name in FIGURES)
        lines.append(f"{score.file:<22}{score.source:<18}" + (score.failure or numbers))
    means = summary(scores)
    name = f"mean of {len(scores) - int(means['failures'])}"
    lines.append(f"{name:<40}" + "".join(f"{means[figure]:12.2f}" for figure in FIGURES))
    verdict = "met" if means["failures"] == 0 and means["own51"] < BAR_PERCENT else "missed"
    lines.append(
        f"bar: own51 under {BAR_PERCENT} % with no failure: {verdict}; worst {means['own51_worst']:.2f} %, "
        f"{means['failures']:.0f} failures"
    )
    return "\n".join(lines)


def summary(scores: list[PortraitScore]) -> dict[str, float]:
    """Means over the portraits that have a face, the worst one, and how many failed."""
    good = [s for s in scores if not s.failure]
    means = {n: statistics.fmean(getattr(s, n) for s in good) if good else float("nan") for n in FIGURES}
    worst = max((s.own51 for s in good), default=float("nan"))
    return {**means, "own51_worst": worst, "failures": float(len(scores) - len(good))}


def main() -> None:
    """Evaluate, then write table, figures and overlays into the given folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--photos", type=Path, required=True, help="folder with metadata.csv and landmarks.npz"
    )
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for table, figures and overlays")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.out.mkdir(parents=True, exist_ok=True)
    model, tiles = load("openhead@2"), []

    def keep(photo: Image.Image, fit: PhotoFit) -> None:
        if fit.estimate.view is not None:
            tiles.extend([photo, render_overlay(photo, model, fit.estimate.code, fit.estimate.view)])

    scores = evaluate_portraits(options.photos, options.count, options.seed, keep)
    text = table(scores)
    (options.out / "geometry.txt").write_text(text + "\n")
    figures = {"summary": summary(scores), "portraits": [asdict(s) for s in scores]}
    (options.out / "geometry.json").write_text(json.dumps(figures, indent=1) + "\n")
    for page, start in enumerate(range(0, len(tiles), 24)):
        contact_sheet(tiles[start : start + 24], 6).save(options.out / f"overlays-{page + 1}.png")
    log.info(
        "%s\nwrote geometry.txt, geometry.json and %d overlays to %s", text, len(tiles) // 2, options.out
    )


if __name__ == "__main__":
    main()
