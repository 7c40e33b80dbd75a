"""What openhead@2 holds: how much distances between landmarks vary, whole faces, words, speed.

Run `python benchmarks/head_model.py [--people N] [--json]`. Lengths are millimetres; times are the
least CPU time of several runs on one thread. The last line is one JSON object with --json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import SAMPLE_LIMIT, OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.rendering.topology import vertex_normals
from facegpt_model.semantics.measurements import LIKE_SCANS, SCAN_DEVIATION_MM, measure

FAITHFUL = 0.9  # share of a word's shape from which it counts as expressible
LOOKED_AT = 500  # people of whom faces are searched for folds


def least_ms(work: Callable[[], object], repeats: int = 7) -> float:
    """Least CPU time of a callable in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(min(times) * 1000, 1)


def distances(head: OpenHead, identity: Tensor) -> dict[str, tuple[float, float]]:
    """Name -> mean and standard deviation over (B, K) identities, mm."""
    of_basis = head.landmarks68(head.identity_basis)
    points = head.landmarks68(head.mean[None]) + torch.einsum("bk,klx->blx", identity, of_basis)
    return {
        name: (round(float(v.mean()), 2), round(float(v.std()), 2)) for name, v in measure(points).items()
    }


def print_spread(title: str, found: dict[str, tuple[float, float]]) -> int:
    """Print the table against scans; how many of its distances vary like scans."""
    print(f"\n{title}\n{'distance':22}{'mean mm':>9}{'sd mm':>8}{'scan sd':>9}{'ratio':>7}")
    inside = 0
    for name, (mean, deviation) in found.items():
        row = f"{name:22}{mean:9.1f}{deviation:8.2f}"
        if name in SCAN_DEVIATION_MM:
            ratio = deviation / SCAN_DEVIATION_MM[name]
            inside += LIKE_SCANS[0] <= ratio <= LIKE_SCANS[1]
            row += f"{SCAN_DEVIATION_MM[name]:9.1f}{ratio:7.2f}"
        print(row)
    print(f"{inside} of {len(SCAN_DEVIATION_MM)} within {LIKE_SCANS[0]:.0%} to {LIKE_SCANS[1]:.0%} of scans")
    return inside


def wholeness(head: OpenHead) -> dict[str, float]:
    """How many of LOOKED_AT random faces fold before and after mending, how far mending moves them."""
    generator = torch.Generator().manual_seed(1)
    raw = torch.randn(LOOKED_AT, head.layout.identity, generator=generator).clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT)
    start = time.process_time()
    mended = head.guard.whole(raw, SAMPLE_LIMIT)
    spent = time.process_time() - start
    people = sample_people(head, LOOKED_AT, generator).code.identity
    moved = torch.einsum("bk,kvx->bvx", mended - raw, head.identity_basis).norm(dim=2).mean(1)
    return {
        "normal draws that fold": int((~head.guard.is_whole(raw)).sum()),
        "samples that fold": int((~head.guard.is_whole(mended)).sum()),
        "sampled people that fold": int((~head.guard.is_whole(people)).sum()),
        "mean move by mending (mm)": round(float(moved.mean()), 2),
        "90th percentile of that (mm)": round(float(moved.quantile(0.9)), 2),
        "mending one face (ms)": round(spent * 1000 / LOOKED_AT, 1),
    }


def decode_times(head: OpenHead) -> dict[str, float]:
    """Milliseconds to decode faces: shape, vertex normals and vertex colours, and a texture."""

    def code(count: int) -> FaceCode:
        generator = torch.Generator().manual_seed(2)
        identity = torch.randn(count, head.layout.identity, generator=generator)
        albedo = head.sample_albedo(count, generator)
        return replace(head.mean_code(count), identity=identity, albedo=albedo)

    def decode(faces: FaceCode) -> tuple[Tensor, Tensor, Tensor]:
        vertices = head.vertices(faces)
        return vertices, vertex_normals(vertices, head.triangles), head.albedo(faces)

    one, many = code(1), code(64)
    return {
        "shape, normals and colours of one face (ms)": least_ms(lambda: decode(one)),
        "shape, normals and colours of 64 faces (ms)": least_ms(lambda: decode(many)),
        "shape of 64 faces (ms)": least_ms(lambda: head.vertices(many)),
        "normals of 64 faces (ms)": least_ms(lambda: vertex_normals(head.vertices(many), head.triangles)),
        "colours of 64 faces (ms)": least_ms(lambda: head.albedo(many)),
        "texture of one face at 1024 (ms)": least_ms(lambda: head.texture(one, 1024), 3),
    }


@torch.no_grad()
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
    drawn = {
        "sample_identity": head.sample_identity(chosen.people, torch.Generator().manual_seed(0)),
        "sample_people": sample_people(head, chosen.people, torch.Generator().manual_seed(0)).code.identity,
    }
    spread = {name: distances(head, identity) for name, identity in drawn.items()}
    inside = {
        name: print_spread(f"{chosen.people} draws of {name}, seed 0", table)
        for name, table in spread.items()
    }
    whole = wholeness(head)
    fidelity = head.target_fidelity
    faithful = int((fidelity > FAITHFUL).sum())
    print(f"\n{faithful} of {len(fidelity)} words keep more than {FAITHFUL:.0%} of their shape; the weakest:")
    for index in fidelity.argsort()[:10].tolist():
        print(f"  {head.target_names[index]:42}{float(fidelity[index]):5.2f}")
    times = {"loading (ms)": loading, **decode_times(head)}
    print(f"\nof {LOOKED_AT} faces")
    for name, value in {**whole, **times}.items():
        print(f"{name:46}{value:8.1f}")
    if chosen.json:
        found = {"distances_mm": spread, "distances_like_scans": inside, "faithful_words": faithful}
        print(json.dumps({**found, **whole, **times}))


if __name__ == "__main__":
    main()
