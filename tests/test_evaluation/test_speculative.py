"""Looks of situations are scored by what the face does, and a face at rest never counts."""

import torch

from facegpt_model.evaluation.speculative import LOOKS, speculative, top_two
from facegpt_model.face import FaceEstimate
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import load_axes
from facegpt_model.serving.backend import Reply

REFERENCES = torch.eye(4)


def test_the_wanted_look_must_be_among_the_two_most_alike() -> None:
    faces = torch.tensor([[0.9, 0.5, 0.0, 0.0], [0.9, 0.5, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert top_two(faces[:1], [1], REFERENCES) == 1
    assert top_two(faces[1:2], [2], REFERENCES) == 0
    assert top_two(faces[2:], [0], REFERENCES) == 0


class OneLook:
    """A backend whose faces all look the same."""

    name = "one-look"

    def __init__(self, look: str) -> None:
        self.code = load_axes(load("openhead@2")).code(LOOKS[look])

    def imagine(self, text: str) -> Reply:
        return Reply(text, (), (FaceEstimate(self.code, None, "text", self.name),))


def test_one_look_for_everything_scores_the_same_when_shuffled() -> None:
    axes = load_axes(load("openhead@2"))
    score = speculative(OneLook("happy"), axes, 200)  # type: ignore[arg-type]
    assert score.situations >= 60
    assert 0 < score.top_two < 0.6 and score.top_two == score.shuffled
