"""The variants stage: each way it teaches keeps what was said, it learns, and one command does it all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.axes import load_axes
from facegpt_model.training import run
from facegpt_model.training.config import ConfigError
from facegpt_model.training.variants import VariantsConfig, VariantsStage, draw_people
from facegpt_model.vlm.variants import read_flow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> VariantsStage:
    head = OpenHead()
    people = draw_people(head, 240, 0, tmp_path_factory.mktemp("people"), lambda doing, share: None)
    return VariantsStage(head, load_axes(head), people, VariantsConfig(batch_size=64, starts=4, width=64))


def test_every_way_keeps_what_was_said(stage: VariantsStage) -> None:
    batch = stage.batch(torch.Generator().manual_seed(0))
    way = batch.person[:, None] - batch.start
    assert way.shape == (64, 4, 173) and way.norm(dim=-1).min() > 1
    assert (way @ batch.rows.double().transpose(1, 2)).abs().max() < 0.02
    sizes = {len(row.unique()) for row in batch.condition[:, 7 : 7 + len(stage.sliders)]}
    assert sizes <= {1, 2}  # a mask
    mask = batch.condition[:, 7 : 7 + len(stage.sliders)].sum(1)
    assert mask.min() <= 2 and 4 <= mask.max() <= 10


def test_the_flow_learns(stage: VariantsStage) -> None:
    stage.train()
    optimizer = torch.optim.Adam(stage.flow.parameters(), lr=3e-3)
    batch = stage.batch(torch.Generator().manual_seed(1))
    losses = []
    for _ in range(40):
        torch.manual_seed(0)  # the same times
        loss = stage(batch)["flow"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]


def test_sex_and_age_are_read_from_numbers(stage: VariantsStage) -> None:
    sex, years = stage.flow.sexes_and_years(stage.people.numbers)
    assert ((sex > 0.5) == (stage.people.sex > 0.5)).float().mean() > 0.97
    assert (years - stage.people.years).abs().mean() < 5


def test_one_command_draws_people_learns_and_writes_the_flow(tmp_path: Path) -> None:
    told: list[str] = []
    folder = run.main("variants", "tiny", (), tmp_path, None, lambda doing, share: told.append(doing))
    assert read_flow(folder).settings.width == 16 and "drawing people" in told
    told.clear()
    run.main("variants", "tiny", (), tmp_path, None, lambda doing, share: told.append(doing))
    assert not told  # the people are kept
    with pytest.raises(ConfigError, match="tiny"):
        run.main("variants", "large", (), tmp_path / "other")
