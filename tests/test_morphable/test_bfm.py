"""Basel Face Models: the layouts of the .mat and .h5 files, on a tiny head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegpt_model.morphable.base import load
from facegpt_model.morphable.catalogue import BadModel
from facegpt_model.morphable.landmark_files import BadLandmarkFile, MissingLandmarks

h5py = pytest.importorskip("h5py", reason="needs h5py, of the extra 'models'")
scipy_io = pytest.importorskip("scipy.io", reason="needs scipy, of the extra 'models'")
COMPONENTS = 4


def mat_arrays(tiny: Any) -> dict[str, np.ndarray]:
    """The keys and units of 01_MorphableModel.mat: micrometres, 0 to 255, turned triangles from 1."""
    random = np.random.default_rng(0)
    rows = 3 * len(tiny.vertices)
    return {
        "shapeMU": (tiny.vertices.reshape(-1, 1) * 1e6).astype(np.float32),
        "shapePC": np.linalg.qr(random.normal(size=(rows, COMPONENTS)))[0].astype(np.float32),
        "shapeEV": np.array([[9e5], [4e5], [2e5], [1e5]], np.float32),
        "texMU": np.tile([[160.0], [120.0], [90.0]], (len(tiny.vertices), 1)).astype(np.float32),
        "texPC": np.linalg.qr(random.normal(size=(rows, COMPONENTS)))[0].astype(np.float32),
        "texEV": np.array([[900.0], [400], [200], [100]], np.float32),
        "tl": (tiny.triangles[:, ::-1] + 1).astype(np.float64),
    }


def write_anl(path: Path, tiny: Any) -> None:
    path.write_text("%68 Landmark points\n" + "\n".join(str(v + 1) for v in tiny.landmarks))


def check_2009(head: Any, arrays: dict[str, np.ndarray], tiny: Any) -> None:
    assert (head.layout.identity, head.layout.expression, head.layout.albedo) == (4, 0, 4)
    z = torch.tensor([[1.5, 0, 0, 0]])
    moved = head.vertices(replace(head.mean_code(), identity=z)) - head.vertices(head.mean_code())
    expected = 1.5 * arrays["shapeEV"][0] * arrays["shapePC"][:, 0] / 1000  # EV are deviations; um to mm
    assert np.abs(moved[0].numpy() - expected.reshape(-1, 3)).max() < 1e-3
    colour = head.albedo(head.mean_code())[0, 0]
    assert torch.allclose(colour, torch.tensor([0.3515, 0.1878, 0.1022]), atol=1e-3)  # linear light
    vertices = head.vertices(head.mean_code())
    assert torch.equal(head.landmarks68(vertices)[0], vertices[0, torch.from_numpy(tiny.landmarks)])
    corners = vertices[0, head.triangles]
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normal * (corners.mean(1) - vertices[0].mean(0))).sum(1) > 0).float().mean() > 0.95


def test_2009_in_matlabs_older_format(tmp_path: Path, tiny: Any) -> None:
    arrays = mat_arrays(tiny)
    scipy_io.savemat(tmp_path / "01_MorphableModel.mat", arrays)
    write_anl(tmp_path / "Landmarks68_BFM.anl", tiny)
    check_2009(load("bfm2009", tmp_path), arrays, tiny)


def test_2009_in_matlabs_hdf5_format(tmp_path: Path, tiny: Any) -> None:
    arrays = mat_arrays(tiny)
    header = (
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan 01 00:00:00 2024 HDF5 schema 1.00 ."
    )
    with h5py.File(tmp_path / "01_MorphableModel.mat", "w", userblock_size=512) as stored:
        for key, array in arrays.items():
            stored[key] = array.T
    with (tmp_path / "01_MorphableModel.mat").open("r+b") as stream:
        stream.write(header.ljust(116) + bytes(8) + b"\x00\x02IM")
    write_anl(tmp_path / "Landmarks68_BFM.anl", tiny)
    check_2009(load("bfm2009", tmp_path), arrays, tiny)


def write_h5(path: Path, tiny: Any, models: tuple[str, ...], gain: float = 1.0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    rows = 3 * len(tiny.vertices)
    means = {
        "shape": tiny.vertices.ravel() * 1000,
        "expression": np.full(rows, 0.25),
        "color": np.tile([0.6, 0.45, 0.35], len(tiny.vertices)),
        "diffuseAlbedo": np.tile([0.3, 0.2, 0.1], len(tiny.vertices)),
    }
    bases = {}
    with h5py.File(path, "w") as stored:
        for name in models:
            bases[name] = np.linalg.qr(random.normal(size=(rows, COMPONENTS)))[0] * gain
            stored[f"{name}/model/mean"] = means[name].astype(np.float32)
            stored[f"{name}/model/pcaBasis"] = bases[name].astype(np.float32)
            stored[f"{name}/model/pcaVariance"] = np.array([400.0, 100, 25, 4], np.float32)
            stored[f"{name}/representer/points"] = (tiny.vertices.T * 1000).astype(np.float32)
            stored[f"{name}/representer/cells"] = tiny.triangles.T.astype(np.int32)
    return bases


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bfm2017", "model2017-1_bfm_nomouth.h5"),
        ("bfm2017-face12", "model2017-1_face12_nomouth.h5"),
        ("bfm2019", "model2019_bfm.h5"),
        ("bfm2019-fullhead", "model2019_fullHead.h5"),
    ],
)
def test_2017_and_2019(tmp_path: Path, tiny: Any, name: str, file: str) -> None:
    bases = write_h5(tmp_path / file, tiny, ("shape", "expression", "color"))
    (tmp_path / "landmarks68.txt").write_text("\n".join(str(v) for v in tiny.landmarks))
    head: Any = load(name, tmp_path)
    assert (head.layout.identity, head.layout.expression, head.layout.albedo) == (4, 4, 4)
    for part, key in (("identity", "shape"), ("expression", "expression")):
        code = replace(head.mean_code(), **{part: torch.tensor([[0.0, 1, 0, 0]])})
        moved = (head.vertices(code) - head.vertices(head.mean_code()))[0].numpy()
        assert np.abs(moved - 10 * bases[key][:, 1].reshape(-1, 3)).max() < 1e-3  # root of the variance
    assert torch.equal(head.triangles, torch.from_numpy(tiny.triangles))
    colour = head.albedo(head.mean_code())[0, 0]
    assert torch.allclose(colour, torch.tensor([0.3185, 0.1707, 0.1003]), atol=1e-3)
    vertices = head.vertices(head.mean_code())
    assert torch.equal(head.landmarks68(vertices)[0], vertices[0, torch.from_numpy(tiny.landmarks)])


def test_albedo_mm_takes_the_place_of_the_colours(tmp_path: Path, tiny: Any) -> None:
    write_h5(tmp_path / "model2017-1_bfm_nomouth.h5", tiny, ("shape", "expression", "color"))
    write_h5(tmp_path / "albedoModel2020_bfm_albedoPart.h5", tiny, ("diffuseAlbedo",))
    head: Any = load("bfm2017", tmp_path)
    colour = head.albedo(head.mean_code())[0, 0]
    assert torch.allclose(colour, torch.tensor([0.3, 0.2, 0.1]))  # linear already


def test_without_landmarks_the_error_says_which_file_helps(tmp_path: Path, tiny: Any) -> None:
    scipy_io.savemat(tmp_path / "01_MorphableModel.mat", mat_arrays(tiny))
    head: Any = load("bfm2009", tmp_path)
    with pytest.raises(MissingLandmarks, match=r"Landmarks68_BFM\.anl of the GitHub repository anilbas"):
        head.landmarks68(head.vertices(head.mean_code()))


def test_damaged_and_foreign_files(tmp_path: Path, tiny: Any) -> None:
    (tmp_path / "model2019_bfm.h5").write_bytes(b"not hdf5")
    with pytest.raises(BadModel, match="is no HDF5 file"):
        load("bfm2019", tmp_path)
    write_h5(tmp_path / "model2019_bfm.h5", tiny, ("shape", "color"))
    with pytest.raises(BadModel, match="has no expression/model/mean"):
        load("bfm2019", tmp_path)
    scipy_io.savemat(tmp_path / "01_MorphableModel.mat", {"shapeMU": np.zeros(3)})
    with pytest.raises(BadModel, match="it has no shapePC"):
        load("bfm2009", tmp_path)
    (tmp_path / "Landmarks68_BFM.anl").write_text("1\n2\n")
    scipy_io.savemat(tmp_path / "01_MorphableModel.mat", mat_arrays(tiny))
    with pytest.raises(BadLandmarkFile, match="68 rows"):
        load("bfm2009", tmp_path)


def test_a_missing_reader_names_the_extra(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    write_h5(tmp_path / "model2019_bfm.h5", tiny, ("shape", "expression", "color"))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BadModel, match=r"needs h5py; install .*facegpt\[models\]"):
        load("bfm2019", tmp_path)
