"""FLAME: the layout of its pickle, read without chumpy, and pickles that mean harm."""

from __future__ import annotations

import pickle
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegpt_model.morphable.base import load
from facegpt_model.morphable.catalogue import BadModel
from facegpt_model.morphable.restricted_pickle import UnsafePickle, read_object_array, read_pickle

PARENTS = np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32)


class Ch:
    """Stands for chumpy.ch.Ch while a pickle is written."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x


class Select:
    """Stands for chumpy.reordering.Select."""

    def __init__(self, a: Ch, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


class csc_matrix:
    """Stands for the class of old scipy versions."""

    def __init__(self, dense: np.ndarray) -> None:
        columns = [np.flatnonzero(dense[:, c]) for c in range(dense.shape[1])]
        self.indices = np.concatenate(columns).astype(np.int32)
        self.indptr = np.cumsum([0, *map(len, columns)]).astype(np.int32)
        self.data = np.concatenate([dense[rows, c] for c, rows in enumerate(columns)])
        self._shape, self.maxprint = dense.shape, 50


@pytest.fixture
def old_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pickle believe that chumpy and an old scipy are installed; writing only."""
    for name, members in (
        ("chumpy", {}),
        ("chumpy.ch", {"Ch": Ch}),
        ("chumpy.reordering", {"Select": Select}),
        ("scipy.sparse.csc", {"csc_matrix": csc_matrix}),
    ):
        module = types.ModuleType(name)
        for key, kind in members.items():
            setattr(module, key, kind)
            monkeypatch.setattr(kind, "__module__", name)
        monkeypatch.setitem(sys.modules, name, module)


def flame_arrays(tiny: Any) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    count = len(tiny.vertices)
    weights = np.zeros((count, 5))
    weights[:, 1] = 1
    lower = tiny.vertices[:, 1] < -0.03
    weights[lower] = [0, 0.2, 0.8, 0, 0]
    weights[(tiny.vertices[:, 0] > 0.03) & (tiny.vertices[:, 1] > 0.03)] = [0, 0, 0, 1, 0]
    regressor = np.zeros((5, count))
    for joint in range(5):
        regressor[joint, random.choice(count, 4, replace=False)] = 0.25
    return {
        "v_template": tiny.vertices,
        "f": tiny.triangles.astype(np.uint32),
        "shapedirs": random.normal(0, 0.001, (count, 3, 400)),
        "posedirs": random.normal(0, 0.001, (count, 3, 36)),
        "J_regressor": regressor,
        "kintree_table": PARENTS,
        "weights": weights,
    }


def write_tiny(path: Path, tiny: Any, old: bool) -> dict[str, np.ndarray]:
    arrays = flame_arrays(tiny)
    stored: dict[str, Any] = {**arrays, "bs_style": "lbs", "bs_type": "lrotmin"}
    if old:
        shapes = arrays["shapedirs"]
        every = np.arange(shapes.size)
        stored["v_template"] = Ch(arrays["v_template"])
        stored["shapedirs"] = Select(Ch(shapes), every, shapes.shape)
        stored["J_regressor"] = csc_matrix(arrays["J_regressor"])
    path.write_bytes(pickle.dumps(stored, protocol=2))
    return arrays


def write_landmarks(path: Path, tiny: Any) -> np.ndarray:
    faces = np.array([np.flatnonzero((tiny.triangles == v).any(1))[0] for v in tiny.landmarks])
    weights = np.array(
        [(tiny.triangles[f] == v).astype(float) for f, v in zip(faces, tiny.landmarks, strict=True)]
    )
    stored = {
        "static_lmk_faces_idx": faces[17:],
        "dynamic_lmk_faces_idx": torch.from_numpy(faces[:17]),
        "full_lmk_faces_idx": faces[None],
        "full_lmk_bary_coords": weights[None],
    }
    np.save(path, np.array(stored, dtype=object), allow_pickle=True)
    return weights


@pytest.mark.usefixtures("old_classes")
def test_chumpy_and_sparse_objects_are_read_without_their_libraries(tmp_path: Path, tiny: Any) -> None:
    arrays = write_tiny(tmp_path / "generic_model.pkl", tiny, old=True)
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering", "scipy.sparse.csc"):
        sys.modules.pop(name)  # monkeypatch puts back what was there
    model = read_pickle(tmp_path / "generic_model.pkl")
    for key in ("v_template", "shapedirs", "J_regressor", "weights"):
        assert np.array_equal(model[key], arrays[key]), key
    assert not any(name.startswith("chumpy") for name in sys.modules)


