"""Draw the losses of a training run from its log.jsonl.

Run: python benchmarks/training_curve.py LOG.jsonl PICTURE.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLUMNS, MOST_PANELS = 3, 9
WEIGHTS = {"face_mention": 0.2, "face_value": 2.0}  # of the cpu preset; the log holds weighted losses
TITLES = {
    "clause": "which wordings end at a token, and how strong they are",
    "language": "next-token loss of answers",
    "face_mention": "mention at <FACE>, nats per face",
    "face_value": "slider values at <FACE>, squared error",
    "shape": "shape, missed share of the people's spread",
}
NOT_LOSSES = ("step", "seconds", "rate")


def main() -> None:
    """Read the newest line of each step; a panel for each loss, logarithmic where all are positive."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    chosen = parser.parse_args()
    lines = [json.loads(line) for line in chosen.log.read_text(encoding="utf-8").splitlines()]
    steps = {line["step"]: line for line in lines}
    logged = dict.fromkeys(name for line in lines for name in line if name not in NOT_LOSSES)
    names = ([name for name in TITLES if name in logged] + [n for n in logged if n not in TITLES])[
        :MOST_PANELS
    ]
    if {"language", "face_mention", "face_value"} <= set(names):
        names = names[:3]  # the rest of a language run are parts of these
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(max(6.0, 11 * columns / COLUMNS), 3 * rows), squeeze=False
    )
    for axis, name in zip(axes.flat, names, strict=False):
        weight = WEIGHTS.get(name, 1.0)
        shown = [(step, line[name] / weight) for step, line in sorted(steps.items()) if name in line]
        draw = axis.semilogy if all(value > 0 for _, value in shown) else axis.plot
        draw(*zip(*shown, strict=True))
        axis.set_title(TITLES.get(name, name), fontsize=10)
        axis.set_xlabel("step")
    for axis in list(axes.flat)[len(names) :]:
        axis.remove()
    figure.tight_layout()
    figure.savefig(chosen.picture, dpi=80)
    print(f"wrote {chosen.picture}: {len(steps)} points, last step {max(steps)}")


if __name__ == "__main__":
    main()
