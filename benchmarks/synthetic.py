"""How many synthetic pictures a CPU second gives: python benchmarks/synthetic.py [--size 128] [--json]."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from facegpt_model.data.backdrops import read_backdrops
from facegpt_model.data.synthetic import SyntheticConfig, SyntheticFaces
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead


def main() -> None:
    """Print CPU milliseconds a picture and pictures a second on two cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--photos", type=Path, help="folder of portraits to paste on")
    parser.add_argument("--kept", type=Path, default=Path("out/photo_poses.npz"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    head = load("openhead@2")
    assert isinstance(head, OpenHead)
    backdrops = read_backdrops(asked.photos, head, asked.kept, limit=100) if asked.photos else None
    faces = SyntheticFaces(head, SyntheticConfig(size=asked.size), 1, backdrops)
    start = time.process_time()
    faces.block(0)
    ready = time.process_time() - start
    start = time.process_time()
    count = sum(len(faces.block(number).jpegs) for number in range(1, asked.blocks + 1))
    each = (time.process_time() - start) / count
    figures = {
        "size_px": asked.size,
        "wardrobe_s": ready,
        "cpu_ms": 1e3 * each,
        "per_second_two_cores": 2 / each,
    }
    for name, value in figures.items():
        print(f"{name:>22}  {value:.1f}")
    if asked.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
