"""How large exported files are and how long they take, plain and quantised, with few and many targets.

Run `python benchmarks/export.py [--json]`. Times are the least CPU time of several runs with
one thread, in milliseconds, on the mean face of openhead@2, without the mesh and its targets,
which mesh_ms counts; sizes are megabytes, "gz" after gzip. The last line is one JSON object
with --json.
With `--write FOLDER` it only writes one .glb of every kind there, for validators and viewers.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import Mesh, NamedMesh, mesh_of
from facegpt_model.mesh_files import obj_files, ply_bytes
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import load_axes
from facegpt_model.semantics.axis_targets import SHAPE_AXES, shape_axis_names, with_axes

TARGETS = {"none": (), "default": SHAPE_AXES, "all": shape_axis_names()}


def least_ms(work: Callable[[], object], repeats: int) -> float:
    """Least CPU time of `repeats` runs after one that fills caches."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(min(times) * 1000, 1)


def megabytes(content: bytes) -> float:
    """Size in millions of bytes."""
    return round(len(content) / 1e6, 2)


def measure(repeats: int) -> dict[str, float]:
    """All figures, in the order of the table in docs/export.md."""
    model = load()
    axes = load_axes(model)
    code = model.layout.unpack(torch.zeros(1, model.layout.code_size))

    def mesh(names: tuple[str, ...]) -> Mesh:
        return with_axes(mesh_of(model, code), model, code, axes, names)

    figures: dict[str, float] = {"mesh_ms": least_ms(lambda: mesh(()), repeats)}
    for chosen, names in TARGETS.items():
        surface = mesh(names)
        for kind, quantised in (("plain", False), ("quantised", True)):
            content = glb_bytes(surface, quantised=quantised)
            key = f"glb_{chosen}_{kind}"
            figures[f"{key}_mb"] = megabytes(content)
            figures[f"{key}_gz_mb"] = megabytes(gzip.compress(content))
            figures[f"{key}_ms"] = least_ms(lambda q=quantised, s=surface: glb_bytes(s, quantised=q), repeats)
    surface = mesh(())
    if surface.paint is not None:
        texture = io.BytesIO()
        Image.fromarray(surface.paint.image).save(texture, "JPEG", quality=90)
        figures["texture_jpeg_mb"] = megabytes(texture.getvalue())
    files = obj_files(surface, "face.obj")
    figures["obj_mb"] = megabytes(files["face.obj"])
    figures["obj_texture_mb"] = round(sum(len(b) for n, b in files.items() if n.endswith(".png")) / 1e6, 2)
    figures["obj_ms"] = least_ms(lambda: obj_files(surface, "face.obj"), repeats)
    figures["ply_mb"] = megabytes(ply_bytes(surface))
    figures["ply_ms"] = least_ms(lambda: ply_bytes(surface), repeats)
    return figures


def write_samples(folder: Path) -> None:
    """One .glb of every kind: few and many targets, plain and quantised, bare, dressed and untextured."""
    model = load()
    axes = load_axes(model)
    code = model.layout.unpack(torch.zeros(1, model.layout.code_size))
    plain = mesh_of(model, code)
    folder.mkdir(parents=True, exist_ok=True)
    for kind, quantised in (("plain", False), ("quantised", True)):
        for chosen, names in TARGETS.items():
            surface = with_axes(plain, model, code, axes, names)
            (folder / f"{chosen}-{kind}.glb").write_bytes(glb_bytes(surface, quantised=quantised))
        (folder / f"dressed-{kind}.glb").write_bytes(glb_bytes(plain, _worn(), quantised))
        unpainted = replace(plain, paint=None)
        (folder / f"untextured-{kind}.glb").write_bytes(glb_bytes(unpainted, quantised=quantised))
        still = replace(plain, morph_targets={}, morph_weights={})
        (folder / f"still-{kind}.glb").write_bytes(glb_bytes(still, quantised=quantised))


def _worn() -> tuple[NamedMesh, ...]:
    """A cut-out fringe that follows the brows, and see-through glasses."""
    square = np.array([[-60, 20, 70], [60, 20, 70], [60, 45, 70], [-60, 45, 70]], np.float32)
    normals = np.tile(np.array([[0, 0, 1]], np.float32), (4, 1))
    corners = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    picture = np.full((8, 8, 4), 200, np.uint8)
    picture[::2, :, 3] = 0
    rises = {"browInnerUp": np.tile(np.array([[0, 3, 0]], np.float32), (4, 1))}
    fringe = NamedMesh(
        "fringe", square, normals, corners, uv=uv, image=picture, alpha="MASK", morph_targets=rises
    )
    glasses = NamedMesh("glasses", square, normals, corners, (0.1, 0.1, 0.1, 0.3), 0.05, alpha="BLEND")
    return fringe, glasses


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the fastest counts")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write sample files instead")
    chosen = parser.parse_args()
    if chosen.write:
        write_samples(chosen.write)
        return
    torch.set_num_threads(1)
    figures = measure(chosen.repeats)
    for name, value in figures.items():
        print(f"{name:32s} {value:10.2f}")
    if chosen.json:
        print(json.dumps({"threads": 1, **figures}))


if __name__ == "__main__":
    main()
