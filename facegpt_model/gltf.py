"""glTF 2.0 binary files (GLB) of a face, with expressions and shape sliders as named morph targets.

glTF wants metres, y up, the front towards +z and linear vertex colours, so the head frame
only needs a factor. The node "face" holds the node "head" and one node per thing worn, such as
"hair". The head is written neutral; the current expression is the default weight of each
target, and things worn carry the targets they follow under the same names. One primitive and
material per part of the head. Models that paint a texture get it as a JPEG (vertices are
doubled along its seams), others get vertex colours. Numbers are laid out by gltf_buffer.py.
Specification: Khronos glTF 2.0, sections 3.5 (nodes), 3.7.2 (meshes), 3.9 (materials).
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facegpt_model.gltf_buffer import Buffer, Frame, container
from facegpt_model.mesh import Floats, Mesh, NamedMesh, check_worn, save_bytes
from facegpt_model.rendering.topology import vertex_normals

QUANTISATION = "KHR_mesh_quantization"
_ROUGHNESS = {"skin": 0.55, "eyes": 0.08, "eye": 0.08, "teeth": 0.3, "tongue": 0.4, "lashes": 0.7}


def write_glb(mesh: Mesh, path: Path, worn: Sequence[NamedMesh] = (), quantised: bool = False) -> None:
    """Write a face and what it wears to a .glb file; errors as glb_bytes."""
    save_bytes(path, glb_bytes(mesh, worn, quantised))


def glb_bytes(mesh: Mesh, worn: Sequence[NamedMesh] = (), quantised: bool = False) -> bytes:
    """The .glb file of a face and the things it wears.

    quantised: whole numbers instead of floats, about half the size; needs a reader that knows
    KHR_mesh_quantization, as three.js, Blender, Babylon.js and model-viewer do. Raises
    ValueError when two things worn share a name or follow a target the face does not have.
    """
    check_worn(mesh, worn)
    scene = _Scene(quantised)
    scene.add_head(mesh)
    for thing in worn:
        scene.add_worn(thing, mesh)
    return scene.file()


class _Scene:
    """The JSON half of the file while it grows."""

    def __init__(self, quantised: bool) -> None:
        self.buffer = Buffer(quantised)
        self.lists: dict[str, list[dict[str, Any]]] = {"nodes": [{"name": "face", "children": []}]}

    def add_head(self, mesh: Mesh) -> None:
        neutral = mesh.neutral_vertices()
        moves = _stack(mesh.morph_targets.values(), neutral)
        normals, turns = _normals(neutral, moves, mesh.triangles)
        frame = Frame.around(neutral, moves)
        texture = None if mesh.paint is None else self._texture("face", mesh.paint.image)
        primitives = []
        for index, name in enumerate(mesh.part_names):
            if not (mesh.part == index).any():
                continue
            used, places, corners = _corners(mesh, index)
            attributes = {
                "POSITION": self.buffer.positions(neutral[used], frame),
                "NORMAL": self.buffer.normals(normals[used]),
            }
            surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": _roughness(name)}
            if places is None:
                attributes["COLOR_0"] = self.buffer.colours(mesh.colours[used])
            else:
                attributes["TEXCOORD_0"] = self.buffer.places(places)
                surface["baseColorTexture"] = {"index": texture}
            targets = [
                {"POSITION": self.buffer.moves(moved, frame), "NORMAL": self.buffer.turns(turned)}
                for moved, turned in zip(moves[:, used], turns[:, used], strict=True)
            ]
            material = self._add("materials", {"name": name, "pbrMetallicRoughness": surface})
            primitives.append(_primitive(attributes, self.buffer.indices(corners), material, targets))
        self._mesh("head", primitives, mesh, list(mesh.morph_targets), frame)

    def add_worn(self, thing: NamedMesh, mesh: Mesh) -> None:
        moves = _stack(thing.morph_targets.values(), thing.vertices)
        frame = Frame.around(thing.vertices, moves)
        attributes = {
            "POSITION": self.buffer.positions(thing.vertices, frame),
            "NORMAL": self.buffer.normals(_unit(thing.normals)),
        }
        surface: dict[str, Any] = {
            "baseColorFactor": [float(share) for share in thing.base_colour],
            "metallicFactor": float(thing.metallic),
            "roughnessFactor": float(thing.roughness),
        }
        if thing.uv is not None and thing.image is not None:
            attributes["TEXCOORD_0"] = self.buffer.places(thing.uv)
            surface["baseColorTexture"] = {"index": self._texture(thing.name, thing.image)}
        material = {"name": thing.name, "doubleSided": thing.double_sided, "pbrMetallicRoughness": surface}
        if thing.alpha != "OPAQUE":
            material["alphaMode"] = thing.alpha
        targets = [{"POSITION": self.buffer.moves(moved, frame)} for moved in moves]
        corners = self.buffer.indices(thing.triangles.ravel())
        primitive = _primitive(attributes, corners, self._add("materials", material), targets)
        self._mesh(thing.name, [primitive], mesh, list(thing.morph_targets), frame)

    def file(self) -> bytes:
        """The whole .glb."""
        extensions = [QUANTISATION] if self.buffer.quantised else []
        document = {
            "asset": {"version": "2.0", "generator": "FaceGPT"},
            **({"extensionsUsed": extensions, "extensionsRequired": extensions} if extensions else {}),
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            **self.lists,
            "accessors": self.buffer.accessors,
            "bufferViews": self.buffer.views,
            "buffers": [{"byteLength": len(self.buffer.payload)}],
        }
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
        return container(text.encode(), bytes(self.buffer.payload))

    def _mesh(
        self, name: str, primitives: list[dict[str, Any]], mesh: Mesh, targets: list[str], frame: Frame
    ) -> None:
        """Add a mesh with its targets' names, default weights and ranges, and the node that shows it."""
        entry: dict[str, Any] = {"name": name, "primitives": primitives}
        if targets:
            entry["weights"] = [round(mesh.morph_weights[target], 6) for target in targets]
            ranges = {target: list(mesh.morph_ranges.get(target, (0.0, 1.0))) for target in targets}
            entry["extras"] = {"targetNames": targets, "targetRanges": ranges}
        node = {"name": name, "mesh": self._add("meshes", entry)}
        if self.buffer.quantised:
            node.update(frame.node())
        self.lists["nodes"][0]["children"].append(self._add("nodes", node))

    def _texture(self, name: str, image: NDArray[np.uint8]) -> int:
        encoded = io.BytesIO()
        form = "PNG" if image.shape[2] == 4 else "JPEG"
        Image.fromarray(image).save(encoded, form, quality=90)
        view = self.buffer.bytes(encoded.getvalue())
        source = self._add("images", {"name": name, "bufferView": view, "mimeType": f"image/{form.lower()}"})
        if "samplers" not in self.lists:
            self._add("samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071})
        return self._add("textures", {"source": source, "sampler": 0})

    def _add(self, kind: str, entry: dict[str, Any]) -> int:
        entries = self.lists.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1


def _primitive(
    attributes: dict[str, int], indices: int, material: int, targets: list[dict[str, int]]
) -> dict[str, Any]:
    primitive: dict[str, Any] = {
        "attributes": attributes,
        "indices": indices,
        "material": material,
        "mode": 4,
    }
    if targets:
        primitive["targets"] = targets
    return primitive


def _stack(displacements: Any, vertices: Floats) -> Floats:
    """(N, V, 3) of N arrays, also when N is 0."""
    rows = list(displacements)
    return np.stack(rows) if rows else np.zeros((0, *vertices.shape), np.float32)


def _corners(mesh: Mesh, part: int) -> tuple[NDArray[np.int64], Floats | None, NDArray[np.int64]]:
    """Vertices a part uses, their places in the paint (None without), and its corners among them."""
    triangles = mesh.triangles[mesh.part == part].ravel()
    if mesh.paint is None:
        used, corners = np.unique(triangles, return_inverse=True)
        return used, None, corners
    places = mesh.paint.triangles_uv[mesh.part == part].ravel()
    pairs, corners = np.unique(np.stack([triangles, places], axis=1), axis=0, return_inverse=True)
    return pairs[:, 0], mesh.paint.uv[pairs[:, 1]], corners.reshape(-1)


def _normals(neutral: Floats, moves: NDArray[Any], triangles: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(V, 3) unit normals, and (N, V, 3) how each displacement changes them."""
    poses = np.concatenate([neutral[None], neutral[None] + moves])
    turned = _unit(vertex_normals(torch.from_numpy(poses).float(), torch.from_numpy(triangles)).numpy())
    return turned[0], turned[1:] - turned[0]


def _unit(normals: Floats) -> Floats:
    """Normals of length one; those of no length point to the front."""
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 1e-6, normals / np.maximum(length, 1e-6), np.array([0, 0, 1], np.float32))


def _roughness(part: str) -> float:
    for known, roughness in _ROUGHNESS.items():
        if known in part.lower():
            return roughness
    return 0.6
