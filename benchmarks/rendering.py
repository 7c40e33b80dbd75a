"""How long drawing takes: forward and backward by size and batch, other renderers, stills, files.

Run `python benchmarks/rendering.py [--json] [--repeats N]`. Times are the least CPU time of
several runs, on openhead@2's mean face turned by 20 degrees, with antialiased outlines and gradients
to vertices, colours, pose, light and focal length; compilation is not counted. One thread, except
where a figure names two. The last line is one JSON object with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import render_peers
import torch
from torch import Tensor

from facegpt_model.appearance.parameters import Appearance, Hair
from facegpt_model.face import FaceCode
from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import mesh_of
from facegpt_model.morphable.base import MorphableModel, load
from facegpt_model.rendering.base import Visibility
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.deferred import render
from facegpt_model.rendering.still import render_still
from facegpt_model.rendering.subdivision import subdivide
from facegpt_model.rendering.visibility import NumbaVisibility, TorchVisibility

Mesh = tuple[Tensor, Tensor, Tensor]  # vertices (1, V, 3), triangles (T, 3), colours (1, V, 3)


def least_ms(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.process_time
) -> float:
    """Least time of `repeats` runs in milliseconds, after one that compiles and fills caches."""
    work()
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return round(min(times) * 1000, 3)


def mean_code(model: MorphableModel) -> FaceCode:
    """The mean face."""
    layout = model.layout
    parts = (torch.zeros(1, n) for n in (layout.identity, layout.expression, layout.albedo))
    return FaceCode(*parts, model.basis)


def mean_mesh(model: MorphableModel) -> Mesh:
    """The mean face as a mesh."""
    code = mean_code(model)
    return model.vertices(code), model.triangles, model.albedo(code)


def forward_job(
    mesh: Mesh, size: int, batch: int, visibility: Visibility | None = None, compiled: bool | None = None
) -> Callable[[], Tensor]:
    """Draws a batch of one face, with everything asking for gradients."""
    vertices, triangles, colours = mesh
    view = portrait_view(yaw_deg=20, size=size, batch=batch)
    names = ("rotation", "translation", "focal", "light")
    view = replace(view, **{name: getattr(view, name).clone().requires_grad_() for name in names})
    vertices = vertices.repeat(batch, 1, 1).requires_grad_()
    colours = colours.repeat(batch, 1, 1).requires_grad_()
    return lambda: render(vertices, triangles, colours, view, visibility=visibility, compiled=compiled).image


def main_figures(mesh: Mesh, repeats: int) -> dict[str, float]:
    """Forward with backward as trainings use them, and what one and two threads make of it."""
    figures = {}
    for size, batch in ((224, 1), (224, 8), (112, 16)):
        forward = forward_job(mesh, size, batch)
        per_image = "" if batch == 1 else "_per_image"
        figures[f"fwd_{size}_n{batch}_ms{per_image}"] = round(least_ms(forward, repeats) / batch, 3)
        both = least_ms(lambda work=forward: work().sum().backward(), repeats)
        figures[f"fwd_bwd_{size}_n{batch}_ms{per_image}"] = round(both / batch, 3)
    return figures


def wall_ms_per_image(mesh: Mesh, repeats: int) -> float:
    """Wall time of forward with backward at 224 pixels in a batch of 8, with torch's thread count."""
    forward = forward_job(mesh, 224, 8)
    return round(least_ms(lambda: forward().sum().backward(), repeats, time.perf_counter) / 8, 3)


