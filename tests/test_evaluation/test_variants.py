"""The measures of variants against closed forms, and one small run of the suite."""

from __future__ import annotations

import pytest
import torch

from facegpt_model.evaluation import variants
from facegpt_model.evaluation.variants import _crps, _energy, _inside, evaluate_variants, table
from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.semantics.likely import Said
from facegpt_model.vlm.variants import draw_variant


def test_crps_of_normal_draws_is_the_known_one() -> None:
    draws = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = _crps(draws, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.2337, 0.6024], abs=0.05)  # sigma (z(2F-1) + 2f - 1/sqrt(pi))


def test_central_intervals_hold_their_share_of_truths() -> None:
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(60, 3000, generator=generator, dtype=torch.float64)
    truth = torch.randn(3000, generator=generator, dtype=torch.float64)
    shares = _inside(draws, truth).mean(0).tolist()
    assert shares == pytest.approx(list(variants.INTERVALS), abs=0.04)
    narrow = _inside(0.5 * draws, truth).mean(0).tolist()
    assert all(found < share - 0.1 for found, share in zip(narrow, variants.INTERVALS, strict=True))


def test_the_energy_distance_is_nothing_between_equals_and_grows() -> None:
    generator = torch.Generator().manual_seed(2)
    one, other = (torch.randn(400, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    assert abs(float(_energy(one, other))) < 0.02 < float(_energy(one, other + 0.5))


def test_the_suite_scores_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "DRAWS", 5)
    monkeypatch.setattr(variants, "CROWD", 160)
    head = OpenHead()
    (score,) = evaluate_variants(head, load_axes(head), 2, ("learned",))
    assert score.kept == 1.0 and score.draws == 10
    assert 0.5 < score.spread < 1.6 and 0.5 < score.nearest < 1.5 and score.crps > 0
    assert table([score])[-1].startswith("| learned | 100.0% |")

    def forgetful(code: FaceCode, said: Said, head: OpenHead, axes: Axes, seed: int) -> FaceCode:
        return draw_variant(code, Said(), head, axes, seed)

    lost = {"freed": forgetful}
    monkeypatch.setattr(variants, "METHODS", lost)
    (free,) = evaluate_variants(head, load_axes(head), 2, ("freed",))
    assert free.kept < 0.5
