"""What openhead@1 holds: distances between landmarks over random people, words it can express, speed.

Run `python benchmarks/head_model.py [--people N] [--json]`. Lengths are millimetres; times are the
least CPU time of several runs. The last line is one JSON object with --json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.measurements import measure

FAITHFUL = 0.9  # share of a word's shape from which it counts as expressible


def least_ms(work: Callable[[], object], repeats: int = 5) -> float:
    """Least CPU time of a callable in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(min(times) * 1000, 1)


def distances(head: OpenHead, people: int) -> dict[str, tuple[float, float]]:
    """Name -> mean and standard deviation over `people` draws of sample_identity with seed 0."""
    identity = head.sample_identity(people, torch.Generator().manual_seed(0))
    points = head.landmarks68(head.mean[None]).expand(people, -1, -1)
    points = points + torch.einsum("bk,klx->blx", identity, head.identity_basis[:, head.ibug68])
    return {name: (float(v.mean()), float(v.std())) for name, v in measure(points).items()}


def decode_times(head: OpenHead) -> dict[str, float]:
    """Milliseconds to decode one face and eight, and to colour one."""

    def code(count: int) -> FaceCode:
        mean = head.mean_code(count)
        return FaceCode(head.sample_identity(count), mean.expression, mean.albedo, mean.basis)

    one, eight = code(1), code(8)
    return {
        "vertices of one face (ms)": least_ms(lambda: head.vertices(one)),
        "vertices of eight faces (ms)": least_ms(lambda: head.vertices(eight)),
        "vertex colours of one face (ms)": least_ms(lambda: head.albedo(one)),
        "texture of one face at 1024 (ms)": least_ms(lambda: head.texture(one, 1024)),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    head = OpenHead()
    loading = round((time.process_time() - start) * 1000, 1)
    print(f"{len(head.mean)} vertices, {len(head.triangles)} triangles, {head.layout}")
    print(f"\n{'distance':22}{'mean mm':>9}{'sd mm':>8}   over {chosen.people} people")
    spread = distances(head, chosen.people)
    for name, (mean, deviation) in spread.items():
        print(f"{name:22}{mean:9.1f}{deviation:8.1f}")
    fidelity = head.target_fidelity
    faithful = int((fidelity > FAITHFUL).sum())
    print(f"\n{faithful} of {len(fidelity)} words keep more than {FAITHFUL:.0%} of their shape; the weakest:")
    for index in fidelity.argsort()[:10].tolist():
        print(f"  {head.target_names[index]:42}{float(fidelity[index]):5.2f}")
    times = {"loading (ms)": loading, **decode_times(head)}
    print()
    for name, value in times.items():
        print(f"{name:36}{value:8.1f}")
    if chosen.json:
        print(json.dumps({"distances_mm": spread, "faithful_words": faithful, **times}))


if __name__ == "__main__":
    main()
