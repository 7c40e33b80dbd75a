"""A fitted face wears what its photo shows, unless that is not wanted."""

from pathlib import Path

import torch

from facegpt_model import data
from facegpt_model.appearance.parameters import Appearance
from facegpt_model.fitting.photo import fit_photo
from facegpt_model.perception.photos import load_photo

EXAMPLE = Path(data.__file__).parent / "examples" / "portrait.jpg"


def test_the_example_is_fitted_with_its_hair_and_stays_the_same_person() -> None:
    photo = load_photo(EXAMPLE)
    worn, bare = (fit_photo(photo, quality="fast", with_worn=wanted) for wanted in (True, False))
    assert bare.worn is None and not bare.estimate.code.appearance.any()
    assert worn.worn is not None and worn.worn.likeliest("sex") == "f"
    hair = Appearance.of(worn.estimate.code.appearance[0]).hair
    assert hair.length > 0.3
    assert torch.equal(worn.estimate.code.identity, bare.estimate.code.identity)
