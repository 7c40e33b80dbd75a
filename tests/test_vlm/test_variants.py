"""The sampler of variants keeps what was said, varies in the rest, and repeats itself by seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.semantics.likely import Fixed, Said, fixed_among, numbers_of, said_rows
from facegpt_model.semantics.probes import probes
from facegpt_model.vlm.variants import (
    FlowSettings,
    VariantFlow,
    draw_variant,
    flow_draw,
    read_flow,
    save_flow,
    sayable,
    shipped_flow,
)

SAID = Said("woman", 35, ("round face", "green eyes", "nose width"))
VALUES = {"masculinity": -0.75, "age": -0.25, "round face": 0.5, "green eyes": 0.8, "nose width": 0.5}


@pytest.fixture(scope="module")
def head() -> OpenHead:
    return OpenHead()


@pytest.fixture(scope="module")
def axes(head: OpenHead) -> Axes:
    return load_axes(head)


@pytest.fixture(scope="module")
def drawn(head: OpenHead, axes: Axes) -> list[FaceCode]:
    return [draw_variant(axes.code(VALUES), SAID, head, axes, seed) for seed in range(1000, 1024)]


def fixed_of(flow: VariantFlow, head: OpenHead, axes: Axes) -> Fixed:
    rows = said_rows(SAID, head, axes)
    return fixed_among(rows, torch.zeros(2, len(flow.mean)).double(), flow.covariance, head.layout.identity)


def draws(flow: VariantFlow, head: OpenHead, axes: Axes, count: int, temperature: float = 1.0) -> Tensor:
    """(count, D) numbers for the statement."""
    start = numbers_of(axes.code(VALUES))
    told = flow.condition(SAID, torch.zeros(count, len(flow.settings.sliders)), torch.full((count,), 35.0))
    generator = torch.Generator().manual_seed(0)
    return flow_draw(flow, fixed_of(flow, head, axes), start, told, generator, temperature)


def test_an_untrained_flow_is_the_gaussian_draw_of_what_was_said(head: OpenHead, axes: Axes) -> None:
    flow = VariantFlow(FlowSettings(173, sayable(axes), width=8, depth=1))
    flow.root.copy_(0.7 * torch.eye(173))
    fixed, found = fixed_of(flow, head, axes), draws(flow, head, axes, 800)
    start = numbers_of(axes.code(VALUES))
    assert (fixed.rows @ (found - start).T).abs().max() < 1e-3
    free = torch.eye(173, dtype=torch.float64) - fixed.gain @ fixed.rows  # what the said leaves open
    wanted = 0.49 * (free @ free.T).diagonal()
    assert (found.var(0).sum() / wanted.sum()).item() == pytest.approx(1.0, abs=0.05)


def test_a_wild_network_moves_nothing_that_was_said(head: OpenHead, axes: Axes) -> None:
    flow = VariantFlow(FlowSettings(173, sayable(axes), width=8, depth=1))
    torch.manual_seed(1)
    torch.nn.init.normal_(flow.out.weight, std=3.0)
    fixed, found = fixed_of(flow, head, axes), draws(flow, head, axes, 20)
    assert found.std(0).max() > 3.0
    assert (fixed.rows @ (found - numbers_of(axes.code(VALUES))).T).abs().max() < 2e-3


def test_faces_are_whole_plausible_and_say_what_was_said(
    head: OpenHead, axes: Axes, drawn: list[FaceCode]
) -> None:
    identity = torch.cat([code.identity for code in drawn])
    assert head.guard.is_whole(identity).all() and identity.norm(dim=1).max() < 18.0
    probe = probes()["nose width"]
    start = axes.code(VALUES)
    widths = [probe.measure(head, head.vertices(code.neutral())) for code in (start, *drawn)]
    assert max(widths) - min(widths) < 0.5
    assert max(axes.read(code)["masculinity"] for code in drawn) < -0.4
    place = head.albedo_names.index("iris green")
    assert min(code.albedo[0, place] for code in drawn) > 0.7 * start.albedo[0, place]


def test_an_old_womans_hair_stays_grey(head: OpenHead, axes: Axes) -> None:
    start, place = axes.code({"masculinity": -0.75, "age": 0.75}), head.albedo_names.index("hair grey")
    grey = [draw_variant(start, Said("woman", 75), head, axes, seed).albedo[0, place] for seed in range(4)]
    assert min(grey) > 0.9 * start.albedo[0, place] > 0.5


def test_what_was_not_said_varies_as_in_people(head: OpenHead, axes: Axes) -> None:
    flow = shipped_flow()
    found, people = draws(flow, head, axes, 300), flow.covariance.diagonal().sqrt()
    shape = slice(0, head.layout.identity)
    ratio = (found.std(0) / people)[shape]
    assert 0.75 < ratio.median() < 1.15 and ratio.quantile(0.05) > 0.5
    apart = torch.pdist(found)
    assert apart.min() > 0.4 * apart.median()  # no two alike
    assert draws(flow, head, axes, 60, temperature=0.3).std(0).sum() < 0.5 * found.std(0).sum()


def test_seeds_repeat_and_a_small_spread_stays_near(
    head: OpenHead, axes: Axes, drawn: list[FaceCode]
) -> None:
    start, pack = axes.code(VALUES), axes.layout.pack
    assert torch.equal(pack(draw_variant(start, SAID, head, axes, 1003)), pack(drawn[3]))
    assert not torch.equal(pack(drawn[3]), pack(drawn[4]))
    near = draw_variant(start, SAID, head, axes, 1003, spread=0.2)
    assert (near.identity - start.identity).norm() < 0.4 * (drawn[3].identity - start.identity).norm()


def test_a_flow_survives_its_file_and_is_small(tmp_path: Path, axes: Axes, head: OpenHead) -> None:
    flow = shipped_flow()
    save_flow(flow, tmp_path, {"name": "again"})
    again = read_flow(tmp_path)
    assert torch.equal(draws(flow, head, axes, 2), draws(again, head, axes, 2))
    assert (tmp_path / "flow.safetensors").stat().st_size < 600_000
    with pytest.raises(OSError, match=r"flow\.json"):
        read_flow(tmp_path / "nowhere")
