"""GNM Head: the layout of gnm_head.npz and head_sparse_68.txt, on a tiny head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegpt_model.morphable.base import load
from facegpt_model.morphable.catalogue import BadModel
from facegpt_model.morphable.landmark_files import MissingLandmarks
from facegpt_model.rendering.cameras import rotation_matrix

JOINTS = ("neck", "head", "left_eye", "right_eye")
GROUPS = ("skin", "eye_exteriors", "left_eye", "right_eye", "irises", "tongue")


def write_tiny(folder: Path, tiny: Any, landmarks: bool = True) -> dict[str, np.ndarray]:
    """gnm_head.npz with the real keys; the last 8 vertices are a clear shell in front of the left eye."""
    random = np.random.default_rng(0)
    shell = tiny.vertices[:8] + np.array([0.002, 0, 0.01])
    vertices = np.vstack([tiny.vertices, shell])
    count, old = len(vertices), len(tiny.vertices)
    triangles = np.vstack([tiny.triangles, [[old, old + 1, old + 2], [old + 3, old + 4, old + 5]]])
    groups = np.zeros((len(GROUPS), count))
    groups[0, :old] = 1
    groups[1, old:] = 1
    upper_left = (tiny.vertices[:, 0] > 0.02) & (tiny.vertices[:, 1] > 0.02)
    groups[2, :old] = upper_left
    groups[2, old:] = 1
    weights = random.random((4, count))
    arrays = {
        "version": np.array("3.0"),
        "variant": np.array("head"),
        "template_vertex_positions": vertices,
        "vertex_identity_basis": random.normal(0, 0.001, (5, count, 3)),
        "expression_basis": random.normal(0, 0.001, (3, count, 3)),
        "identity_names": np.array([f"head_{n}" for n in range(5)]),
        "expression_names": np.array(["left_eye_region_0", "lower_face_region_0", "pupils_0"]),
        "triangles": triangles,
        "skinning_weights": weights / weights.sum(0),
        "template_joint_positions": np.array(
            [[0, -0.1, 0], [0, -0.05, 0], [0.03, 0.03, 0.05], [-0.03, 0.03, 0.05]]
        ),
        "joint_identity_basis": random.normal(0, 0.001, (5, 4, 3)),
        "joint_parent_indices": np.array([0, 0, 1, 1]),
        "joint_names": np.array(JOINTS),
        "pose_correctives_regressor": random.normal(0, 0.001, (36, 3 * count)),
        "vertex_groups": groups,
        "vertex_group_names": np.array(GROUPS),
    }
    np.savez(folder / "gnm_head.npz", **arrays)
    if landmarks:
        jaw_backwards = tiny.landmarks[[0, 1, 6, 5, 4, 3, 2, *range(7, 68)]]
        rows = [f"{v} 1.0 {v} 0.0 {v} 0.0" for v in jaw_backwards]
        (folder / "head_sparse_68.txt").write_text("\n".join(rows))
    return arrays


def posed_by_hand(
    arrays: dict[str, np.ndarray], z: np.ndarray, e: np.ndarray, turns: np.ndarray
) -> np.ndarray:
    """The makers' forward pass, vertex by vertex, in metres; turns: (4, 3) with the root first."""
    vertices = arrays["template_vertex_positions"] + np.tensordot(z, arrays["vertex_identity_basis"], 1)
    vertices = vertices + np.tensordot(e, arrays["expression_basis"], 1)
    joints = arrays["template_joint_positions"] + np.tensordot(z, arrays["joint_identity_basis"], 1)
    matrices = rotation_matrix(torch.from_numpy(turns)).numpy()
    feature = (matrices - np.eye(3)).reshape(-1)
    vertices = vertices + (feature @ arrays["pose_correctives_regressor"]).reshape(-1, 3)
    world: list[np.ndarray] = []
    for j, parent in enumerate(arrays["joint_parent_indices"]):
        local = np.eye(4)
        local[:3, :3] = matrices[j]
        local[:3, 3] = joints[j] - (joints[parent] if j else 0)
        world.append(world[parent] @ local if j else local)
    out = np.zeros_like(vertices)
    for v, vertex in enumerate(vertices):
        for j, matrix in enumerate(world):
            moved = matrix[:3, :3] @ (vertex - joints[j]) + matrix[:3, 3]
            out[v] += arrays["skinning_weights"][j, v] * moved
    return out


def test_the_tiny_head_equals_the_makers_formula(tmp_path: Path, tiny: Any) -> None:
    arrays = write_tiny(tmp_path, tiny)
    head: Any = load("gnm", tmp_path)
    assert head.basis == "gnm-head@3" and head.joint_names == JOINTS[1:]
    random = np.random.default_rng(1)
    z, e, turns = random.normal(size=5), random.normal(size=3), random.normal(0, 0.4, (4, 3))
    turns[0] = 0
    code = replace(
        head.mean_code(),
        identity=torch.from_numpy(z)[None],
        expression=torch.from_numpy(e)[None],
        albedo=torch.zeros(1, 0, dtype=torch.float64),
        joints=torch.from_numpy(turns[1:])[None],
    )
    expected = posed_by_hand(arrays, z, e, turns)[: len(tiny.vertices)] * 1000
    template = arrays["template_vertex_positions"][: len(tiny.vertices)] * 1000
    offset = head.mean.numpy() - template
    assert np.ptp(offset, axis=0).max() < 1e-3  # one shift for all: metres have become millimetres
    assert np.abs(head.vertices(code)[0].numpy() - expected - offset[0]).max() < 0.01


def test_landmarks_the_cornea_and_the_parts(tmp_path: Path, tiny: Any) -> None:
    write_tiny(tmp_path, tiny)
    head: Any = load("gnm", tmp_path)
    vertices = head.vertices(head.mean_code())
    points = head.landmarks68(vertices)[0]
    assert torch.equal(points, vertices[0, torch.from_numpy(tiny.landmarks)])  # the jaw is in order again
    assert (points[:8, 1].diff() <= 0).all() and (points[9:17, 1].diff() >= 0).all()
    assert len(head.mean) == len(tiny.vertices)  # the clear shell is gone
    eye = head.triangles[head.part == head.part_names.index("left_eye")].unique()
    assert (head.mean[eye, 0] > 20).all() and len(eye) > 3


def test_without_the_landmark_file_only_landmarks_are_missing(tmp_path: Path, tiny: Any) -> None:
    write_tiny(tmp_path, tiny, landmarks=False)
    head: Any = load("gnm", tmp_path)
    vertices = head.vertices(head.mean_code())
    assert not head.has_landmarks
    with pytest.raises(MissingLandmarks, match=r"put head_sparse_68\.txt of google/GNM into"):
        head.landmarks68(vertices)


def test_a_file_without_an_array_is_named(tmp_path: Path, tiny: Any) -> None:
    arrays = write_tiny(tmp_path, tiny)
    del arrays["skinning_weights"]
    np.savez(tmp_path / "gnm_head.npz", **arrays)
    with pytest.raises(BadModel, match="it has no skinning_weights"):
        load("gnm", tmp_path)
