"""What was heard: classes of slider values, wordings out of logits, heads loaded by name."""

import torch

from facegpt_model.losses.clauses import clause_loss
from facegpt_model.semantics.axes import axis_named
from facegpt_model.vlm.clause_head import ClauseHead, Heard, degree_classes, end_classes
from facegpt_model.vlm.hearing import hear, last_words

AXES = [axis_named(name) for name in ("nose width", "chin cleft")]
LOW, HIGH, CLEFT, NONE = 0, 2, 3, 4  # class 1 would be an end that "chin cleft" does not have


class Script(ClauseHead):
    """A head that says what the test says."""

    def __init__(self, ends: list[list[float]]) -> None:
        super().__init__(4, len(AXES))
        self.script = torch.tensor(ends)

    def forward(self, hidden: torch.Tensor) -> Heard:
        degrees = torch.tensor([[0.0, 0.0, 5.0]]).expand(len(hidden), 3)
        return Heard(self.script, degrees)


def row(**logits: float) -> list[float]:
    """Logits of one token; ends not named are out of the question."""
    return [logits.get(name, -20.0) for name in ("low", "absent", "high", "cleft", "none")]


def test_classes_of_slider_values() -> None:
    values = torch.tensor([[-0.5, 0.0], [0.8, 0.0], [0.0, 0.25], [0.0, 0.0]])
    assert end_classes(values).tolist() == [LOW, HIGH, CLEFT, NONE]
    assert degree_classes(values)[:3].tolist() == [1, 2, 0]


def test_a_wording_is_heard_once_with_its_readings_and_degree() -> None:
    head = Script([row(none=5), row(high=2, low=1, none=0), row(high=5, none=0), row(none=5), row(cleft=5)])
    heard = hear(torch.zeros(5, 4), head, AXES, least=0.4, share=0.05)
    assert [(w.position, w.possible[0].axis.name, w.possible[0].sign) for w in heard] == [
        (2, "nose width", 1),
        (4, "chin cleft", 1),
    ]
    assert heard[0].degree == 0.8 and 0.98 < heard[0].certainty < 1


def test_an_end_that_does_not_exist_is_never_heard() -> None:
    head = Script([row(absent=9, none=0)])
    assert hear(torch.zeros(1, 4), head, AXES, least=0.3, share=0.1) == ()


def test_what_is_taken_back_does_not_count() -> None:
    silence = [row(none=5)] * 5
    head = Script([row(high=5), *silence, row(low=5)])
    heard = hear(torch.zeros(7, 4), head, AXES, least=0.4, share=0.1)
    assert [w.possible[0].sign for w in last_words(heard)] == [-1]


def test_a_head_is_loaded_by_the_names_of_its_axes() -> None:
    trained = ClauseHead(4, 2)
    fresh = ClauseHead(4, 3)
    fresh.take(trained.state_dict(), ["b", "a"], ["a", "new", "b"])
    hidden = torch.randn(6, 4)
    old, new = trained(hidden).ends, fresh(hidden).ends
    assert torch.allclose(new[:, [2, 0, 5, 3, 6]], old[:, [0, 1, 2, 3, 4]], atol=1e-6)
    assert (new[:, [1, 4]] < -10).all()


def test_the_loss_falls_to_nothing_for_the_right_reading_and_learns_from_silence() -> None:
    meant = torch.tensor([[0.8, 0.0], [0.0, 0.0]])
    right = Heard(torch.tensor([row(high=20), row(none=20)]), torch.tensor([[0.0, 0, 30], [0, 0, 30]]))
    wrong = Heard(torch.tensor([row(high=20), row(high=20)]), right.degrees)
    assert float(clause_loss(right, meant)) < 1e-6
    assert float(clause_loss(wrong, meant)) > 1
