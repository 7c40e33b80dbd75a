"""A reading of GLB files that forgives nothing."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


class Glb:
    """A GLB taken apart by the letter of the specification; every departure is an assertion."""

    def __init__(self, data: bytes) -> None:
        magic, version, size = struct.unpack_from("<4sII", data)
        assert (magic, version, size) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON" and length % 4 == 0
        self.document: dict[str, Any] = json.loads(data[20 : 20 + length])
        binary_length, kind = struct.unpack_from("<I4s", data, 20 + length)
        assert kind == b"BIN\0" and binary_length % 4 == 0 and 28 + length + binary_length == len(data)
        self.binary = data[28 + length :]
        assert self.document["asset"]["version"] == "2.0"
        (buffer,) = self.document["buffers"]
        assert 0 <= len(self.binary) - buffer["byteLength"] <= 3
        ends = 0
        for view in self.document["bufferViews"]:
            assert view["buffer"] == 0 and view["byteLength"] > 0 and view["byteOffset"] >= ends
            ends = view["byteOffset"] + view["byteLength"]
            assert ends <= buffer["byteLength"]
        self.check_meshes()

    def read(self, index: int) -> np.ndarray:
        """Decoded rows of an accessor: shares of 1 where it is normalised."""
        accessor = self.document["accessors"][index]
        width, kind = WIDTHS[accessor["type"]], accessor["componentType"]
        rows = np.zeros((accessor["count"], width), TYPES[kind])
        if "bufferView" in accessor:
            rows = self.read_view(accessor["bufferView"], kind, accessor["count"], width)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            places = self.read_view(
                sparse["indices"]["bufferView"], sparse["indices"]["componentType"], sparse["count"], 1
            )[:, 0].astype(int)
            assert (np.diff(places) > 0).all() and places[-1] < len(rows)
            for part in ("indices", "values"):
                view = self.document["bufferViews"][sparse[part]["bufferView"]]
                assert "target" not in view and "byteStride" not in view
            rows = rows.copy()
            rows[places] = self.read_view(sparse["values"]["bufferView"], kind, sparse["count"], width)
        if "min" in accessor:
            np.testing.assert_array_equal(rows.min(axis=0).astype(np.float64), accessor["min"])
            np.testing.assert_array_equal(rows.max(axis=0).astype(np.float64), accessor["max"])
        if accessor.get("normalized"):
            return rows / np.iinfo(rows.dtype).max
        assert np.isfinite(rows).all()
        return rows.astype(np.float64)

    def read_view(self, view_index: int, component: int, count: int, width: int) -> np.ndarray:
        view = self.document["bufferViews"][view_index]
        kind = np.dtype(TYPES[component])
        stride = view.get("byteStride", width * kind.itemsize)
        assert view["byteOffset"] % kind.itemsize == 0 and view["byteLength"] == count * stride
        raw = np.frombuffer(self.binary, np.uint8, count * stride, view["byteOffset"]).reshape(count, stride)
        return np.ascontiguousarray(raw[:, : width * kind.itemsize]).view(kind)

    def places(self, node: int, rows: np.ndarray) -> np.ndarray:
        """Rows of a position accessor in mm, through the scale and translation of their node."""
        entry = self.document["nodes"][node]
        return (rows * entry.get("scale", [1] * 3) + entry.get("translation", [0] * 3)) * 1000

    def check_meshes(self) -> None:
        root, *others = self.document["nodes"]
        assert root["name"] == "face" and root["children"] == list(range(1, len(others) + 1))
        assert [node["mesh"] for node in others] == list(range(len(self.document["meshes"])))
        assert [node["name"] for node in others] == [mesh["name"] for mesh in self.document["meshes"]]
        for mesh in self.document["meshes"]:
            self.check_mesh(mesh)

    def check_mesh(self, mesh: dict[str, Any]) -> None:
        names = mesh.get("extras", {}).get("targetNames", [])
        assert len(set(names)) == len(names) == len(mesh.get("weights", []))
        assert list(mesh.get("extras", {}).get("targetRanges", {})) == names
        for primitive in mesh["primitives"]:
            attributes = primitive["attributes"]
            count = self.document["accessors"][attributes["POSITION"]]["count"]
            assert "min" in self.document["accessors"][attributes["POSITION"]]
            for index in attributes.values():
                accessor = self.document["accessors"][index]
                view = self.document["bufferViews"][accessor["bufferView"]]
                assert accessor["count"] == count and view["target"] == 34962
                if "byteStride" in view:
                    assert view["byteStride"] % 4 == 0
            normals = self.read(attributes["NORMAL"])
            np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
            material = self.document["materials"][primitive["material"]]["pbrMetallicRoughness"]
            assert ("TEXCOORD_0" in attributes) == ("baseColorTexture" in material)
            coloured = attributes.get("TEXCOORD_0", attributes.get("COLOR_0"))
            if coloured is not None:
                surface = self.read(coloured)
                assert surface.min() >= 0 and surface.max() <= 1
            indices = self.read(primitive["indices"])
            assert len(indices) % 3 == 0 and indices.max() == count - 1
            view = self.document["accessors"][primitive["indices"]]["bufferView"]
            assert self.document["bufferViews"][view]["target"] == 34963
            assert len(primitive.get("targets", [])) == len(names)
            for target in primitive.get("targets", []):
                assert set(target) <= {"POSITION", "NORMAL"}
                assert "min" in self.document["accessors"][target["POSITION"]]
                for index in target.values():
                    assert len(self.read(index)) == count
