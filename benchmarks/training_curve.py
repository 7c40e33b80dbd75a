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

MENTION_WEIGHT, VALUE_WEIGHT = 0.2, 2.0  # of the cpu preset; the log holds weighted losses
PANELS = (
    ("next-token loss of answers", "language", 1.0),
    ("mention at <FACE>, nats per face", "face_mention", MENTION_WEIGHT),
    ("slider values at <FACE>, squared error", "face_value", VALUE_WEIGHT),
)


def main() -> None:
    """Read the newest line of each step and draw three panels with logarithmic heights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    chosen = parser.parse_args()
    lines = [json.loads(line) for line in chosen.log.read_text(encoding="utf-8").splitlines()]
    steps = {line["step"]: line for line in lines}
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 3))
    for axis, (title, name, weight) in zip(axes, PANELS, strict=True):
        shown = [(step, line[name] / weight) for step, line in sorted(steps.items()) if name in line]
        axis.semilogy(*zip(*shown, strict=True))
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
    figure.tight_layout()
    figure.savefig(chosen.picture, dpi=80)
    print(f"wrote {chosen.picture}: {len(steps)} points, last step {max(steps)}")


if __name__ == "__main__":
    main()
