"""ICT-FaceKit: the real sample where it is, and the layout on files written here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegpt_model.face import BasisMismatch
from facegpt_model.morphable import ict
from facegpt_model.morphable.base import load
from facegpt_model.morphable.catalogue import BadModel
from facegpt_model.morphable.linear_head import LinearHead


@pytest.fixture(scope="module")
def head(ict_sample: Path) -> Any:
    return load("ict", ict_sample)


def test_the_real_sample_is_a_head_in_millimetres(head: LinearHead) -> None:
    assert head.basis == "ict-face@1" and head.layout.identity == 3
    assert head.expression_names == ("jawOpen", "mouthSmileLeft", "mouthSmileRight")
    vertices = head.vertices(head.mean_code())
    size = vertices[0].max(0).values - vertices[0].min(0).values
    assert (size > torch.tensor([150.0, 200.0, 180.0])).all() and (size < torch.tensor([300, 400, 300])).all()
    points = head.landmarks68(vertices)[0]
    assert points[45, 0] > 30 and points[36, 0] < -30  # the left eye is on the person's left
    assert points[27, 1] > points[33, 1] > points[51, 1] > points[8, 1]  # root, nose, lip, chin
    assert points[30, 2] == points[17:, 2].max() and abs(points[30, 2] - 27.5) < 1  # nose tip foremost
    assert 75 < (points[45] - points[36]).norm() < 105


def test_real_expressions_move_what_they_name(head: LinearHead) -> None:
    neutral = head.landmarks68(head.vertices(head.mean_code()))[0]

    def moved(name: str) -> torch.Tensor:
        weights = torch.zeros(1, 3)
        weights[0, head.expression_names.index(name)] = 1
        code = replace(head.mean_code(), expression=weights)
        return head.landmarks68(head.vertices(code))[0] - neutral

    assert moved("jawOpen")[8, 1] < -15 and moved("jawOpen")[27].norm() < 1
    assert moved("mouthSmileLeft")[54].norm() > 3 * moved("mouthSmileLeft")[48].norm()
    assert moved("mouthSmileRight")[48].norm() > 3 * moved("mouthSmileRight")[54].norm()


def test_real_parts_face_outwards_and_have_plain_colours(head: LinearHead) -> None:
    vertices = head.vertices(head.mean_code())[0]
    colour = head.albedo(head.mean_code())[0]
    assert head.part_names == ict.PART_NAMES and set(head.part.tolist()) == set(range(6))
    for name in ("skin", "left_eye", "right_eye"):
        triangles = head.triangles[head.part == ict.PART_NAMES.index(name)]
        corners = vertices[triangles]
        normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        outward = corners.mean(1) - vertices[triangles.unique()].mean(0)
        assert ((normal * outward).sum(1) > 0).float().mean() > 0.8, name
    left = vertices[head.triangles[head.part == ict.PART_NAMES.index("left_eye")].unique()]
    assert (left[:, 0] > 10).all()
    pole = head.triangles[head.part == ict.PART_NAMES.index("left_eye")].unique()
    pupil = pole[vertices[pole, 2].argmax()]
    assert colour[pupil].max() < 0.02 < 0.3 < colour[head.get_buffer("landmark_vertex")[30, 0]].max()


def test_codes_of_other_models_are_refused(head: LinearHead) -> None:
    with pytest.raises(BasisMismatch, match="ict-face@1 cannot decode a code of openhead@2"):
        head.vertices(replace(head.mean_code(), basis="openhead@2"))


def write_tiny(folder: Path, tiny: Any) -> Path:
    """FaceXModel with the real file names, keys and materials, in centimetres."""
    place = folder / "FaceXModel"
    place.mkdir(parents=True)
    count = len(tiny.vertices)
    lashes = tiny.vertices[:4] + 0.001

    def mesh(path: Path, offset: np.ndarray) -> None:
        rows = [
            f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in (np.vstack([tiny.vertices + offset, lashes]) * 100)
        ]
        rows += ["vt 0 0", "usemtl M_Face"]
        rows += ["f " + " ".join(f"{v + 1}/1" for v in triangle) for triangle in tiny.triangles]
        rows += ["usemtl M_EyeLashes", f"f {count + 1}/1 {count + 2}/1 {count + 3}/1 {count + 4}/1"]
        path.write_text("\n".join(rows))

    mesh(place / "generic_neutral_mesh.obj", np.zeros(3))
    mesh(place / "identity000.obj", np.array([0.001, 0, 0]))
    mesh(place / "identity001.obj", np.array([0, 0.002, 0]))
    mesh(place / "browInnerUp_L.obj", np.array([0, 0, 0.003]))
    lists = {
        "expressions": ["browInnerUp_L", "jawOpen"],
        "idx_to_landmark_verts": tiny.landmarks.tolist(),
    }
    (place / "vertex_indices.json").write_text(json.dumps(lists))
    return folder


def test_centimetres_differences_and_shells(tmp_path: Path, tiny: Any) -> None:
    head: Any = load("ict-face@1", write_tiny(tmp_path, tiny))
    assert head.mean.shape == (len(tiny.vertices), 3)  # lashes are gone
    assert head.expression_names == ("browInnerUpLeft",)  # jawOpen has no file
    assert torch.allclose(head.identity_basis[0], torch.tensor([1.0, 0, 0]), atol=1e-3)
    assert torch.allclose(head.identity_basis[1], torch.tensor([0, 2.0, 0]), atol=1e-3)
    assert torch.allclose(head.expression_basis[0], torch.tensor([0, 0, 3.0]), atol=1e-3)
    size = head.mean.max(0).values - head.mean.min(0).values
    assert torch.allclose(size, torch.tensor(np.ptp(tiny.vertices, axis=0) * 1000).float(), atol=1e-2)


def test_a_mesh_with_other_vertices_is_refused(tmp_path: Path, tiny: Any) -> None:
    folder = write_tiny(tmp_path, tiny)
    (folder / "FaceXModel" / "identity001.obj").write_text("v 0 0 0\n")
    with pytest.raises(BadModel, match=r"identity001\.obj has 1 vertices"):
        load("ict", folder)
