"""Sampled appearances: in range, repeatable, and they go with sex and age."""

import torch

from facegpt_model.appearance.parameters import COUNT, NAMES, Appearance, ranges
from facegpt_model.appearance.sampling import sample_appearance


def drawn(count: int, sex: float, age: float, seed: int = 0) -> list[Appearance]:
    rows = sample_appearance(count, sex, age, torch.Generator().manual_seed(seed))
    return [Appearance.of(row) for row in rows]


def test_rows_are_in_range_and_repeat() -> None:
    sex = torch.linspace(-1, 1, 60)
    rows = sample_appearance(60, sex, -sex, torch.Generator().manual_seed(4))
    low, high = ranges()
    assert rows.shape == (60, COUNT) and len(NAMES) == COUNT
    assert (rows >= low - 1e-6).all() and (rows <= high + 1e-6).all()
    assert torch.equal(rows, sample_appearance(60, sex, -sex, torch.Generator().manual_seed(4)))
    assert sample_appearance(0).shape == (0, COUNT)


def test_women_have_no_beards_and_longer_hair() -> None:
    women, men = drawn(200, -1, 0), drawn(200, 1, 0)
    assert not any(max(w.facial_hair.beard, w.facial_hair.moustache, w.facial_hair.goatee) for w in women)
    bearded = sum(m.facial_hair.beard > 0 or m.facial_hair.moustache > 0 for m in men)
    assert 40 < bearded < 140
    long = [sum(person.hair.length > 0.5 for person in group) for group in (women, men)]
    assert long[0] > 3 * long[1]


def test_hairlines_recede_with_age_and_some_wear_glasses() -> None:
    young, old = drawn(300, 1, -1), drawn(300, 1, 1)
    receding = [sum(person.hair.receding > 0.4 for person in group) for group in (young, old)]
    assert receding[1] > 3 * max(receding[0], 1)
    worn = sum(person.glasses.worn > 0.5 for person in drawn(400, 0, 0))
    assert 50 < worn < 120