def test_a_modern_pickle_with_scipys_own_matrix(tmp_path: Path, tiny: Any) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    dense = flame_arrays(tiny)["J_regressor"]
    for kind in (sparse.csc_matrix, sparse.csr_matrix):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"J_regressor": kind(dense)}))
        assert np.array_equal(read_pickle(tmp_path / "a.pkl")["J_regressor"], dense)


def posed_by_hand(arrays: dict[str, np.ndarray], betas: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """SMPL's forward pass, vertex by vertex, in metres; betas: (400,), turns: (5, 3) with the root first."""
    shaped = arrays["v_template"] + arrays["shapedirs"] @ betas
    joints = arrays["J_regressor"] @ shaped
    matrices = []
    for turn in turns:
        angle = np.linalg.norm(turn) + 1e-12
        x, y, z = turn / angle
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        matrices.append(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
    feature = np.concatenate([(matrix - np.eye(3)).ravel() for matrix in matrices[1:]])
    posed = shaped + arrays["posedirs"] @ feature
    world: list[np.ndarray] = []
    for j, parent in enumerate((-1, 0, 1, 1, 1)):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = matrices[j], joints[j] - (joints[parent] if j else 0)
        world.append(local if j == 0 else world[parent] @ local)
    out = np.zeros_like(posed)
    for v, vertex in enumerate(posed):
        for j in range(5):
            out[v] += arrays["weights"][v, j] * (world[j][:3, :3] @ (vertex - joints[j]) + world[j][:3, 3])
    return out


def test_the_tiny_head_equals_smpls_formula(tmp_path: Path, tiny: Any) -> None:
    arrays = write_tiny(tmp_path / "generic_model.pkl", tiny, old=False)
    head: Any = load("flame2020", tmp_path)
    layout = head.layout
    assert (layout.identity, layout.expression, layout.joints) == (300, 100, 4)
    random = np.random.default_rng(1)
    betas, turns = random.normal(0, 0.5, 400), random.normal(0, 0.4, (5, 3))
    turns[0] = 0
    code = replace(
        head.mean_code(),
        identity=torch.from_numpy(betas[None, :300]),
        expression=torch.from_numpy(betas[None, 300:]),
        albedo=torch.zeros(1, 0, dtype=torch.float64),
        joints=torch.from_numpy(turns[1:])[None],
    )
    offset = head.mean.numpy() - arrays["v_template"] * 1000
    assert np.ptp(offset, axis=0).max() < 1e-3
    expected = posed_by_hand(arrays, betas, turns) * 1000 + offset[0]
    assert np.abs(head.vertices(code)[0].numpy() - expected).max() < 0.02


def test_the_jaw_opens_and_the_left_eye_is_a_part(tmp_path: Path, tiny: Any) -> None:
    write_tiny(tmp_path / "flame2023_Open.pkl", tiny, old=False)
    write_landmarks(tmp_path / "landmark_embedding.npy", tiny)
    head: Any = load("flame2023open", tmp_path)
    assert head.basis == "flame@2023-open"
    turns = torch.zeros(1, 4, 3)
    turns[0, head.joint_names.index("jaw"), 0] = 0.4
    rest = head.vertices(head.mean_code())
    opened = head.vertices(replace(head.mean_code(), joints=turns))
    lower = torch.from_numpy((tiny.vertices[:, 1] < -0.06) & (tiny.vertices[:, 2] > 0.03))
    assert (opened - rest)[0, lower, 1].mean() < -5
    batch = replace(head.mean_code(2), joints=torch.cat([turns, turns * 0]))
    assert torch.allclose(head.vertices(batch), torch.cat([opened, rest]), atol=1e-4)
    assert torch.allclose(head.landmarks68(rest)[0], rest[0, torch.from_numpy(tiny.landmarks)])
    eye = head.triangles[head.part == head.part_names.index("left_eye")].unique()
    assert len(eye) and (head.mean[eye, 0] > 0).all()


def test_gradients_reach_the_joints(tmp_path: Path, tiny: Any) -> None:
    write_tiny(tmp_path / "generic_model.pkl", tiny, old=False)
    head: Any = load("flame2020", tmp_path)
    turns = torch.zeros(1, 4, 3).requires_grad_()
    head.vertices(replace(head.mean_code(), joints=turns)).square().sum().backward()
    assert turns.grad is not None and torch.isfinite(turns.grad).all() and turns.grad.abs().sum() > 0


class Harm:
    """Its pickle calls a function of the machine that opens it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_malicious_pickle_is_refused_before_it_acts(tmp_path: Path, tiny: Any, protocol: int) -> None:
    import os
    import subprocess

    trace = tmp_path / "harm-was-done"
    folder = tmp_path / "model"
    folder.mkdir()
    for harm in (
        Harm(os.system, f"touch {trace}"),
        Harm(eval, f"open({str(trace)!r}, 'w')"),
        Harm(subprocess.check_call, ["touch", str(trace)]),
        Harm(getattr, "text", "upper"),
        Harm(np.load, str(trace)),
    ):
        stored = {**flame_arrays(tiny), "weights": harm}
        (folder / "generic_model.pkl").write_bytes(pickle.dumps(stored, protocol=protocol))
        with pytest.raises(UnsafePickle, match=r"generic_model\.pkl asks for .*, which no head model needs"):
            load("flame2020", folder)
        np.save(folder / "landmark_embedding.npy", np.array({"a": harm}, dtype=object), allow_pickle=True)
        with pytest.raises(UnsafePickle):
            read_object_array(folder / "landmark_embedding.npy")
        assert not trace.exists()


def test_torch_tensors_are_passed_over_not_loaded(tmp_path: Path, tiny: Any) -> None:
    write_landmarks(tmp_path / "landmark_embedding.npy", tiny)
    stored = read_object_array(tmp_path / "landmark_embedding.npy")
    assert stored["dynamic_lmk_faces_idx"] is None and len(stored["static_lmk_faces_idx"]) == 51


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1, 2])])
def test_damaged_files_are_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "generic_model.pkl").write_bytes(content)
    with pytest.raises(BadModel, match=r"generic_model\.pkl"):
        load("flame2020", tmp_path)


@pytest.mark.parametrize("name", ["FLAME_texture.npz", "albedoModel2020_FLAME_albedoPart.npz"])
def test_textures_become_vertex_colours(tmp_path: Path, tiny: Any, name: str) -> None:
    write_tiny(tmp_path / "generic_model.pkl", tiny, old=False)
    count, side = len(tiny.vertices), 64
    full = 255.0 if name.startswith("FLAME") else 1.0
    red_left = np.zeros((side, side, 3))
    red_left[..., 2], red_left[..., 1], red_left[..., 0] = 0.5 * full, 0.3 * full, 0.2 * full  # blue first
    red_left[:, side // 2 :, 2] = 0.8 * full  # redder at u > 0.5
    brighter = np.full((side, side, 3, 2), 0.1 * full)
    u = 0.5 + tiny.vertices[:, :1] * 5
    vt = np.hstack([u, np.full((count, 1), 0.5)])
    mean, components = ("mean", "tex_dir") if name.startswith("FLAME") else ("MU", "PC")
    np.savez(tmp_path / name, **{mean: red_left, components: brighter, "vt": vt, "ft": tiny.triangles})
    head: Any = load("flame2020", tmp_path)
    assert head.layout.albedo == 2
    colour = head.albedo(head.mean_code())[0]
    left = torch.from_numpy(tiny.vertices[:, 0] > 0.01)
    expected = torch.tensor([0.8, 0.3, 0.2])
    if name.startswith("FLAME"):
        expected = torch.tensor([0.6038, 0.0732, 0.0331])  # linear light of these sRGB values
    assert torch.allclose(colour[left], expected.expand(int(left.sum()), 3), atol=2e-3)
    right = torch.from_numpy(tiny.vertices[:, 0] < -0.01)
    assert (colour[right][:, 0] < 0.5001).all()
    lighter = head.albedo(replace(head.mean_code(), albedo=torch.ones(1, 2)))
    assert (lighter > colour).all()


def test_a_texture_without_coordinates_asks_for_the_template(tmp_path: Path, tiny: Any) -> None:
    write_tiny(tmp_path / "generic_model.pkl", tiny, old=False)
    flat = np.tile([0.2, 0.3, 0.5], 16 * 16)
    np.savez(tmp_path / "FLAME_albedo_from_BFM.npz", MU=flat, PC=np.ones((16 * 16 * 3, 4)) * 0.01)
    with pytest.raises(BadModel, match=r"put head_template\.obj of DECA beside it"):
        load("flame2020", tmp_path)
    rows = [f"v {x} {y} {z}" for x, y, z in tiny.vertices] + ["vt 0.5 0.5"]
    rows += ["f " + " ".join(f"{v + 1}/1" for v in triangle) for triangle in tiny.triangles]
    (tmp_path / "head_template.obj").write_text("\n".join(rows))
    head: Any = load("flame2020", tmp_path)
    assert head.layout.albedo == 4
    assert head.albedo(head.mean_code())[0, 0].argmax() == 0  # blue first in the file, red first here
