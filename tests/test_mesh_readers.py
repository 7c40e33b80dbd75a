"""Files of a face as other people's readers see them: trimesh for meshes, pygltflib for glTF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import torch
import trimesh

from facegpt_model.face import FaceCode
from facegpt_model.gltf import write_glb
from facegpt_model.mesh import Mesh, NamedMesh, mesh_of, srgb
from facegpt_model.mesh_files import obj_files, write_obj, write_ply
from facegpt_model.morphable.base import load


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    model = load()
    identity = torch.randn(1, model.layout.identity, generator=torch.Generator().manual_seed(3)) * 0.5
    expression = torch.zeros(1, model.layout.expression)
    expression[0, model.expression_names.index("jawOpen")] = 0.5
    return mesh_of(model, FaceCode(identity, expression, torch.zeros(1, model.layout.albedo), model.basis))


@pytest.fixture(scope="module")
def worn() -> tuple[NamedMesh, ...]:
    square = np.array([[-60, 90, 80], [60, 90, 80], [60, 110, 60], [-60, 110, 60]], np.float32)
    normals = np.tile(np.array([[0, 0.6, 0.8]], np.float32), (4, 1))
    corners = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    picture = np.full((4, 4, 4), 255, np.uint8)
    picture[:2, :, :3] = (200, 0, 0)
    lens = NamedMesh("lens", square, normals, corners, (0.1, 0.1, 0.1, 0.3), 0.05, alpha="BLEND")
    falls = {"jawOpen": np.tile(np.array([[0, -6, 0]], np.float32), (4, 1))}
    fringe = NamedMesh(
        "fringe", square, normals, corners, uv=uv, image=picture, alpha="MASK", morph_targets=falls
    )
    return fringe, lens


def parts(scene: trimesh.Scene) -> Iterator[tuple[str, trimesh.Trimesh]]:
    """Geometry of a scene in world coordinates, with its node's name."""
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        piece = scene.geometry[name].copy()
        piece.apply_transform(transform)
        yield node, piece


@pytest.mark.parametrize("quantised", [False, True])
def test_pygltflib_reads_targets_materials_and_nodes(
    mesh: Mesh, worn: tuple[NamedMesh, ...], tmp_path: Path, quantised: bool
) -> None:
    write_glb(mesh, tmp_path / "face.glb", worn, quantised)
    read = pygltflib.GLTF2().load(tmp_path / "face.glb")
    assert [read.nodes[child].name for child in read.nodes[0].children] == ["head", "fringe", "lens"]
    head = read.meshes[0]
    assert head.extras["targetNames"] == list(mesh.morph_targets) and len(head.weights) == 52
    assert head.weights[head.extras["targetNames"].index("jawOpen")] == 0.5
    assert {len(primitive.targets) for primitive in head.primitives} == {52}
    assert {material.name: material.alphaMode for material in read.materials}["fringe"] == "MASK"
    assert (read.extensionsRequired == ["KHR_mesh_quantization"]) == quantised


@pytest.mark.parametrize("quantised", [False, True])
def test_trimesh_sees_the_neutral_face_in_metres(mesh: Mesh, tmp_path: Path, quantised: bool) -> None:
    write_glb(mesh, tmp_path / "face.glb", quantised=quantised)
    scene = trimesh.load_scene(tmp_path / "face.glb")
    np.testing.assert_allclose(
        scene.bounds * 1000,
        [mesh.neutral_vertices().min(axis=0), mesh.neutral_vertices().max(axis=0)],
        atol=0.01,
    )
    assert sum(len(piece.faces) for _, piece in parts(scene)) == len(mesh.triangles)


def test_trimesh_reads_the_obj_with_its_texture(
    mesh: Mesh, worn: tuple[NamedMesh, ...], tmp_path: Path
) -> None:
    write_obj(mesh, tmp_path / "my face.obj", worn)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "my face.obj", "my_face-face.png", "my_face-fringe.png", "my_face.mtl",
    ]  # fmt: skip
    scene = trimesh.load_scene(tmp_path / "my face.obj", split_objects=True, group_material=False)
    pieces = [piece for _, piece in parts(scene)]
    assert sum(len(piece.faces) for piece in pieces) == len(mesh.triangles) + 4
    skin = max(pieces, key=lambda piece: len(piece.faces))
    assert skin.visual.material.image.size == (1024, 1024)
    expected = mesh.vertices[mesh.triangles[mesh.part == 0]]
    np.testing.assert_allclose(skin.bounds, [expected.min(axis=(0, 1)), expected.max(axis=(0, 1))], atol=1e-3)
    triangle = 1000  # one corner's colour, through the reader's own sampling of the picture
    corner = np.flatnonzero(mesh.part == 0)[triangle]
    seen = skin.visual.to_color().vertex_colors[skin.faces[triangle]][:, :3]
    place = mesh.paint.uv[mesh.paint.triangles_uv[corner]]
    row, column = ((1 - place[:, 1]) * 1024).astype(int), (place[:, 0] * 1024).astype(int)
    assert np.abs(seen.astype(int) - mesh.paint.image[row, column]).max() < 12


def test_the_obj_names_parts_objects_and_see_through_materials(
    mesh: Mesh, worn: tuple[NamedMesh, ...]
) -> None:
    files = obj_files(mesh, "face.obj", worn)
    assert list(files)[-1] == "face.obj"  # what it refers to is there before it
    lines = files["face.obj"].decode().splitlines()
    assert [line[2:] for line in lines if line.startswith("o ")] == ["head", "fringe", "lens"]
    groups = [line[2:] for line in lines if line.startswith("g ")]
    assert groups == [*mesh.part_names, "fringe", "lens"]
    assert [line.split()[1] for line in lines if line.startswith("usemtl")] == groups
    materials = files["face.mtl"].decode().split("newmtl ")
    assert "d 0.3000" in materials[-1] and "map_Kd face-fringe.png" in materials[-2]
    fringe = lines[lines.index("o fringe") + 1]
    np.testing.assert_allclose([float(x) for x in fringe.split()[1:]], [-60, 87, 80])  # half the jaw's fall


def test_trimesh_reads_the_ply_with_vertex_colours(
    mesh: Mesh, worn: tuple[NamedMesh, ...], tmp_path: Path
) -> None:
    write_ply(mesh, tmp_path / "face.ply", worn)
    read = trimesh.load_mesh(tmp_path / "face.ply", process=False)
    count = len(mesh.vertices)
    assert read.faces.shape == (len(mesh.triangles) + 2, 3)  # the lens is see-through, so not in it
    np.testing.assert_allclose(read.vertices[:count], mesh.vertices, atol=1e-5)
    raw = read.metadata["_ply_raw"]["vertex"]["data"]
    np.testing.assert_allclose([raw[axis][:count] for axis in ("nx", "ny", "nz")], mesh.normals.T, atol=1e-6)
    colours = np.asarray(read.visual.vertex_colors)[:, :3]
    np.testing.assert_allclose(colours[:count], srgb(mesh.colours) * 255, atol=0.51)
    np.testing.assert_array_equal(colours[count:], [[255] * 3, [255] * 3, [200, 0, 0], [200, 0, 0]])
