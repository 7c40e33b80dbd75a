"""What situations imply: the head over all tokens, its stage, its file, and what it adds to the heard."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from facegpt_model.semantics.axes import Axis
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.training.looks import LooksConfig, Read, agreement, learn
from facegpt_model.vlm.hearing import Possible, Wording, with_looks
from facegpt_model.vlm.look_head import LookHead, read_looks, save_looks
from facegpt_model.vlm.model import SHIPPED_CHECKPOINT

NAMES = ("smile", "frown", "fear")


def some_texts(count: int, seed: int) -> Read:
    """Texts in which one token in six tells a look, and a second one makes it another."""
    make = torch.Generator().manual_seed(seed)
    states = 0.1 * torch.randn(count * 6, 32, generator=make)
    looks = torch.zeros(count, 3)
    for text in range(count):
        look = int(torch.randint(3, (1,), generator=make))
        states[6 * text + int(torch.randint(6, (1,), generator=make)), look] += 2.0
        looks[text, look] = 1.0
    degrees = torch.ones(count, dtype=torch.long)
    return Read(states.half(), torch.arange(count + 1) * 6, looks, degrees)


def test_a_look_is_learned_from_one_word_of_many_and_a_batch_of_two_is_two_of_one() -> None:
    torch.manual_seed(0)
    config = LooksConfig(passes=12, batch=32, width=32, dropout=0.1, learning_rate=1e-2)
    held = some_texts(100, 2)
    passes = list(learn(some_texts(400, 1), NAMES, config))
    head = passes[-1][0]
    assert passes[-1][1] < 0.5 * passes[0][1]
    assert agreement(head, held) > 0.9 > agreement(LookHead(32, NAMES), held)
    head.eval()
    both, _ = head.looks(*held.part(torch.tensor([3, 7])), 2)
    one, _ = head.looks(*held.part(torch.tensor([7])), 1)
    torch.testing.assert_close(both[1], one[0])


def test_texts_of_other_lengths_keep_their_tokens() -> None:
    states = torch.arange(12.0)[:, None].expand(12, 4).half()
    read = Read(states, torch.tensor([0, 5, 6, 12]), torch.zeros(3, 3), torch.zeros(3, dtype=torch.long))
    part, texts = read.part(torch.tensor([2, 0]))
    assert part[:, 0].tolist() == [6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4]
    assert texts.tolist() == [0] * 6 + [1] * 5


@pytest.fixture(scope="module")
def backend() -> InProcessBackend:
    return InProcessBackend.load()


def axis(backend: InProcessBackend, name: str) -> Axis:
    return backend.gpt.axes.axes[backend.gpt.axes.row(name)]


def test_what_is_worded_plainly_is_not_concluded_again(backend: InProcessBackend) -> None:
    smile, fear, nose = (axis(backend, name) for name in ("smile", "fear", "nose width"))
    looks, degrees = torch.tensor([-3.0, 3.0]), torch.tensor([0.0, 0.0, 1.0])

    def heard(its: Axis, certainty: float) -> Wording:
        return Wording(4, certainty, (Possible(its, 1, 1.0),), 0.5)

    broad = heard(nose, 0.99)
    plain = (broad, heard(smile, 0.95))
    assert with_looks(plain, looks, degrees, (smile, fear)) == plain
    said, implied = with_looks((broad, heard(smile, 0.5)), looks, degrees, (smile, fear))
    assert said == broad and implied.possible[0].axis == fear and implied.degree == 0.8
    unsure = (heard(smile, 0.5),)
    assert with_looks(unsure, -looks.abs(), degrees, (smile, fear)) == unsure


def test_the_shipped_head_concludes_and_leaves_plain_words_alone(backend: InProcessBackend) -> None:
    def moved(text: str) -> set[str]:
        code = backend.imagine(text).faces[0].code
        values = backend.gpt.axes.read(code)
        return {
            one.name
            for one in backend.gpt.axes.axes
            if one.part == "expression" and abs(values[one.name]) > 0.2
        }

    assert moved("She opened the cupboard and a rat jumped at her.") & {"fear", "surprise"}
    assert "smile" in moved("He got the job he had always wanted.")
    assert not moved("A man of about 50 with a broad nose and thin lips.")


def test_looks_belong_to_their_checkpoint(tmp_path: Path) -> None:
    shutil.copy(SHIPPED_CHECKPOINT / "facegpt.safetensors", tmp_path)
    head = LookHead(32, NAMES, 16)
    save_looks(head, tmp_path, {})
    again = read_looks(tmp_path)
    assert again is not None and again.names == NAMES
    states = torch.randn(5, 32)
    torch.testing.assert_close(again(states), head(states), atol=1e-2, rtol=1e-2)
    with (tmp_path / "facegpt.safetensors").open("ab") as other:
        other.write(b" ")
    assert read_looks(tmp_path) is None
