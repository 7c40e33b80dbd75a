"""Gradients of the whole head against finite differences of a picture with 4 x 4 samples per pixel.

Light and albedo are held to it in a picture of 320 pixels, and to the antialiased picture itself:
what pixel centres miss, mostly of lids, shrinks with the square of the size of a pixel.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from facegpt_model.face import FaceCode, View
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.rendering.deferred import render

SIZE, SAMPLES = 224, 4
LIGHT_SIZE = 320


class Scene:
    """Pictures of the mean head with an open mouth, by how far each of its numbers is moved.

    Open, because closed lips touch: there the picture has a kink that no derivative describes.
    """

    def __init__(self, yaw: float, size: int = SIZE) -> None:
        model = load()
        assert isinstance(model, OpenHead)
        self.model = deepcopy(model).double()  # load() shares one model
        self.yaw = yaw
        self.view = portrait_view(yaw_deg=yaw, pitch_deg=5, size=size)
        self.size = size

    def picture(self, moved: dict[str, Tensor], samples: int = 1) -> Tensor:
        code = self.model.mean_code()
        opened = code.expression.clone()
        opened[0, self.model.expression_names.index("jawOpen")] = 0.3
        code = replace(code, expression=opened)
        parts = {
            name: getattr(code, name).double() + moved.get(name, 0)
            for name in ("identity", "expression", "albedo")
        }
        code = FaceCode(**parts, basis=code.basis)
        view = View(
            self.view.rotation.double(),
            self.view.translation.double() + moved.get("translation", 0),
            self.view.focal.double() * samples,
            self.view.light.double() + moved.get("light", 0),
            (self.size * samples,) * 2,
        )
        drawn = render(
            self.model.vertices(code),
            self.model.triangles,
            self.model.albedo(code),
            view,
            smooth_edges=samples == 1,
        )
        return avg_pool2d(drawn.image, samples)


@pytest.fixture(scope="module", params=[0.0, 20.0])
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


def compare(
    scene: Scene, name: str, direction: Tensor, step: float, samples: int = SAMPLES, stops: int = 1
) -> tuple[float, float]:
    """Derivative of a sum over the picture: by autograd at one sample, by differences at many.

    A difference over a step is the mean of the derivative along it, so autograd's is averaged
    over `stops` places of the step: teeth and lips uncover each other within a pixel, and
    there the derivative itself jumps. Pixels are weighted by how they change themselves,
    blurred over 5 x 5, so that the sum is large against what a single pixel does by chance.
    """
    with torch.no_grad():
        ahead = scene.picture({name: step * direction}, samples)
        behind = scene.picture({name: -step * direction}, samples)
    change = (ahead - behind) / (2 * step)
    weights = avg_pool2d(change, 5, stride=1, padding=2)
    found = 0.0
    for stop in range(stops):
        place = step * ((2 * stop + 1) / stops - 1)
        amount = torch.tensor(place, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad((scene.picture({name: amount * direction}) * weights).sum(), amount)
        found += float(slope) / stops
    return found, float((change * weights).sum())


@pytest.mark.parametrize("axis", [0, 1])
def test_translation_within_a_fifth(scene: Scene, axis: int) -> None:
    direction = torch.eye(3, dtype=torch.float64)[axis : axis + 1]
    found, expected = compare(scene, "translation", direction, 1.0)
    assert found == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("action", ["jawOpen", "mouthSmileLeft", "cheekPuff"])
def test_expression_within_15_percent(scene: Scene, action: str) -> None:
    names = scene.model.expression_names
    direction = torch.zeros(1, len(names), dtype=torch.float64)
    direction[0, names.index(action)] = 1
    found, expected = compare(scene, "expression", direction, 0.06, stops=8)
    assert found == pytest.approx(expected, rel=0.15)


def lit(row: int) -> Tensor:
    direction = torch.zeros(1, 9, 3, dtype=torch.float64)
    direction[0, row] = torch.tensor([1.0, 0.8, 0.6])
    return direction


def pigmented(scene: Scene) -> Tensor:
    direction = torch.zeros(1, scene.model.layout.albedo, dtype=torch.float64)
    direction[0, scene.model.albedo_names.index("melanin")] = 1
    return direction


@pytest.fixture(scope="module")
def large(scene: Scene) -> Scene:
    return Scene(scene.yaw, LIGHT_SIZE)


@pytest.mark.parametrize("row", [0, 1, 3, 6])
def test_light_within_a_thousandth(large: Scene, row: int) -> None:
    found, expected = compare(large, "light", lit(row), 0.1)
    assert found == pytest.approx(expected, rel=1e-3)


def test_albedo_within_a_thousandth(large: Scene) -> None:
    found, expected = compare(large, "albedo", pigmented(large), 0.01)
    assert found == pytest.approx(expected, rel=1e-3)


def test_light_and_albedo_are_exact_against_the_same_picture(scene: Scene) -> None:
    for name, direction, step in (("light", lit(1), 0.1), ("albedo", pigmented(scene), 0.01)):
        found, expected = compare(scene, name, direction, step, samples=1)
        assert found == pytest.approx(expected, rel=1e-5)
