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
    Scar,
    ranges,
    row_of,
)
from facegpt_model.face import FaceCode, FaceEstimate
from facegpt_model.layout import MAX_FLAT_CODE, BadRecord, from_record, to_record
from facegpt_model.morphable.base import load


def test_a_row_of_numbers_survives_the_typed_form() -> None:
    low, high = ranges()
    row = low + (high - low) * torch.rand(COUNT, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(Appearance.of(row).row()[0], row)


def test_numbers_are_brought_into_their_range() -> None:
    worn = Appearance.of(torch.full((COUNT,), 7.0))
    low = Appearance.of(torch.full((COUNT,), -7.0))
    assert worn.hair.length == 1 and low.hair.length == 0
    assert low.hair.parting == -1 and low.glasses.size == -1 and low.mole.size == 0


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
    assert torch.equal(row_of(made.named()), made.row())
    assert len(set(NAMES)) == COUNT


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(AppearanceError, match=r"'hat'.*hair length"):
        row_of({"hat": 1.0})
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
