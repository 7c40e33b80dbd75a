"""The shipped read-outs on a real picture, and their file."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facegpt_model import data
from facegpt_model.data.worn_labels import ANSWERS
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.photos import load_photo, photo_tensor
from facegpt_model.wearing.look import VECTOR, Look, look_at
from facegpt_model.wearing.readouts import SHIPPED, load_readouts, read_readouts, save_readouts

EXAMPLE = Path(data.__file__).parent / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def look() -> Look:
    photo = load_photo(EXAMPLE)
    return look_at(photo_tensor(photo), analyse(photo)[0].points478)


def test_probabilities_of_every_question_sum_to_one(look: Look) -> None:
    worn = load_readouts()(look)
    for question, known in ANSWERS.items():
        assert tuple(worn.probabilities[question]) == known
        assert sum(worn.probabilities[question].values()) == pytest.approx(1.0, abs=1e-5)


def test_the_example_portrait_is_seen_as_it_is(look: Look) -> None:
    assert look.vector.shape == (VECTOR,)
    worn = load_readouts()(look)
    assert worn.likeliest("sex") == "f" and worn.likeliest("glasses") == "0"
    assert worn.chance("facial_hair", "0") > 0.9
    assert worn.mean("hair", {str(k): float(k) for k in range(5)}) > 2.2


def test_saved_readouts_answer_alike(look: Look, tmp_path: Path) -> None:
    save_readouts(load_readouts(), tmp_path, {})
    vectors = look.vector[None]
    assert torch.allclose(read_readouts(tmp_path).scores(vectors), load_readouts().scores(vectors), atol=1e-3)


def test_readouts_of_another_look_are_refused(tmp_path: Path) -> None:
    save_readouts(replace(load_readouts(), weight=torch.zeros(7, 5)), tmp_path, {})
    with pytest.raises(ValueError, match="other looks"):
        read_readouts(tmp_path)


def test_what_ships_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 2_000_000
