"""The z-buffers against a loop over pixels and triangles that is too slow to be wrong."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from facegpt_model.rendering.base import Visibility
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.visibility import NumbaVisibility, TorchVisibility, WarpVisibility

BACKENDS = [NumbaVisibility(threads=1), NumbaVisibility(threads=2), TorchVisibility()]
if importlib.util.find_spec("warp"):  # the optional extra
    BACKENDS.append(WarpVisibility())


def nearest_by_loop(screen: np.ndarray, triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    """Barycentrics by solving a 3 x 3 system for each pixel and triangle."""
    ids = np.full((height, width), -1)
    for row in range(height):
        for column in range(width):
            best = np.inf
            for t, corners in enumerate(triangles):
                points = screen[corners]
                if (points[:, 2] < 10).any():
                    continue
                system = np.vstack([points[:, :2].T, np.ones(3)])
                if abs(np.linalg.det(system)) < 1e-5:
                    continue
                weights = np.linalg.solve(system, [column + 0.5, row + 0.5, 1.0])
                depth = 1 / (weights / points[:, 2]).sum()
                if (weights >= 0).all() and depth < best:
                    best, ids[row, column] = depth, t
    return ids


@pytest.mark.parametrize("visibility", BACKENDS)
def test_a_tangle_of_triangles_matches_the_slow_loop(
    visibility: Visibility, tangle: tuple[np.ndarray, np.ndarray]
) -> None:
    screen, triangles = tangle
    expected = nearest_by_loop(screen, triangles, 17, 23)
    found = visibility.visible_triangles(torch.tensor(screen)[None], torch.tensor(triangles), 17, 23)
    assert (expected >= 0).mean() > 0.5
    np.testing.assert_array_equal(found[0].numpy(), expected)


@pytest.mark.parametrize("visibility", BACKENDS)
def test_a_batch_is_its_pictures_one_by_one(
    visibility: Visibility, head: tuple[Tensor, Tensor, Tensor]
) -> None:
    vertices, triangles, _ = head
    screens = [project(vertices[None], portrait_view(yaw_deg=yaw, size=(50, 40))) for yaw in (-30, 50, 0)]
    together = visibility.visible_triangles(torch.cat(screens), triangles, 50, 40)
    for k, screen in enumerate(screens):
        assert torch.equal(together[k], visibility.visible_triangles(screen, triangles, 50, 40)[0])


@pytest.mark.parametrize("visibility", BACKENDS[1:])
def test_backends_agree_on_a_head(visibility: Visibility, head: tuple[Tensor, Tensor, Tensor]) -> None:
    vertices, triangles, _ = head
    screen = project(vertices[None].float(), portrait_view(yaw_deg=25, size=120))
    numba = NumbaVisibility(threads=1).visible_triangles(screen, triangles, 120, 120)
    other = visibility.visible_triangles(screen, triangles, 120, 120)
    assert (numba != other).float().mean() < 1e-3
    assert ((numba >= 0) != (other >= 0)).sum() == 0


def test_without_warp_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "facegpt_model.rendering.warp_kernel", raising=False)
    monkeypatch.setitem(sys.modules, "warp", None)
    with pytest.raises(ImportError, match=r"needs warp-lang.*facegpt\[warp\]"):
        WarpVisibility()


@pytest.mark.parametrize("visibility", BACKENDS)
def test_no_pixel_falls_through_a_seam(visibility: Visibility) -> None:
    steps = torch.linspace(0.5, 20.5, 6, dtype=torch.float64)  # edges exactly through pixel centres
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    screen = torch.stack([x, y, torch.full_like(x, 500)], dim=2).reshape(1, -1, 3)
    corner = (torch.arange(5)[:, None] * 6 + torch.arange(5)).reshape(-1, 1)
    squares = torch.cat([corner + torch.tensor([[0, 1, 6]]), corner + torch.tensor([[1, 7, 6]])])
    ids = visibility.visible_triangles(screen, squares, 21, 21)
    assert (ids >= 0).all()


@pytest.mark.parametrize("visibility", BACKENDS)
def test_degenerate_hidden_and_outside_triangles_are_left_out(visibility: Visibility) -> None:
    screen = torch.tensor(
        [
            [[0, 0, 500], [8, 0, 500], [4, 0, 500]],  # no area
            [[0, 0, -500], [8, 0, -500], [0, 8, -500]],  # behind the camera
            [[0, 0, 500], [8, 0, 500], [0, 8, 5]],  # reaches through the camera
            [[90, 90, 500], [99, 90, 500], [90, 99, 500]],  # outside
        ],
        dtype=torch.float64,
    ).reshape(1, -1, 3)
    assert (visibility.visible_triangles(screen, torch.arange(12).view(4, 3), 8, 8) == -1).all()
    nothing = visibility.visible_triangles(screen, torch.empty(0, 3, dtype=torch.int64), 8, 8)
    assert nothing.shape == (1, 8, 8) and (nothing == -1).all()
