"""Maps of skin detail: kept without loss, grey is no change, other pictures are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facegpt_model.skin.detail import MOST, STEP, BadDetail, SkinDetail


def test_logarithms_survive_the_file() -> None:
    logs = np.random.default_rng(0).normal(0, 0.5, (32, 32, 3))
    again = SkinDetail.from_png(SkinDetail.of_logarithms(logs).png())
    factor = again.factor(32)
    wanted = np.exp(np.clip(logs, -MOST, MOST))
    assert np.abs(np.log(factor / wanted)).max() <= STEP / 2 + 1e-6
    assert np.allclose(SkinDetail.of_logarithms(np.zeros((32, 32, 3))).factor(64), 1)


def test_other_pictures_are_refused() -> None:
    with pytest.raises(BadDetail, match="no readable picture"):
        SkinDetail.from_png(b"GIF")
    file = io.BytesIO()
    Image.new("RGB", (8, 4)).save(file, "PNG")
    with pytest.raises(BadDetail, match="8 x 4"):
        SkinDetail.from_png(file.getvalue())
