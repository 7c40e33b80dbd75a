"""The numbers of the appearance layer: ranges, round trips, refusals."""

import json

import pytest
import torch

from facegpt_model.appearance.parameters import (
    COUNT,
    NAMES,
    Appearance,
    AppearanceError,
    FacialHair,
    Glasses,
    Hair,
    Mole,
    Scar,
    ranges,
)
from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.layout import MAX_FLAT_CODE, BadRecord, from_record, to_record
from facegpt_model.morphable.base import load


def test_the_typed_form_survives_its_row_of_numbers() -> None:
    low, high = ranges()
    drawn = low + (high - low) * torch.rand(COUNT, generator=torch.Generator().manual_seed(3))
    made = Appearance.from_named(dict(zip(NAMES, drawn.tolist(), strict=True)))
    again = Appearance.of(made.row()[0])
    assert again.numbers() == pytest.approx(made.numbers(), abs=1e-5)


def test_growing_a_mole_does_not_move_it() -> None:
    row = Appearance(mole=Mole(1.0, 0.5, -0.3)).row()
    half = Appearance.of(0.5 * row[0]).mole
    assert (half.size, half.across, half.up) == pytest.approx((0.5, 0.5, -0.3))
    assert not Appearance.of(0 * row[0]).named()


def test_a_form_without_its_thing_is_nothing() -> None:
    assert not torch.any(Appearance(scar=Scar(0.0, 0.5, 0.5, 1.0, 1.0)).row())


def test_numbers_are_brought_into_their_range() -> None:
    worn = Appearance.of(torch.full((COUNT,), 7.0))
    low = Appearance.of(torch.full((COUNT,), -7.0))
    assert worn.hair.length == 1 and low.hair.length == 0
    assert low.hair.parting == -1 and low.brows.arch == -1 and low.mole.size == 0


def test_names_say_what_they_move() -> None:
    made = Appearance(
        Hair(length=0.5), facial_hair=FacialHair(beard=1.0), glasses=Glasses(worn=1.0, size=-0.5)
    )
    assert made.named() == {
        "hair length": 0.5,
        "facial hair beard": 1,
        "glasses worn": 1,
        "glasses size": -0.5,
    }
    assert Appearance.from_named(made.named()) == made
    assert len(set(NAMES)) == COUNT


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(AppearanceError, match=r"'hat'.*hair length"):
        Appearance.from_named({"hat": 1.0})
    with pytest.raises(AppearanceError, match=f"{COUNT} numbers, not 2"):
        Appearance.of([0.1, 0.2])


def test_appearance_survives_the_face_record_and_bare_heads_stay_bare() -> None:
    head = load()
    flat = torch.zeros(2, head.layout.code_size)
    codes = head.layout.unpack(flat)
    worn = Appearance(scar=Scar(0.7, -0.2, 0.4, 0.5, 0.1)).row()
    code = FaceCode(
        codes.identity, codes.expression, codes.albedo, codes.basis, appearance=torch.cat([worn, 0 * worn])
    )
    made = FaceEstimate(code, None, "seed:1", "test@1")
    record = json.loads(json.dumps(to_record(made, 0)))
    assert set(record["appearance"]) == {f"scar {k}" for k in ("strength", "across", "up", "length", "tilt")}
    assert torch.allclose(from_record(record).code.appearance, worn)
    bare = from_record(json.loads(json.dumps(to_record(made, 1))))
    assert bare.code.appearance.shape == (1, 0)
    assert torch.equal(head.layout.pack(bare.code), flat[:1])
    with pytest.raises(BadRecord, match="appearance"):
        from_record({**record, "appearance": {"hat": 1}})


def test_a_whole_face_fits_two_read_outs() -> None:
    assert load().layout.code_size <= MAX_FLAT_CODE
