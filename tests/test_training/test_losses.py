"""Losses of the language stages: gradients, slow references, empty cases."""

import torch
from torch.autograd import gradcheck

from facegpt_model.losses.axes import UNSAID_SHARE, mention_loss, value_loss
from facegpt_model.losses.language import answer_loss
from facegpt_model.vlm.face_head import AxisReadout


def test_answer_loss_matches_a_slow_loop() -> None:
    torch.manual_seed(0)
    hidden, rows, targets = torch.randn(5, 4), torch.randn(7, 4), torch.randint(7, (5,))
    weights = torch.rand(5)
    slow = sum(
        float(weights[i] * -torch.log_softmax(rows @ hidden[i], 0)[targets[i]]) for i in range(5)
    ) / float(weights.sum())
    assert abs(float(answer_loss(hidden, targets, rows, weights)) - slow) < 1e-5


def test_answer_loss_gradient_matches_finite_differences() -> None:
    torch.manual_seed(1)
    hidden = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    rows = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    targets, weights = torch.tensor([0, 5, 2]), torch.rand(3, dtype=torch.float64)
    assert gradcheck(lambda h, r: answer_loss(h, targets, r, weights), (hidden, rows))


def test_no_weight_costs_nothing() -> None:
    hidden = torch.randn(2, 4, requires_grad=True)
    loss = answer_loss(hidden, torch.tensor([0, 1]), torch.randn(3, 4), torch.zeros(2))
    loss.backward()
    assert float(loss) == 0 and not hidden.grad.any()


def test_axis_losses_gradients_match_finite_differences() -> None:
    torch.manual_seed(2)
    values = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    mention = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.5, 0, 0, -0.8], [0, 0, 0, 0], [-0.25, 0.8, 0, 0]], dtype=torch.float64)
    assert gradcheck(lambda m: mention_loss(AxisReadout(values, m), target), (mention,))
    assert gradcheck(lambda v: value_loss(AxisReadout(v, mention), target), (values,))


def test_value_loss_matches_a_slow_loop() -> None:
    torch.manual_seed(3)
    values, target = torch.rand(3, 4), torch.tensor([[0.5, 0, 0, -0.8], [0, 0, 0, 0], [-0.25, 0.8, 0, 0]])
    slow = 0.0
    for face in range(3):
        for axis in range(4):
            weight = UNSAID_SHARE if target[face, axis] == 0 else 1.0
            slow += weight * float(values[face, axis] - target[face, axis]) ** 2 / 3
    assert abs(float(value_loss(AxisReadout(values, torch.zeros(3, 4)), target)) - slow) < 1e-5


def test_mention_loss_is_per_face_not_per_axis() -> None:
    read = AxisReadout(torch.zeros(2, 3), torch.zeros(2, 3))
    one = mention_loss(AxisReadout(read.values[:1], read.mention[:1]), torch.zeros(1, 3))
    assert torch.allclose(one, mention_loss(read, torch.zeros(2, 3)))
