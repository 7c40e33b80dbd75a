"""Photos of a folder become one file of codes; a second run fits only what is new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegpt_model
from facegpt_model.fitting.pseudo_codes import NothingToFit, fit_folder

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"


def test_a_folder_is_fitted_once(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out" / "codes.npz"
    (photos / "more").mkdir(parents=True)
    (photos / "b.jpg").write_bytes(PORTRAIT.read_bytes())
    Image.new("RGB", (128, 128), "grey").save(photos / "wall.png")
    first = fit_folder(photos, out, "fast")
    assert (first.fitted, first.known, list(first.failures)) == (1, 0, ["wall.png"])
    Image.open(PORTRAIT).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "more" / "a.png")
    heard: list[float] = []
    second = fit_folder(photos, out, "fast", lambda name, share: heard.append(share))
    assert (second.fitted, second.known) == (1, 1) and "no face" in second.failures["wall.png"]
    assert heard == sorted(heard) and len(heard) == 3
    with np.load(out, allow_pickle=False) as codes:
        assert codes["files"].tolist() == ["b.jpg", "more/a.png"]
        assert codes["identity"].shape == (2, 150) and codes["view"].shape == (2, 34)
        assert np.isfinite(codes["identity"]).all() and set(codes["basis"]) == {"openhead@2"}
    with pytest.raises(NothingToFit, match="another method"):
        fit_folder(photos, out, "default")


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    with pytest.raises(NothingToFit, match="no picture in"):
        fit_folder(tmp_path, tmp_path / "codes.npz")
