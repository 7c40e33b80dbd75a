"""What was said stays in every variant and child; the rest differs, and seeds repeat it."""

from __future__ import annotations

import pytest
import torch

from facegpt_model.appearance.parameters import Appearance
from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.semantics.breeding import bred
from facegpt_model.semantics.likely import Said, drawn_like, said_parts
from facegpt_model.semantics.probes import probes

SAID = Said("man", 55, ("nose width", "chin prominence", "moustache"))
VALUES = {"masculinity": 0.75, "age": 0.25, "nose width": 0.5, "chin prominence": -0.5, "moustache": 0.8}


@pytest.fixture(scope="module")
def head() -> OpenHead:
    return OpenHead()


@pytest.fixture(scope="module")
def axes(head: OpenHead) -> Axes:
    return load_axes(head)


@pytest.fixture(scope="module")
def drawn(head: OpenHead, axes: Axes) -> list[FaceCode]:
    return [drawn_like(axes.code(VALUES), SAID, head, axes, seed) for seed in range(6)]


def millimetres(head: OpenHead, code: FaceCode, name: str) -> float:
    return float(probes()[name].measure(head, head.vertices(code.neutral())))


def spread(head: OpenHead, codes: list[FaceCode], name: str) -> float:
    values = [millimetres(head, code, name) for code in codes]
    return max(values) - min(values)


def test_what_was_said_stays_in_millimetres_and_the_rest_differs(
    head: OpenHead, axes: Axes, drawn: list[FaceCode]
) -> None:
    start = axes.code(VALUES)
    for name in ("nose width", "chin prominence"):
        assert spread(head, [start, *drawn], name) < 0.3
    for name in ("jaw strength", "face width", "eye spacing"):
        assert spread(head, drawn, name) > 2.0
    assert torch.equal(drawn[0].expression, start.expression)


def test_worn_things_are_kept_where_they_were_spoken_of(axes: Axes, drawn: list[FaceCode]) -> None:
    assert said_parts(SAID, axes) == {"facial_hair"}
    assert said_parts(Said(sliders=("baldness", "sunglasses")), axes) == {"hair", "glasses"}
    worn = [Appearance.of(code.appearance[0]) for code in drawn]
    assert {round(one.facial_hair.moustache, 3) for one in worn} == {
        round(Appearance.of(axes.code(VALUES).appearance[0]).facial_hair.moustache, 3)
    }
    assert len({round(one.hair.length, 2) for one in worn}) > 2


def test_seeds_repeat_and_a_small_spread_stays_near(
    head: OpenHead, axes: Axes, drawn: list[FaceCode]
) -> None:
    start, pack = axes.code(VALUES), axes.layout.pack
    assert torch.equal(pack(drawn_like(start, SAID, head, axes, 3)), pack(drawn[3]))
    near = drawn_like(start, SAID, head, axes, 3, spread=0.2)
    whole = (drawn[3].identity - start.identity).norm()
    assert (near.identity - start.identity).norm() == pytest.approx(0.2 * float(whole), rel=0.1)
    assert torch.equal(near.appearance, start.appearance)


def test_children_lie_between_their_parents_and_keep_what_was_said(
    head: OpenHead, axes: Axes, drawn: list[FaceCode]
) -> None:
    pure = bred(drawn[:2], SAID, head, axes, seed=1, mutation=0.0)
    both = torch.cat([code.identity for code in drawn[:2]])
    low, high = both.min(0).values, both.max(0).values
    assert ((pure.identity >= low - 1e-4) & (pure.identity <= high + 1e-4)).float().mean() > 0.98
    own = bred(drawn[:2], SAID, head, axes, seed=1, mutation=0.5)
    assert not torch.allclose(own.identity, pure.identity, atol=0.1)
    assert spread(head, [*drawn[:2], pure, own], "nose width") < 0.4
    parents = [Appearance.of(code.appearance[0]).hair for code in drawn[:2]]
    child = Appearance.of(pure.appearance[0]).hair
    assert any(child.length == pytest.approx(hair.length, abs=1e-5) for hair in parents)


def test_with_nothing_said_people_are_simply_drawn(head: OpenHead, axes: Axes) -> None:
    codes = [drawn_like(axes.code({}), Said(), head, axes, seed) for seed in range(4)]
    assert spread(head, codes, "nose width") > 2.0
    reads = {}
    for sex, value in (("woman", -0.75), ("man", 0.75)):
        said = axes.code({"masculinity": value})
        people = [drawn_like(said, Said(sex), head, axes, seed) for seed in range(6)]
        reads[sex] = [axes.read(code)["masculinity"] for code in people]
    assert max(reads["woman"]) < -0.4 and min(reads["man"]) > 0.4


def test_no_draw_is_malformed_or_forgets_what_was_said(head: OpenHead, axes: Axes) -> None:
    start = axes.code({"masculinity": -0.75, "age": -0.25, "round face": 0.5, "green eyes": 0.8})
    said = Said("woman", 35, ("round face", "green eyes"))
    codes = [drawn_like(start, said, head, axes, seed) for seed in range(1000, 1024)]
    identity = torch.cat([code.identity for code in codes])
    assert head.guard.is_whole(identity).all()
    assert identity.norm(dim=1).max() < 18.0  # people drawn without words reach 15; the malformed one had 41
    assert spread(head, [start, *codes], "round face") < 0.5
    greens = [code.albedo[0, head.albedo_names.index("iris green")] for code in codes]
    assert min(greens) > 0.5 * float(start.albedo[0, head.albedo_names.index("iris green")])
