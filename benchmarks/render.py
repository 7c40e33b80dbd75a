"""How long drawing takes: the differentiable renderer, its two visibilities, stills, mesh files.

Run `python benchmarks/render.py [--json]`. Times are the least CPU time of several runs with
one thread, in milliseconds, on the mean face of openhead@1; compilation is not counted. The
last line is one JSON object with --json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import torch

from facegpt_model.face import FaceCode
from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import mesh_of
from facegpt_model.morphable.base import MorphableModel, load
from facegpt_model.rendering.base import Visibility
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.still import render_still
from facegpt_model.rendering.visibility import NumbaVisibility, TorchVisibility

SIZE = 224
BACKENDS: dict[str, Visibility] = {"numba": NumbaVisibility(threads=1), "torch": TorchVisibility()}


def least_ms(work: Callable[[], object], repeats: int) -> float:
    """Least CPU time of `repeats` runs after one that compiles and fills caches."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(min(times) * 1000, 2)


def mean_code(model: MorphableModel) -> FaceCode:
    """The mean face."""
    layout = model.layout
    identity, expression, albedo = (
        torch.zeros(1, n) for n in (layout.identity, layout.expression, layout.albedo)
    )
    return FaceCode(identity, expression, albedo, model.basis)


def renderer_figures(model: MorphableModel, batch: int, name: str, repeats: int) -> dict[str, float]:
    """Visibility, forward, and forward with backward of one batch size on one backend."""
    code, backend = mean_code(model), BACKENDS[name]
    view = portrait_view(yaw_deg=20, size=SIZE, batch=batch)
    vertices = model.vertices(code).repeat(batch, 1, 1).requires_grad_()
    colours = model.albedo(code).repeat(batch, 1, 1).requires_grad_()
    screen = project(vertices.detach(), view)

    def forward() -> torch.Tensor:
        return render(vertices, model.triangles, colours, view, visibility=backend).image

    jobs: dict[str, Callable[[], object]] = {
        "visibility": lambda: backend.visible_triangles(screen, model.triangles, SIZE, SIZE),
        "forward": forward,
        "forward_backward": lambda: forward().sum().backward(),
    }
    return {f"{job}_{name}_{SIZE}px_batch{batch}_ms": least_ms(work, repeats) for job, work in jobs.items()}


def measure(repeats: int) -> dict[str, float]:
    """Name of a figure (with its unit) to its value."""
    model = load("openhead@1")
    code = mean_code(model)
    figures: dict[str, float] = {}
    for batch in (1, 8):
        for name in BACKENDS:
            figures |= renderer_figures(model, batch, name, repeats)
    few = max(repeats // 2, 1)
    for size in (256, 512, 1024):
        figures[f"still_{size}px_ms"] = least_ms(partial(render_still, model, code, 20, 0, size), few)
    figures["glb_ms"] = least_ms(lambda: glb_bytes(mesh_of(model, code)), few)
    figures["glb_mb"] = round(len(glb_bytes(mesh_of(model, code))) / 1e6, 2)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--repeats", type=int, default=6, help="runs of which the fastest counts")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    figures = measure(chosen.repeats)
    for name, value in figures.items():
        print(f"{name:48s} {value:10.2f}")
    if chosen.json:
        print(json.dumps({"threads": 1, **figures}))


if __name__ == "__main__":
    main()
