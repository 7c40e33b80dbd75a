"""Which pixels show hair, glasses or a beard."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facegpt_model import data
from facegpt_model.fitting.worn import SeenWorn, see_worn
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.crops import Windows
from facegpt_model.perception.photos import load_photo
from facegpt_model.wearing.mask import in_window
from facegpt_model.wearing.readouts import Worn

EXAMPLE = Path(data.__file__).parent / "examples" / "portrait.jpg"
CHEEK, EYE, CHIN, CROWN = 50, 159, 152, 10


def test_in_window_undoes_to_picture() -> None:
    window = Windows(torch.tensor([[100.0, 80.0]]), torch.tensor([50.0]), torch.tensor([0.4]))
    places = torch.rand(1, 6, 2)
    assert torch.allclose(in_window(window, window.to_picture(places)[0]), places[0], atol=1e-5)


@pytest.fixture(scope="module")
def seen() -> SeenWorn:
    photo = load_photo(EXAMPLE)
    return see_worn(photo, analyse(photo)[0])


def at(mask: torch.Tensor, seen: SeenWorn, point: int, up: float = 0.0) -> float:
    x, y = seen.landmarks478[point, :2].tolist()
    return float(mask[max(0, round(y - up)), round(x)])


def said(seen: SeenWorn, **answers: str) -> SeenWorn:
    told = {
        question: {answer: float(answer == answers.get(question, worn_now)) for answer in known}
        for question, known in seen.worn.probabilities.items()
        for worn_now in [seen.worn.likeliest(question)]
    }
    return replace(seen, worn=Worn(told, 40.0, 5.0))


def test_hair_is_found_above_the_forehead_and_not_on_the_cheek(seen: SeenWorn) -> None:
    mask = said(seen, glasses="0", facial_hair="0", hair="3", hat="0").mask()
    assert mask.shape == seen.size
    assert at(mask, seen, CHEEK) < 0.2 and at(mask, seen, EYE) < 0.2
    assert at(mask, seen, CROWN, up=32) > 0.5
    assert 0.02 < float(mask.mean()) < 0.6


def test_glasses_and_beards_are_areas_where_they_are_seen(seen: SeenWorn) -> None:
    bald = said(seen, glasses="0", facial_hair="0", hair="0", hat="0").mask()
    assert float(bald.max()) == 0
    glasses = said(seen, glasses="3", facial_hair="0", hair="0", hat="0").mask()
    assert at(glasses, seen, EYE) > 0.9 and at(glasses, seen, CHIN, up=6) == 0
    beard = said(seen, glasses="0", facial_hair="4", hair="0", hat="0").mask()
    assert at(beard, seen, CHIN, up=6) > 0.9 and at(beard, seen, EYE) == 0
