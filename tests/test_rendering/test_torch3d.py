"""PyTorch3D's adapter: the camera mapping by the documented convention, refusals, parity where it loads."""

from __future__ import annotations

import sys
import types
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facegpt_model.face import View
from facegpt_model.rendering import torch3d
from facegpt_model.rendering.cameras import portrait_view, project
from facegpt_model.rendering.deferred import render

Head = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def installed() -> None:
    """Skips where PyTorch3D is missing or broken, with what doctor would say."""
    try:
        torch3d.require_pytorch3d()
    except torch3d.Pytorch3dMissing as error:
        pytest.skip(str(error))


def documented_screen(points: Tensor, camera: dict[str, Tensor]) -> Tensor:
    """PyTorch3D's documentation of cameras: row vectors, x left, y up, z into the picture.

    A screen camera maps (X, Y, Z) to (px - fx X / Z, py - fy Y / Z) in pixels from the upper left.
    """
    seen = points @ camera["R"] + camera["T"][:, None]
    ratio = seen[..., :2] / seen[..., 2:]
    screen = camera["principal_point"][:, None] - camera["focal_length"][:, None] * ratio
    return torch.cat([screen, seen[..., 2:]], dim=2)


def two_views(size: tuple[int, int]) -> View:
    views = [portrait_view(yaw_deg=yaw, pitch_deg=10, size=size) for yaw in (20, -35)]
    joined = {
        name: torch.cat([getattr(view, name) for view in views])
        for name in ("rotation", "translation", "focal", "light")
    }
    return View(**joined, image_size=size)


def test_the_camera_mapping_follows_the_documented_convention() -> None:
    points = 80 * torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(0))
    view = two_views((48, 64))
    camera = torch3d.camera_arguments(view)
    torch.testing.assert_close(documented_screen(points, camera), project(points, view), atol=2e-3, rtol=1e-5)
    assert camera["in_ndc"] is False
    assert camera["image_size"].tolist() == [[48, 64], [48, 64]]
    rotations = camera["R"]
    torch.testing.assert_close(rotations @ rotations.transpose(1, 2), torch.eye(3).expand(2, 3, 3))
    assert (torch.linalg.det(rotations) > 0.999).all()  # a turn, no mirror


def test_a_missing_package_names_torch_and_the_build_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    with pytest.raises(torch3d.Pytorch3dMissing, match=r"not installed.*FORCE_(NO_)?CUDA") as caught:
        torch3d.HardRenderer()
    assert torch.__version__ in str(caught.value)


def test_a_build_for_another_torch_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("broken") / "pytorch3d"
    folder.mkdir()
    (folder / "__init__.py").write_text("__version__ = '0.7.9'\n")
    (folder / "_C.py").write_text("raise ImportError('pytorch3d/_C.so: undefined symbol: _ZN3c10')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pytorch3d"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder.parent))
    with pytest.raises(torch3d.Pytorch3dMissing, match="undefined symbol") as caught:
        torch3d.SoftRenderer()
    assert f"torch {torch.__version__}" in str(caught.value)
    for name in ("pytorch3d", "pytorch3d._C"):
        sys.modules.pop(name, None)


def test_nothing_of_it_is_imported_with_the_adapter() -> None:
    assert isinstance(torch3d, types.ModuleType)
    loaded = [
        name for name in vars(torch3d) if getattr(vars(torch3d)[name], "__name__", "").startswith("pytorch3d")
    ]
    assert not loaded


def gradients(renderer: object, head: Head, view: View) -> tuple[Tensor, Tensor, Tensor]:
    vertices, triangles, colours = head
    points = vertices[None].float().expand(len(view.focal), -1, -1).clone().requires_grad_()
    albedo = colours[None].float().expand_as(points).clone().requires_grad_()
    image = renderer(points, triangles, albedo, view).image  # type: ignore[operator]
    pattern = torch.linspace(-1, 1, image[0].numel()).sin().view(image[0].shape)
    (image * pattern).sum().backward()
    return image.detach(), points.grad, albedo.grad


@pytest.mark.parametrize("size", [(64, 64), (48, 64), (64, 40)])
def test_hard_mode_is_our_picture_without_antialiasing(
    installed: None, head: Head, size: tuple[int, int]
) -> None:
    def hard(*scene: Tensor) -> object:
        return render(*scene, smooth_edges=False)  # type: ignore[arg-type]

    view = two_views(size)
    ours, theirs = gradients(hard, head, view), gradients(torch3d.HardRenderer(), head, view)
    same = (ours[0] - theirs[0]).abs().amax(dim=1) < 1e-5
    assert same.float().mean() > 0.999  # edge ties
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert (mine - other).norm() < 0.02 * mine.norm()


def test_soft_mode_shows_the_same_head_and_moves_outlines(installed: None, head: Head) -> None:
    vertices, triangles, colours = head
    view = two_views((64, 64))
    scene = (vertices[None].float().expand(2, -1, -1), triangles, colours[None].float())
    crisp = torch3d.SoftRenderer(sigma=1e-6, faces_per_pixel=4)  # nearly hard, so that pictures compare
    theirs, ours = crisp(*scene, view), render(*scene, view)
    inside = -torch.nn.functional.max_pool2d(-ours.mask, 5, stride=1, padding=2) == 1
    assert inside.float().mean() > 0.1
    assert ((theirs.image - ours.image) * inside).abs().sum() < 0.02 * (ours.image * inside).sum()
    assert ((theirs.depth - ours.depth).abs() < 1)[
        inside
    ].float().mean() > 0.99  # seams fall between triangles
    assert (theirs.mask - ours.mask).abs().mean() < 0.02
    move = torch.zeros(2, 3, requires_grad=True)
    soft = torch3d.SoftRenderer(faces_per_pixel=6)
    soft(*scene, replace(view, translation=view.translation + move)).mask.square().sum().backward()
    assert move.grad.isfinite().all() and (move.grad[:, 2] < 0).all()  # further away covers less
