"""Run a suite by name: `facegpt evaluate SUITE`; a table on screen, a JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from PIL import Image

from facegpt_model.evaluation import photos, recovery, scans, text, tools, variants
from facegpt_model.evaluation.scan_layouts import BadScans
from facegpt_model.evaluation.speculative import speculative
from facegpt_model.fitting.portraits import BadPortraits
from facegpt_model.morphable.base import load
from facegpt_model.rendering.still import contact_sheet
from facegpt_model.semantics.axes import load_axes
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.training.tower_run import openhead

SUITES = ("text", "pairs", "speculative", "tools", "geometry", "photos", "scans", "variants")
PEOPLE, PORTRAITS, TEXTS, STATEMENTS = 50, 100, 60, 24  # unless told otherwise
TILES, TILE = 24, 256  # pictures on a sheet of overlays, pixels of each


class UnknownSuite(ValueError):
    """A suite name that does not exist."""


def main(
    suite: str,
    out: Path = Path("out/evaluate"),
    count: int | None = None,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    strangers: str = "ict",
    qualities: Sequence[str] = ("default",),
    portraits: Path | None = None,
    scanned: Path | None = None,
    layout: str = "own",
    progress: Callable[[str, float], None] = lambda doing, share: None,
) -> Path:
    """Evaluate one suite; returns the JSON file.

    count: texts, requests, people, portraits or statements; strangers belong to `geometry`, portraits (their
    folder) to `photos`, scanned (a folder) and its layout to `scans`, qualities to all three.
    Raises UnknownSuite, CheckpointError, UnknownKind, UnknownQuality, MissingModel, BadPortraits,
    BadScans.
    """
    if suite not in SUITES:
        raise UnknownSuite(f"no evaluation suite called {suite!r}; known: {', '.join(SUITES)}")
    if suite == "geometry":
        rows = recovery.recover(strangers, count or PEOPLE, qualities, progress=progress)
        for line in recovery.table(rows):
            say(line)
        result: dict[str, object] = {"strangers": strangers, "rows": recovery.figures(rows)}
        return _write(out, f"geometry-{strangers}", result)
    if suite == "variants":
        head = openhead()
        scores = variants.evaluate_variants(head, load_axes(head), count or STATEMENTS, progress=progress)
        for line in variants.table(scores):
            say(line)
        return _write(out, suite, {"rows": [asdict(score) for score in scores]})
    if suite == "photos":
        return _photos(out, portraits, count or PORTRAITS, qualities, say, progress)
    if suite == "scans":
        if scanned is None:
            raise BadScans("scans are a folder of your own; give one by --scans")
        measured = scans.evaluate_scans(scanned, layout, qualities, out / "predictions", progress)
        for line in scans.table(measured):
            say(line)
        return _write(out, f"scans-{layout}", {"layout": layout, "rows": scans.figures(measured)})
    backend = InProcessBackend.load(checkpoint)
    if suite == "pairs":
        result = _pairs(backend, say)
    elif suite == "speculative":
        score = speculative(backend, backend.gpt.axes, count or TEXTS, progress=progress)
        say(score.row())
        result = asdict(score)
    else:
        texts = count or TEXTS
        result = _text(backend, texts, say) if suite == "text" else _tools(backend, texts, say, progress)
    return _write(out, suite, {"model": backend.name, **result})


def _photos(
    out: Path,
    folder: Path | None,
    count: int,
    qualities: Sequence[str],
    say: Callable[[str], None],
    progress: Callable[[str, float], None],
) -> Path:
    """The portraits' table and figures, and sheets of photos beside the faces laid over them."""
    if folder is None:
        raise BadPortraits("photos are evaluated on a folder of portraits; give one by --portraits")
    out.mkdir(parents=True, exist_ok=True)
    tiles: list[Image.Image] = []

    def keep(photo: Image.Image, overlay: Image.Image) -> None:
        tiles.extend(picture.convert("RGB").resize((TILE, TILE)) for picture in (photo, overlay))

    report = photos.evaluate_portraits(folder, count, qualities, 0, progress, keep)
    for line in photos.table(report):
        say(line)
    for page, start in enumerate(range(0, len(tiles), TILES)):
        file = out / f"overlays-{page + 1}.png"
        contact_sheet(tiles[start : start + TILES], 6).save(file)
        say(f"wrote {file}")
    return _write(out, "photos", photos.figures(report))


def _write(out: Path, name: str, result: dict[str, object]) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return file


def _text(backend: InProcessBackend, count: int, say: Callable[[str], None]) -> dict[str, object]:
    axes = backend.gpt.axes
    result: dict[str, object] = {}
    suites = {
        "trained phrasings": text.generated("say", count),
        "held-out phrasings": text.generated("held", count),
        "statements, held out": text.stated(count),
        "free words, dev": text.free("dev"),
        "free words, test": text.free("test"),
    }
    for name, items in suites.items():
        score = text.attributes(backend, axes, items)
        say(score.row(name))
        result[name] = asdict(score)
    return result


def _pairs(backend: InProcessBackend, say: Callable[[str], None]) -> dict[str, object]:
    head = load(backend.gpt.axes.layout.basis)
    result: dict[str, object] = {}
    for name, pairs in (("plain words", text.PLAIN_PAIRS), ("free words", text.FREE_PAIRS)):
        results = text.opposite_pairs(backend, head, load_axes(head), pairs)
        say("| low words | high words | measured | low | high | right way |")
        say("| --- | --- | --- | --- | --- | --- |")
        for pair in results:
            mark = "yes" if pair.passed else "**no**"
            values = f"{pair.low_value:.2f} | {pair.high_value:.2f}"
            say(f"| {pair.low} | {pair.high} | {pair.measure} | {values} | {mark} |")
        say(f"\n{name}: {sum(pair.passed for pair in results)} of {len(results)} pairs move the right way\n")
        result[name] = [asdict(pair) | {"passed": pair.passed} for pair in results]
    return result


def _tools(
    backend: InProcessBackend, count: int, say: Callable[[str], None], progress: Callable[[str, float], None]
) -> dict[str, object]:
    result: dict[str, object] = {"requests": count}
    kinds: tuple[tools.Kind, ...] = ("say", "held")
    for kind in kinds:
        of_all = count + count // tools.TALK_SHARE
        name = "trained wordings" if kind == "say" else "wordings held out"
        doing = f"asking, {name}"
        score = tools.tool_calls(
            backend, count, kind=kind, done=partial(_step, progress=progress, doing=doing, of_all=of_all)
        )
        for what, share in score.shares().items():
            say(f"{name:18} {what:30} {share:.1%}")
        result[name] = score.shares() | {"wrong": score.wrong}
    return result


def _step(number: int, progress: Callable[[str, float], None], doing: str, of_all: int) -> None:
    progress(doing, (number + 1) / of_all)
