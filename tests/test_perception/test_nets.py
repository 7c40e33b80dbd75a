"""The reader of .tflite files and the nets read with it."""

from __future__ import annotations

import itertools
import zipfile

import numpy as np
import pytest
import torch
from torch import Tensor

from facegpt_model import assets
from facegpt_model.perception.analyse import load_nets
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES, INPUT_POINTS
from facegpt_model.perception.crops import Windows, cut
from facegpt_model.perception.detector import Detections, blend_overlapping, overlap
from facegpt_model.perception.tflite import KERNELS, TfliteNet, UnsupportedNet, Window2d


def slow_convolution(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """TensorFlow's definition of a "same" convolution, pixel by pixel; weight is (out, kh, kw, in)."""
    height, width = x.shape[1:3]
    kernel = weight.shape[1]
    rows, columns = -(-height // stride), -(-width // stride)
    top = max((rows - 1) * stride + kernel - height, 0) // 2
    left = max((columns - 1) * stride + kernel - width, 0) // 2
    out = torch.zeros(1, rows, columns, weight.shape[0], dtype=x.dtype)
    for r, c, o in itertools.product(range(rows), range(columns), range(weight.shape[0])):
        for i, j in itertools.product(range(kernel), range(kernel)):
            y, xx = r * stride + i - top, c * stride + j - left
            if 0 <= y < height and 0 <= xx < width:
                out[0, r, c, o] += (x[0, y, xx] * weight[o, i, j]).sum()
    return out


@pytest.mark.parametrize(
    ("size", "stride", "kernel"), [((5, 4), 2, 3), ((4, 4), 2, 3), ((5, 5), 1, 2), ((6, 3), 2, 5)]
)
def test_convolution_pads_as_tensorflow_does(size: tuple[int, int], stride: int, kernel: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, *size, 2, generator=generator, dtype=torch.float64)
    weight = torch.rand(3, kernel, kernel, 2, generator=generator, dtype=torch.float64)
    fast = KERNELS["CONV_2D"][1]([x, weight], Window2d((stride, stride)))
    torch.testing.assert_close(fast, slow_convolution(x, weight, stride))


def test_a_file_with_an_unknown_operation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipfile.ZipFile(assets.path("face_landmarker")).read("face_detector.tflite")
    monkeypatch.delitem(KERNELS, "PAD")
    with pytest.raises(UnsupportedNet, match="operation PAD is not one of ADD, "):
        TfliteNet(data)


def test_two_crops_together_give_what_each_gives_alone() -> None:
    nets = load_nets()
    crops = torch.rand(2, 256, 256, 3, generator=torch.Generator().manual_seed(1))
    points, presence = nets.landmarks(crops)
    for i in range(2):
        alone, its_presence = nets.landmarks(crops[i : i + 1])
        torch.testing.assert_close(points[i], alone[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(presence[i], its_presence[0], atol=1e-5, rtol=1e-4)
    weights = nets.blendshapes(points)
    torch.testing.assert_close(weights[1], nets.blendshapes(points[1:])[0], atol=1e-5, rtol=1e-4)
    scores, values = nets.detector(crops[:, ::2, ::2])
    assert scores.shape == (2, 896) and values.shape == (2, 896, 16)
    torch.testing.assert_close(values[1], nets.detector(crops[1:, ::2, ::2])[1][0], atol=1e-5, rtol=1e-4)


def test_gradient_reaches_the_picture_and_agrees_with_a_finite_difference() -> None:
    nets = load_nets()
    generator = torch.Generator().manual_seed(2)
    picture = torch.rand(3, 40, 40, generator=generator)
    towards = torch.zeros_like(picture)
    towards[:, 18:22, 15:20] = torch.rand(3, 4, 5, generator=generator)
    window = Windows(torch.tensor([[20.0, 20.0]]), torch.tensor([38.0]), torch.tensor([0.1]))
    net = nets.landmarks.double()
    try:

        def nose_x(image: Tensor) -> Tensor:
            return net(cut(image, window, 256))[0][0, 1, 0]

        picture, towards = picture.double().requires_grad_(), towards.double()
        (gradient,) = torch.autograd.grad(nose_x(picture), picture)
        step = 1e-6
        with torch.no_grad():
            measured = (nose_x(picture + step * towards) - nose_x(picture - step * towards)) / (2 * step)
        expected = (gradient * towards).sum()
        assert abs(float(expected)) > 1e-8
        torch.testing.assert_close(expected, measured, rtol=1e-4, atol=1e-10)
    finally:
        net.float()


def test_blendshapes_ignore_scale_and_place() -> None:
    nets = load_nets()
    points = torch.rand(1, 478, 3, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(
        nets.blendshapes(points), nets.blendshapes(points * 300 + 40), atol=1e-3, rtol=1e-3
    )
    assert len(BLENDSHAPE_NAMES) == 52 and len(set(INPUT_POINTS)) == 146


def test_a_window_of_whole_pixels_cuts_them_out() -> None:
    picture = torch.arange(3 * 6 * 8, dtype=torch.float32).reshape(3, 6, 8)
    window = Windows(torch.tensor([[4.0, 3.0]]), torch.tensor([4.0]), torch.zeros(1))
    torch.testing.assert_close(cut(picture, window, 4)[0], picture[:, 1:5, 2:6].permute(1, 2, 0))


def test_a_window_turned_a_quarter_clockwise_shows_the_picture_turned_back() -> None:
    picture = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(4))
    window = Windows(torch.tensor([[3.0, 3.0]]), torch.tensor([6.0]), torch.tensor([torch.pi / 2]))
    expected = torch.rot90(picture, 1, dims=(1, 2))  # counter-clockwise
    torch.testing.assert_close(cut(picture, window, 6)[0].permute(2, 0, 1), expected, atol=1e-4, rtol=1e-4)


def test_a_large_window_averages_instead_of_skipping() -> None:
    checkers = torch.from_numpy(np.indices((64, 64)).sum(axis=0) % 2).float().expand(3, 64, 64)
    window = Windows(torch.tensor([[32.0, 32.0]]), torch.tensor([64.0]), torch.zeros(1))
    torch.testing.assert_close(cut(checkers, window, 8), torch.full((1, 8, 8, 3), 0.5))


def test_overlapping_answers_become_one_weighted_by_score() -> None:
    box = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [40, 40, 50, 50]])
    points = torch.zeros(3, 6, 2)
    points[1] = 4.0
    found = blend_overlapping(Detections(box, points, torch.tensor([0.9, 0.3, 0.6])))
    assert found.score.tolist() == pytest.approx([0.9, 0.6])
    assert found.box[0].tolist() == pytest.approx([0.5, 0, 10.5, 10])
    assert float(found.points[0, 0, 0]) == pytest.approx(1.0)
    assert float(overlap(box[0], box[1:])[0]) == pytest.approx(80 / 120)
