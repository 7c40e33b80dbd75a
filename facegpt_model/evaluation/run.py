"""Run a suite by name: `facegpt evaluate SUITE`; a table on screen, a JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from facegpt_model.evaluation import text
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import load_axes
from facegpt_model.serving.in_process import InProcessBackend

SUITES = ("text", "pairs", "tools")


class UnknownSuite(ValueError):
    """A suite name that does not exist."""


def main(
    suite: str,
    out: Path = Path("out/evaluate"),
    count: int = 60,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Evaluate the embedded model; returns the JSON file. Raises UnknownSuite, CheckpointError."""
    if suite not in SUITES:
        raise UnknownSuite(f"no evaluation suite called {suite!r}; known: {', '.join(SUITES)}")
    backend = InProcessBackend.load(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    if suite == "pairs":
        result = _pairs(backend, say)
    else:
        result = _text(backend, count, say) if suite == "text" else _tools(backend, count, say)
    file = out / f"{suite}.json"
    file.write_text(json.dumps({"model": backend.name, **result}, indent=1) + "\n", encoding="utf-8")
    return file


def _text(backend: InProcessBackend, count: int, say: Callable[[str], None]) -> dict[str, object]:
    axes = backend.gpt.axes
    result: dict[str, object] = {}
    for kind, name in (("say", "trained phrasings"), ("held", "held-out phrasings")):
        score = text.attributes(backend, axes, "held" if kind == "held" else "say", count)
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


def _tools(backend: InProcessBackend, count: int, say: Callable[[str], None]) -> dict[str, object]:
    shares = text.tool_calls(backend, count)
    for name, share in shares.items():
        say(f"{name:18} {share:.1%} of {count} requests")
    return {"requests": count, **shares}