def thread_figures(repeats: int) -> dict[str, float]:
    """Wall time with one thread and with two, each in a process of its own whose idle threads sleep."""
    figures = {}
    for threads in (1, 2):
        done = subprocess.run(
            [sys.executable, __file__, "--wall-threads", str(threads), "--repeats", str(repeats)],
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        figures[f"fwd_bwd_224_n8_wall_ms_per_image_{threads}_threads"] = float(done.stdout)
    return figures


def backend_figures(mesh: Mesh, repeats: int) -> dict[str, float]:
    """Finding visible triangles on each backend, and the torch reference for everything after it."""
    screen = project(mesh[0], portrait_view(yaw_deg=20, size=224))
    figures = {}
    for name, backend in (("numba", NumbaVisibility(threads=1)), ("torch", TorchVisibility())):
        visible = least_ms(lambda it=backend: it.visible_triangles(screen, mesh[1], 224, 224), repeats)
        figures[f"visibility_{name}_224_n1_ms"] = visible
    for name, backend in (("numba", None), ("torch", TorchVisibility())):
        forward = forward_job(mesh, 224, 1, backend, compiled=False)
        took = least_ms(lambda work=forward: work().sum().backward(), repeats)
        figures[f"fwd_bwd_torch_shading_{name}_visibility_224_n1_ms"] = took
    return figures


def growth_figures(mesh: Mesh, repeats: int) -> dict[str, float]:
    """Forward with backward over finer meshes, larger pictures and larger batches, per image."""
    figures = {}

    def add(name: str, given: Mesh, size: int, batch: int) -> None:
        forward = forward_job(given, size, batch)
        took = least_ms(lambda: forward().sum().backward(), max(repeats // 2, 1))
        figures[f"growth_{name}_ms_per_image"] = round(took / batch, 3)

    finer = mesh
    for _ in range(3):
        add(f"{finer[0].shape[1]}_vertices_224_n1", finer, 224, 1)
        fine, triangles = subdivide(finer[0][0].numpy(), finer[1].numpy())
        finer = (
            torch.from_numpy(fine)[None],
            torch.from_numpy(triangles),
            torch.full((1, len(fine), 3), 0.5),
        )
    for size in (56, 112, 448):
        add(f"{size}_pixels_n1", mesh, size, 1)
    for batch in (2, 4, 16):
        add(f"batch_{batch}_224", mesh, 224, batch)
    return figures


def peer_figures(mesh: Mesh, repeats: int) -> dict[str, float]:
    """deodr and PyTorch3D on the same picture, where they are installed."""
    vertices, triangles, colours = mesh
    view = portrait_view(yaw_deg=20, size=224)
    figures = {}
    if job := render_peers.deodr_job(vertices, triangles, colours, view):
        figures["deodr_render_backward_224_n1_ms"] = least_ms(job, repeats)
    if job := render_peers.pytorch3d_job(vertices, triangles, colours, view):
        figures["pytorch3d_hard_fwd_bwd_224_n1_ms"] = least_ms(job, 1)
    return figures


def file_figures(model: MorphableModel, repeats: int) -> dict[str, float]:
    """Stills in seconds, the glTF file in milliseconds and megabytes."""
    code = mean_code(model)
    figures = {}
    for size in (256, 512, 1024):
        took = least_ms(lambda side=size: render_still(model, code, 20, 0, side), repeats)
        figures[f"still_{size}_s"] = round(took / 1000, 3)
    worn = {
        "short_hair": Hair(length=0.28, parting=0.5),
        "long_hair": Hair(length=0.85, wave=0.2),
        "afro": Hair(length=0.5, wave=1.0),
    }
    for name, hair in worn.items():

        def dressed(amount: float, hair: Hair = hair) -> FaceCode:
            return replace(code, appearance=Appearance(replace(hair, length=hair.length + amount)).row())

        drawn_before = least_ms(lambda it=dressed: render_still(model, it(0), 20, 0, 512), repeats)
        figures[f"still_512_{name}_s"] = round(drawn_before / 1000, 3)
        fresh = iter(range(1, 100))  # each a haircut that the process has not drawn
        new = least_ms(
            lambda it=dressed, k=fresh: render_still(model, it(1e-3 * next(k)), 20, 0, 512), repeats
        )
        figures[f"still_512_new_{name}_s"] = round(new / 1000, 3)
    mesh = mesh_of(model, code)
    figures["glb_ms"] = least_ms(lambda: glb_bytes(mesh_of(model, code)), repeats)
    figures["glb_mb"] = round(len(glb_bytes(mesh)) / 1e6, 2)
    return figures


def floor_figures(mesh: Mesh) -> dict[str, float]:
    """What one 224 x 224 picture, forward and backward, must move and compute at least.

    Bytes: every map of a rendering written once, the gradient of colour and coverage read, vertex
    arrays read and their gradients written. Operations: inside tests of the pixels in triangles'
    boxes, two passes of shading per covered pixel, normals per triangle; counted from the loops.
    """
    vertices, triangles, _ = mesh
    screen = project(vertices, portrait_view(yaw_deg=20, size=224))[0]
    covered = int((NumbaVisibility().visible_triangles(screen[None], triangles, 224, 224) >= 0).sum())
    corners = screen[triangles][..., :2]
    extent = (torch.floor(corners.amax(1) - 0.5) - torch.ceil(corners.amin(1) - 0.5) + 1).clamp_min(0)
    pixels, count = 224 * 224, vertices.shape[1]
    written = pixels * (8 + 4 * (1 + 4 + 1 + 3 + 3)) + pixels * 4 * 4 * 2
    moved = written + count * 4 * 3 * 6 + len(triangles) * 8 * 3 * 4
    operations = int(extent.prod(1).sum()) * 14 + covered * (130 + 330) + len(triangles) * 110
    source = torch.zeros(8_000_000)
    copy_ms = least_ms(source.clone, 5)
    return {
        "floor_bytes_mb": round(moved / 1e6, 2),
        "copy_gb_per_s": round(2 * 4 * len(source) / copy_ms / 1e6, 2),
        "floor_bytes_ms": round(moved / (2 * 4 * len(source)) * copy_ms, 3),
        "floor_operations_millions": round(operations / 1e6, 2),
    }


def measure(repeats: int) -> dict[str, float]:
    """Name of a figure (with its unit) to its value."""
    model = load()
    mesh = mean_mesh(model)
    return (
        main_figures(mesh, repeats)
        | thread_figures(repeats)
        | peer_figures(mesh, repeats)
        | backend_figures(mesh, repeats)
        | growth_figures(mesh, repeats)
        | floor_figures(mesh)
        | file_figures(model, max(repeats // 3, 1))
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--repeats", type=int, default=10, help="runs of which the fastest counts")
    parser.add_argument("--wall-threads", type=int, help="print only the wall time with so many threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.wall_threads or 1)
    if chosen.wall_threads:
        print(wall_ms_per_image(mean_mesh(load()), chosen.repeats))
        return
    figures = measure(chosen.repeats)
    for name, value in figures.items():
        print(f"{name:60s} {value:10.2f}")
    if chosen.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
