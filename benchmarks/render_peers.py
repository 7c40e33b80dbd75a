"""Other differentiable renderers on the same mesh and view, each only where it can be imported."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering import torch3d
from facegpt_model.rendering.cameras import project
from facegpt_model.rendering.topology import topology_of


def deodr_job(
    vertices: Tensor, triangles: Tensor, colours: Tensor, view: View
) -> Callable[[], object] | None:
    """Render and backward of one picture by deodr (C++, float64), or None without it.

    Projection, normals, light and the choice of outline edges are left out: deodr is given
    screen coordinates, lit vertex colours and flags, which it would have to compute too.
    """
    try:
        from deodr.differentiable_renderer import Scene2D
    except ImportError:
        return None
    height, width = view.image_size
    screen = project(vertices[:1].detach(), view)[0].double().numpy()
    faces = triangles.numpy().astype(np.uint32)
    count = len(faces)
    scene = Scene2D(
        faces=faces,
        faces_uv=faces,
        ij=np.ascontiguousarray(screen[:, :2] - 0.5),
        depths=np.ascontiguousarray(screen[:, 2]),
        textured=np.zeros(count, bool),
        uv=np.zeros((len(screen), 2)),
        shade=np.zeros(len(screen)),
        colors=colours[0].detach().double().numpy(),
        shaded=np.zeros(count, bool),
        edgeflags=outline_flags(screen, triangles),
        height=height,
        width=width,
        nb_colors=3,
        texture=np.zeros((0, 0)),
        background_color=np.zeros(3),
        backface_culling=True,
    )
    arriving = np.ones((height, width, 3))

    def work() -> None:
        scene.clear_gradients()
        scene.render()
        scene.render_backward(arriving)

    return work


def outline_flags(screen: np.ndarray, triangles: Tensor) -> np.ndarray:
    """(T, 3) whether the edge from corner k to k + 1 of a triangle that faces the camera is an outline."""
    topology = topology_of(triangles, len(screen))
    a, b, c = (screen[triangles.numpy()[:, k], :2] for k in range(3))
    first, second = b - a, c - a
    facing = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0
    faces = topology.faces.numpy()
    other = np.where(faces[:, 1] < 0, False, facing[faces[:, 1]])
    return (facing[faces[:, 0]] != other)[topology.triangle_edges.numpy()] & facing[:, None]


def pytorch3d_job(
    vertices: Tensor, triangles: Tensor, colours: Tensor, view: View
) -> Callable[[], object] | None:
    """Forward and backward by PyTorch3D's hard rasteriser and our shading, or None without it."""
    try:
        renderer = torch3d.HardRenderer()
    except torch3d.Pytorch3dMissing:
        return None
    points = vertices.detach().requires_grad_()
    return lambda: renderer(points, triangles, colours.detach(), view).image.sum().backward()
