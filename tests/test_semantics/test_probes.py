"""Every axis of shape moves its own measurement the right way, on anybody."""

import pytest
import torch

from facegpt_model.morphable.base import load
from facegpt_model.semantics import probes as room
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.semantics.points import point
from facegpt_model.semantics.probes import Probe, probes

LEAST_MM = 0.15  # at half of a slider


@pytest.fixture(scope="module")
def axes() -> Axes:
    return load_axes(load())


@pytest.fixture(scope="module")
def people(axes: Axes) -> torch.Tensor:
    """(20, D) flat codes of random people."""
    flat = torch.zeros(20, axes.layout.code_size)
    generator = torch.Generator().manual_seed(1)
    flat[:, : axes.layout.identity] = load().sample_identity(20, generator)
    return flat


def test_there_are_at_least_eighty_axes_of_shape(axes: Axes) -> None:
    shape = {axis.name for axis in axes.axes if axis.kind == "identity"}
    assert len(shape) >= 80 and shape <= set(probes())


@pytest.mark.parametrize("name", sorted(probes()))
def test_an_axis_moves_its_measurement_on_twenty_people(name: str, axes: Axes, people: torch.Tensor) -> None:
    head, probe = load(), probes()[name]
    before = probe.measure(head, head.vertices(axes.layout.unpack(people)))
    for amount in (-0.5, 0.5):
        if axes[name].minimum <= amount <= axes[name].maximum:
            moved = people + amount * axes.directions[axes.row(name)]
            after = probe.measure(head, head.vertices(axes.layout.unpack(moved)))
            assert ((after - before) * (1 if amount > 0 else -1) > LEAST_MM).all()


def test_probes_measure_what_they_say() -> None:
    head = load()
    vertices = head.mean[None].clone()
    nose, chin = (point(head, vertices, name)[0] for name in ("i30", "i8"))
    assert Probe("height", "i30", "i8").measure(head, vertices).item() == pytest.approx(
        (nose - chin)[1].item()
    )
    assert Probe("depth", "i30", "i8").measure(head, vertices).item() == pytest.approx(
        (nose - chin)[2].item()
    )
    far = Probe("distance", "i30", "i8").measure(head, vertices).item()
    assert far == pytest.approx((nose - chin).norm().item())
    assert Probe("narrows", "i30", "i8").measure(head, vertices).item() == pytest.approx(-far)


def test_named_points_lie_where_they_are_called() -> None:
    head = load()
    mean = head.mean[None]
    ear = {name: point(head, mean, f"ear_{name}")[0] for name in ("top", "lobe", "out", "back", "front")}
    assert ear["top"][1] > ear["lobe"][1] + 40 and ear["front"][2] > ear["back"][2] + 15
    assert all(place[0] > 60 for place in ear.values())
    assert point(head, mean, "head_top")[0, 1] == mean[0, :, 1].max()
    assert point(head, mean, "head_back")[0, 2] < point(head, mean, "m10")[0, 2] - 150
    with pytest.raises(ValueError, match="no point called 'horn'"):
        point(head, mean, "horn")


def test_an_axis_without_a_measure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "axis_entries", lambda: ({"name": "horns", "high_targets": {"x": 1.0}},))
    with pytest.raises(ValueError, match="'horns' needs one measure"):
        probes.__wrapped__()
