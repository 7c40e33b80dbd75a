"""Face codes, their one layout, and the JSON record."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facegpt_model.face import FaceCode, FaceEstimate, View
from facegpt_model.layout import (
    VIEW_SIZE,
    BadRecord,
    CodeLayout,
    dumps,
    from_record,
    pack_view,
    to_record,
    unpack_view,
)

LAYOUT = CodeLayout("toy@1", identity=4, expression=3, albedo=2, joints=2)


def random_estimate(batch: int, seed: int) -> FaceEstimate:
    g = torch.Generator().manual_seed(seed)
    code = LAYOUT.unpack(torch.randn(batch, LAYOUT.code_size, generator=g))
    view = unpack_view(torch.randn(batch, VIEW_SIZE, generator=g), (48, 64))
    return FaceEstimate(
        code, view, "text:somebody", "toy@1", seed, torch.rand(batch, LAYOUT.code_size, generator=g)
    )


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_flat_code_and_view_survive_the_round_trip(batch: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    flat, view = torch.randn(batch, LAYOUT.code_size, generator=g), torch.randn(batch, VIEW_SIZE, generator=g)
    assert torch.equal(LAYOUT.pack(LAYOUT.unpack(flat)), flat)
    assert torch.equal(pack_view(unpack_view(view, (8, 8))), view)


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_a_face_survives_its_json_record(batch: int, seed: int) -> None:
    made = random_estimate(batch, seed)
    for index in range(batch):
        read = from_record(json.loads(dumps(to_record(made, index))))
        assert torch.allclose(LAYOUT.pack(read.code), LAYOUT.pack(made.code[index]), atol=1e-6)
        assert read.view is not None and made.view is not None
        assert torch.allclose(pack_view(read.view), pack_view(made.view)[index : index + 1], atol=1e-5)
        assert read.view.image_size == (48, 64)
        assert (read.source, read.model, read.seed) == (made.source, made.model, made.seed)


def test_the_flat_order_is_identity_expression_joints_albedo() -> None:
    code = LAYOUT.unpack(torch.arange(float(LAYOUT.code_size))[None])
    assert code.identity[0].tolist() == [0, 1, 2, 3]
    assert code.expression[0].tolist() == [4, 5, 6]
    assert code.joints[0].flatten().tolist() == [7, 8, 9, 10, 11, 12]
    assert code.albedo[0].tolist() == [13, 14]


def test_parts_of_different_batch_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="disagree"):
        FaceCode(torch.zeros(2, 4), torch.zeros(1, 3), torch.zeros(2, 2), "toy@1")


def test_a_wrong_flat_length_is_refused() -> None:
    with pytest.raises(ValueError, match="needs"):
        LAYOUT.unpack(torch.zeros(1, 5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "format 99"),
        ({"identity": "many"}, "'identity' must be a list"),
        ({"albedo": [math.nan, 1.0]}, "not finite"),
    ],
)
def test_bad_records_say_what_is_wrong(change: dict, words: str) -> None:
    record = to_record(random_estimate(1, 0)) | change
    with pytest.raises(BadRecord, match=words):
        from_record(record)


def test_a_file_that_is_no_record_is_refused() -> None:
    with pytest.raises(BadRecord, match="no 'format' field"):
        from_record({"hello": 1})


def test_a_record_with_nan_is_never_written() -> None:
    with pytest.raises(ValueError):
        dumps({"x": math.nan})


def test_index_and_neutral_keep_the_person() -> None:
    made = random_estimate(3, 1).code
    assert torch.equal(made[1].identity, made.identity[1:2])
    assert torch.equal(made[-1].albedo, made.albedo[2:3])
    neutral = made.neutral()
    assert not neutral.expression.any() and torch.equal(neutral.identity, made.identity)


def test_view_is_a_plain_record() -> None:
    view = View(torch.zeros(1, 3), torch.zeros(1, 3), torch.ones(1), torch.zeros(1, 9, 3), (1, 2))
    assert view.image_size == (1, 2)
