"""Meshes and their files: OBJ, PLY, and a strict reading of the GLB by the specification."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.gltf import glb_bytes, write_glb
from facegpt_model.layout import CodeLayout
from facegpt_model.mesh import Mesh, NamedMesh, Paint, mesh_of, save_bytes, srgb
from facegpt_model.mesh_files import write_obj, write_ply
from facegpt_model.morphable.base import load
from tests.strict_glb import Glb


class TinyModel:
    """An octahedron of skin with a tetrahedron for an eye: linear, three expressions."""

    basis = "tiny@1"
    layout = CodeLayout("tiny@1", 2, 3, 1)
    expression_names = ("jawOpen", "mouthSmileLeft", "eyeLookUpLeft")
    part_names = ("skin", "eyes", "unused")

    def __init__(self) -> None:
        octahedron = (
            torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 90.0
        )
        eye = torch.tensor([[20.0, 20, 95], [30, 20, 95], [25, 30, 95], [25, 25, 85]])
        self.mean = torch.cat([octahedron, eye])
        skin = [[4, 0, 2], [4, 2, 1], [4, 1, 3], [4, 3, 0], [5, 2, 0], [5, 1, 2], [5, 3, 1], [5, 0, 3]]
        ball = [[6, 7, 8], [6, 9, 7], [7, 9, 8], [8, 9, 6]]
        self.triangles = torch.tensor(skin + ball)
        self.part = torch.tensor([0] * 8 + [1] * 4)
        self.directions = torch.zeros(5, 10, 3)
        self.directions[0, :, 0] = self.mean[:, 0] * 0.05
        self.directions[1, :, 1] = self.mean[:, 1] * 0.05
        self.directions[2, 3] = torch.tensor([0.0, -12.0, 2.0])
        self.directions[3, :6] = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)) * 4
        self.directions[4, 6:, 1] = 3.0

    def vertices(self, code: FaceCode) -> Tensor:
        weights = torch.cat([code.identity, code.expression], dim=1)
        return self.mean + torch.einsum("bk,kvx->bvx", weights, self.directions)

    def albedo(self, code: FaceCode) -> Tensor:
        return torch.linspace(0, 1, 30).view(1, 10, 3) * (1 + 0 * code.albedo[:, :, None])

    def landmarks68(self, vertices: Tensor) -> Tensor:
        return vertices[:, :1].expand(-1, 68, -1)


def tiny_code(faces: int = 1) -> FaceCode:
    expression = torch.tensor([[0.5, 0.25, 0.0]]).expand(faces, -1)
    return FaceCode(torch.ones(faces, 2), expression, torch.zeros(faces, 1), "tiny@1")


@pytest.fixture
def mesh() -> Mesh:
    return mesh_of(TinyModel(), tiny_code())


def visor(**changes: Any) -> NamedMesh:
    """A strip before the octahedron that follows the jaw."""
    square = np.array([[-40, -10, 100], [40, -10, 100], [40, 10, 100], [-40, 10, 100]], np.float32)
    facts: dict[str, Any] = {
        "name": "visor",
        "vertices": square,
        "normals": np.tile(np.array([[0, 0, 1]], np.float32), (4, 1)),
        "triangles": np.array([[0, 1, 2], [0, 2, 3]]),
        "morph_targets": {"jawOpen": np.tile(np.array([[0, -4, 0]], np.float32), (4, 1))},
    }
    return NamedMesh(**{**facts, **changes})


def test_a_worn_mesh_follows_the_targets_it_names() -> None:
    place = visor().posed({"jawOpen": 0.5, "mouthSmileLeft": 1.0})
    np.testing.assert_allclose(place, visor().vertices - [0, 2, 0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"normals": np.zeros((3, 3), np.float32)}, r"visor: normals must be \(4, 3\)"),
        ({"vertices": np.full((4, 3), np.nan, np.float32)}, "finite"),
        ({"triangles": np.array([[0, 1, 4]])}, "4 vertices"),
        ({"image": np.zeros((2, 2, 4), np.uint8)}, "an image needs uv"),
        ({"uv": np.zeros((3, 2), np.float32)}, r"uv must be \(4, 2\)"),
        ({"morph_targets": {"jawOpen": np.zeros((3, 3), np.float32)}}, "target jawOpen"),
        ({"roughness": 1.5}, r"lie in \[0, 1\]"),
    ],
)
def test_a_worn_mesh_that_does_not_fit_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        visor(**changes)


def test_the_mesh_is_the_models_face_with_its_expression(mesh: Mesh) -> None:
    model = TinyModel()
    np.testing.assert_allclose(mesh.vertices, model.vertices(tiny_code())[0].numpy(), atol=1e-4)
    neutral = model.vertices(tiny_code().neutral())[0].numpy()
    np.testing.assert_allclose(mesh.neutral_vertices(), neutral, atol=1e-4)
    np.testing.assert_allclose(mesh.morph_targets["jawOpen"], model.directions[2].numpy(), atol=1e-4)
    assert mesh.morph_weights == {"jawOpen": 0.5, "mouthSmileLeft": 0.25, "eyeLookUpLeft": 0.0}
    outward = (mesh.normals[:6] * mesh.vertices[:6]).sum(axis=1)
    assert (outward > 0).all()


def test_a_mesh_shows_one_face(mesh: Mesh) -> None:
    with pytest.raises(ValueError, match="one face, but the code holds 2"):
        mesh_of(TinyModel(), tiny_code(2))


def test_a_painted_mesh_carries_its_picture_and_doubles_seams(mesh: Mesh) -> None:
    square = np.array([[0.25, 0.75], [0.5, 0.25], [0.75, 0.5], [0.1, 0.2]], np.float32)
    own = np.arange(36).reshape(12, 3) % 4  # every triangle is its own island
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8] = (200, 40, 40)
    glb = Glb(glb_bytes(replace(mesh, paint=Paint(square, own, image))))
    skin = glb.document["meshes"][0]["primitives"][0]
    places = glb.read(skin["attributes"]["TEXCOORD_0"])
    positions = glb.read(skin["attributes"]["POSITION"]) * 1000
    corners = glb.read(skin["indices"])[:, 0].astype(int)
    assert "COLOR_0" not in skin["attributes"] and len(positions) > 6
    np.testing.assert_allclose(
        positions[corners], mesh.neutral_vertices()[mesh.triangles[:8].ravel()], atol=1e-3
    )
    expected = square[own[:8].ravel()]
    np.testing.assert_allclose(places[corners], np.stack([expected[:, 0], 1 - expected[:, 1]], axis=1))
    moved = glb.read(skin["targets"][1]["POSITION"])[corners] * 1000
    np.testing.assert_allclose(
        moved, mesh.morph_targets["mouthSmileLeft"][mesh.triangles[:8].ravel()], atol=1e-3
    )
    view = glb.document["bufferViews"][glb.document["images"][0]["bufferView"]]
    picture = Image.open(io.BytesIO(glb.binary[view["byteOffset"] :][: view["byteLength"]]))
    assert picture.size == (16, 16) and picture.format == "JPEG"
    assert picture.getpixel((4, 2))[0] > 150 > 50 > picture.getpixel((4, 13))[0]


def test_openhead_as_glb_is_valid_complete_and_small() -> None:
    model = load("openhead@2")
    sizes = (model.layout.identity, model.layout.expression, model.layout.albedo)
    identity, expression, albedo = (torch.zeros(1, size) for size in sizes)
    mesh = mesh_of(model, FaceCode(identity, expression, albedo, model.basis))
    data = glb_bytes(mesh)
    assert len(data) < 12e6
    (face,) = Glb(data).document["meshes"]
    assert face["extras"]["targetNames"] == list(model.expression_names) and len(face["weights"]) == 52
    assert len(face["primitives"]) == len(model.part_names)


def test_glb_round_trip(mesh: Mesh, tmp_path: Path) -> None:
    path = tmp_path / "face.glb"
    write_glb(mesh, path)
    glb = Glb(path.read_bytes())
    (written,) = glb.document["meshes"]
    assert written["extras"]["targetNames"] == list(TinyModel.expression_names)
    assert written["weights"] == [0.5, 0.25, 0.0]
    assert [material["name"] for material in glb.document["materials"]] == ["skin", "eyes"]
    used = [np.arange(6), np.arange(6, 10)]
    for primitive, vertices in zip(written["primitives"], used, strict=True):
        positions = glb.read(primitive["attributes"]["POSITION"])
        np.testing.assert_allclose(positions * 1000, mesh.neutral_vertices()[vertices], atol=1e-3)
        np.testing.assert_allclose(
            glb.read(primitive["attributes"]["COLOR_0"]), mesh.colours[vertices], atol=1e-6
        )
        corners = glb.read(primitive["indices"])[:, 0].astype(int).reshape(-1, 3)
        part = 0 if len(vertices) == 6 else 1
        np.testing.assert_array_equal(vertices[corners], mesh.triangles[mesh.part == part])
        for name, target in zip(written["extras"]["targetNames"], primitive["targets"], strict=True):
            moved = glb.read(target["POSITION"]) * 1000
            np.testing.assert_allclose(moved, mesh.morph_targets[name][vertices], atol=1e-3)


def test_morphed_normals_are_those_of_the_morphed_mesh(mesh: Mesh) -> None:
    glb = Glb(glb_bytes(mesh))
    smiling = replace(tiny_code(), expression=torch.tensor([[0.0, 1.0, 0.0]]))
    expected = mesh_of(TinyModel(), smiling).normals[:6]
    skin = glb.document["meshes"][0]["primitives"][0]
    turned = glb.read(skin["attributes"]["NORMAL"]) + glb.read(skin["targets"][1]["NORMAL"])
    np.testing.assert_allclose(turned, expected, atol=2e-3)


def test_targets_that_move_little_are_sparse_and_those_that_move_nothing_take_no_bytes(mesh: Mesh) -> None:
    glb = Glb(glb_bytes(mesh))
    skin, eyes = glb.document["meshes"][0]["primitives"]
    accessors = glb.document["accessors"]
    assert "sparse" in accessors[skin["targets"][0]["POSITION"]]
    assert "bufferView" in accessors[skin["targets"][1]["POSITION"]]
    nothing = accessors[eyes["targets"][0]["POSITION"]]
    assert "sparse" not in nothing and "bufferView" not in nothing


def test_a_mesh_without_expressions_is_a_valid_file(mesh: Mesh) -> None:
    plain = replace(mesh, morph_targets={}, morph_weights={})
    assert "weights" not in Glb(glb_bytes(plain)).document["meshes"][0]


def test_a_quantised_file_holds_the_same_face_in_half_the_bytes(mesh: Mesh) -> None:
    glb = Glb(glb_bytes(mesh, quantised=True))
    assert glb.document["extensionsUsed"] == glb.document["extensionsRequired"] == ["KHR_mesh_quantization"]
    step = max(np.ptp(mesh.neutral_vertices(), axis=0)) / 2 / 32767  # mm of one whole number
    (written,) = glb.document["meshes"]
    for primitive, used in zip(written["primitives"], (slice(0, 6), slice(6, 10)), strict=True):
        rows = glb.read(primitive["attributes"]["POSITION"])
        np.testing.assert_allclose(glb.places(1, rows), mesh.neutral_vertices()[used], atol=step)
        for name, target in zip(written["extras"]["targetNames"], primitive["targets"], strict=True):
            moved = glb.places(1, rows + glb.read(target["POSITION"])) - glb.places(1, rows)
            np.testing.assert_allclose(moved, mesh.morph_targets[name][used], atol=2 * step)


def test_the_normals_of_quantised_targets_are_right_to_a_degree(mesh: Mesh) -> None:
    plain, small = (Glb(glb_bytes(mesh, quantised=quantised)) for quantised in (False, True))
    for glb in (plain, small):
        skin = glb.document["meshes"][0]["primitives"][0]
        glb.turned = glb.read(skin["attributes"]["NORMAL"]) + glb.read(skin["targets"][1]["NORMAL"])
    np.testing.assert_allclose(small.turned, plain.turned, atol=0.01)


@pytest.mark.parametrize("quantised", [False, True])
def test_things_worn_are_named_children_with_their_own_material(mesh: Mesh, quantised: bool) -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    picture = np.zeros((4, 8, 4), np.uint8)
    picture[:2, :, 3] = 255  # opaque in its upper half
    cut = visor(name="hair", uv=square, image=picture, alpha="MASK", base_colour=(0.2, 0.1, 0.05, 1.0))
    lens = visor(name="glasses", base_colour=(0.1, 0.2, 0.3, 0.25), alpha="BLEND", morph_targets={})
    glb = Glb(glb_bytes(mesh, (cut, lens), quantised))
    head, hair, glasses = glb.document["meshes"]
    assert [entry["name"] for entry in (head, hair, glasses)] == ["head", "hair", "glasses"]
    assert hair["extras"]["targetNames"] == ["jawOpen"] and hair["weights"] == [0.5]
    assert "weights" not in glasses and "targets" not in glasses["primitives"][0]
    primitive = hair["primitives"][0]
    rows = glb.read(primitive["attributes"]["POSITION"])
    np.testing.assert_allclose(glb.places(2, rows), cut.vertices, atol=0.01)
    moved = glb.places(2, rows + glb.read(primitive["targets"][0]["POSITION"])) - glb.places(2, rows)
    np.testing.assert_allclose(moved, cut.morph_targets["jawOpen"], atol=0.01)
    materials = {material["name"]: material for material in glb.document["materials"]}
    assert materials["hair"]["alphaMode"] == "MASK" and materials["glasses"]["alphaMode"] == "BLEND"
    assert materials["glasses"]["pbrMetallicRoughness"]["baseColorFactor"] == [0.1, 0.2, 0.3, 0.25]
    view = glb.document["bufferViews"][glb.document["images"][0]["bufferView"]]
    image = Image.open(io.BytesIO(glb.binary[view["byteOffset"] :][: view["byteLength"]]))
    assert image.format == "PNG" and [image.getpixel((3, row))[3] for row in (0, 3)] == [255, 0]


def test_things_that_do_not_fit_the_face_are_refused(mesh: Mesh) -> None:
    with pytest.raises(ValueError, match="two things called 'visor'"):
        glb_bytes(mesh, (visor(), visor()))
    with pytest.raises(ValueError, match="two things called 'skin'"):
        glb_bytes(mesh, (visor(name="skin"),))
    plain = replace(mesh, morph_targets={}, morph_weights={})
    with pytest.raises(ValueError, match="visor follows 'jawOpen'"):
        glb_bytes(plain, (visor(),))


def test_obj_counts_groups_and_colours(mesh: Mesh, tmp_path: Path) -> None:
    write_obj(mesh, tmp_path / "face.obj")
    lines = (tmp_path / "face.obj").read_text().splitlines()
    rows = {
        kind: [line.split()[1:] for line in lines if line.split()[0] == kind]
        for kind in ("v", "vn", "f", "g")
    }
    assert [len(rows[kind]) for kind in ("v", "vn", "f", "g")] == [10, 10, 12, 2]
    first = np.array(rows["v"], float)
    np.testing.assert_allclose(first[:, :3], mesh.vertices, atol=1e-3)
    np.testing.assert_allclose(first[:, 3:], srgb(mesh.colours), atol=1e-3)
    faces = np.array([[int(c.split("//")[0]) - 1 for c in face] for face in rows["f"]])
    np.testing.assert_array_equal(faces, mesh.triangles)


def test_ply_reads_back(mesh: Mesh, tmp_path: Path) -> None:
    write_ply(mesh, tmp_path / "face.ply")
    header, body = (tmp_path / "face.ply").read_bytes().split(b"end_header\n")
    assert b"element vertex 10\n" in header and b"element face 12\n" in header
    assert len(body) == 10 * (24 + 3) + 12 * (1 + 12 + 1)
    place = np.frombuffer(body, [("place", "<f4", 6), ("colour", "u1", 3)], 10)
    np.testing.assert_allclose(place["place"][:, :3], mesh.vertices, atol=1e-5)
    np.testing.assert_allclose(place["colour"], srgb(mesh.colours) * 255, atol=0.51)
    faces = np.frombuffer(body, [("count", "u1"), ("corners", "<i4", 3), ("part", "u1")], 12, offset=270)
    np.testing.assert_array_equal(faces["corners"], mesh.triangles)
    np.testing.assert_array_equal(faces["part"], mesh.part)
    assert b"comment part 1: eyes\n" in header


def test_srgb_known_values() -> None:
    np.testing.assert_allclose(srgb(np.array([0.0, 0.21404, 1.0, 2.0])), [0, 0.5, 1, 1], atol=1e-4)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "face.obj"
    save_bytes(path, b"old")
    with pytest.raises(TypeError):
        save_bytes(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o400
