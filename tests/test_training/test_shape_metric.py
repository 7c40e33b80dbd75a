"""The distance of identities in code space against decoded meshes."""

from __future__ import annotations

import pytest
import torch

from facegpt_model.face import FaceCode
from facegpt_model.losses.shape import ShapeMetric
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.face_area import face_area


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load("openhead@2")
    assert isinstance(model, OpenHead)
    return model


@pytest.fixture(scope="module")
def metric(head: OpenHead) -> ShapeMetric:
    return ShapeMetric(head)


def decoded(head: OpenHead, identity: torch.Tensor) -> torch.Tensor:
    mean = head.mean_code(len(identity))
    return head.vertices(FaceCode(identity, mean.expression, mean.albedo, head.basis)).double()


def test_the_distance_is_that_of_aligned_meshes(head: OpenHead, metric: ShapeMetric) -> None:
    codes = 0.2 * torch.randn(2, 150, generator=torch.Generator().manual_seed(0))
    weight = face_area(head, head.mean_code()).double()
    weight = weight / weight.sum()
    a, b = decoded(head, codes)
    shape = head.mean.double()
    middle = (weight[:, None] * shape).sum(0)
    axes = torch.eye(3, dtype=torch.float64)
    motions = [axes[k].expand_as(shape) for k in range(3)]
    motions += [torch.linalg.cross(axes[k].expand_as(shape), shape - middle) for k in range(3)]
    motions.append(shape - middle)
    scale = weight.sqrt()[:, None]
    columns = torch.stack([(m * scale).flatten() for m in motions], dim=1)
    difference = ((a - b) * scale).flatten()
    solved = torch.linalg.lstsq(columns, difference[:, None]).solution[:, 0]
    expected = (difference - columns @ solved).square().sum()
    torch.testing.assert_close(metric(codes[:1], codes[1:])[0].double(), expected, rtol=1e-3, atol=1e-6)
    assert float(expected) < 0.95 * float(difference.square().sum())


def test_explained_is_one_for_the_truth_and_nought_for_one_face(metric: ShapeMetric) -> None:
    true = torch.randn(8, 150, generator=torch.Generator().manual_seed(1))
    assert metric.explained(true, true) == pytest.approx(1)
    assert metric.explained(true[:1].expand(8, -1), true) == pytest.approx(0)
    assert metric.explained(0.5 * true + 3, true) == pytest.approx(0.75, abs=1e-4)


def test_gradient_of_the_distance(metric: ShapeMetric) -> None:
    exact = ShapeMetric.__new__(ShapeMetric)
    torch.nn.Module.__init__(exact)
    exact.register_buffer("root", metric.root[:6, :6].double())
    first, second = torch.randn(2, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.autograd.gradcheck(exact, (first.requires_grad_(), second))
