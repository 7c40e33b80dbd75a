"""What was heard: ends of slider values, wordings out of log-odds, heads loaded by name."""

import torch

from facegpt_model.losses.clauses import clause_loss
from facegpt_model.semantics.axes import axis_named
from facegpt_model.vlm.clause_head import ClauseHead, Heard, degree_classes, ends_meant
from facegpt_model.vlm.hearing import Bounds, Wording, hear, last_words

AXES = [axis_named(name) for name in ("nose width", "chin cleft", "nose size")]
NAMES = ("narrow", "absent", "small", "broad", "cleft", "big")
BOUNDS = Bounds(least=0.4, plain=0.6, share=0.1)
SILENCE: dict[str, float] = {}


class Script(ClauseHead):
    """A head that says what the test says: log-odds of the ends by name at each token."""

    def __init__(self, *tokens: dict[str, float]) -> None:
        super().__init__(4, len(AXES))
        self.script = torch.tensor([[token.get(name, -20.0) for name in NAMES] for token in tokens])

    def forward(self, hidden: torch.Tensor) -> Heard:
        degrees = torch.zeros(len(hidden), len(NAMES), 3)
        degrees[:, 3, 2], degrees[:, 4, 1] = 5.0, 5.0
        return Heard(self.script, degrees)

    def heard(self) -> tuple[Wording, ...]:
        return hear(torch.zeros(len(self.script), 4), self, AXES, BOUNDS)


def told(heard: tuple[Wording, ...]) -> list[tuple[int, list[str]]]:
    ends = {
        (axis.name, sign): NAMES[row + 3 * (sign > 0)] for row, axis in enumerate(AXES) for sign in (-1, 1)
    }
    return [(w.position, [ends[one.axis.name, one.sign] for one in w.possible]) for w in heard]


def test_ends_and_degrees_of_slider_values() -> None:
    values = torch.tensor([[-0.5, 0.0, 0.25], [0.0, 0.8, 0.0], [0.0, 0.0, 0.0]])
    assert ends_meant(values).nonzero().tolist() == [[0, 0], [0, 5], [1, 4]]
    assert degree_classes(torch.tensor([0.25, 0.5, 0.7])).tolist() == [0, 1, 2]


def test_several_ends_of_one_wording_are_heard_each_with_its_degree() -> None:
    heard = Script(SILENCE, {"broad": 3.0, "cleft": 2.0}).heard()
    assert told(heard) == [(1, ["broad"]), (1, ["cleft"])]
    assert [wording.degree for wording in heard] == [0.8, 0.5] and 0.94 < heard[0].certainty < 0.96


def test_rivals_make_one_unclear_wording() -> None:
    heard = Script({"broad": -0.4, "big": -0.6}).heard()
    assert told(heard) == [(0, ["broad", "big"])]
    assert 0.7 < heard[0].certainty < 0.8 and abs(sum(p.probability for p in heard[0].possible) - 1) < 1e-6
    assert told(Script({"broad": -1.5, "big": -1.5}).heard()) == []


def test_one_wording_over_several_tokens_is_heard_once_where_it_is_plainest() -> None:
    assert told(Script({"broad": -0.4, "big": -0.6}, {"broad": 4.0}).heard()) == [(1, ["broad"])]
    assert told(Script({"broad": 4.0}, {"broad": 1.0}).heard()) == [(0, ["broad"])]


def test_an_end_that_does_not_exist_is_never_heard() -> None:
    assert Script({"absent": 9.0}).heard() == ()


def test_what_is_taken_back_does_not_count() -> None:
    heard = Script({"broad": 5.0}, *[SILENCE] * 5, {"narrow": 5.0}).heard()
    assert len(heard) == 2 and told(last_words(heard)) == [(6, ["narrow"])]


def test_a_head_is_loaded_by_the_names_of_its_axes() -> None:
    trained, fresh = ClauseHead(4, 2), ClauseHead(4, 3)
    torch.nn.init.normal_(trained.own_degrees.weight)
    fresh.take(trained.state_dict(), ["b", "a"], ["a", "new", "b"])
    hidden = torch.randn(6, 4)
    old, new = trained(hidden), fresh(hidden)
    assert torch.allclose(new.ends[:, [2, 0, 5, 3]], old.ends, atol=1e-6)
    assert torch.allclose(new.degrees[:, [2, 0, 5, 3]], old.degrees, atol=1e-6)
    assert (new.ends[:, [1, 4]] < -10).all()


def test_an_older_head_that_chose_one_end_or_none_does_so_until_it_is_freed() -> None:
    head = ClauseHead(4, 2)
    state = {key: tensor for key, tensor in head.state_dict().items() if not key.startswith("own_degrees")}
    state |= {"ends.weight": torch.randn(5, 512), "ends.bias": torch.randn(5)}
    head.take(state, ["a", "b"], ["a", "b"])
    hidden = torch.randn(6, 4)
    logits = head.trunk(hidden) @ state["ends.weight"].T + state["ends.bias"]
    assert head.exclusive
    assert torch.allclose(head(hidden).ends.sigmoid(), logits.softmax(1)[:, :4], atol=1e-5)
    head.free()
    assert not head.exclusive
    assert torch.allclose(head(hidden).ends, logits[:, :4] - logits[:, 4:], atol=1e-4)


def test_the_loss_falls_to_nothing_for_the_right_reading_and_learns_from_silence() -> None:
    meant = torch.tensor([[0.8, 0.0, 0.0], [0.0, 0.0, 0.0]])
    degrees = torch.zeros(2, 6, 3)
    degrees[0, 3, 2] = 30.0
    broad, none = [-20.0] * 3 + [20.0] + [-20.0] * 2, [-20.0] * 6
    assert float(clause_loss(Heard(torch.tensor([broad, none]), degrees), meant)) < 1e-6
    assert float(clause_loss(Heard(torch.tensor([broad, broad]), degrees), meant)) > 1
    assert float(clause_loss(Heard(torch.tensor([none, none]), degrees), meant)) > 1


def test_both_ends_that_one_token_words_are_learned() -> None:
    meant = torch.tensor([[0.8, 1.0, 0.0]])
    both = torch.tensor([[-20.0] * 3 + [20.0, 20.0, -20.0]])
    degrees = torch.zeros(1, 6, 3)
    degrees[0, 3:5, 2] = 30.0
    assert float(clause_loss(Heard(both, degrees), meant)) < 1e-6
