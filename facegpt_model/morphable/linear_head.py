"""A head model read from somebody's files: linear shape and colour, sometimes joints.

Adapters (ict.py, gnm.py, flame.py, bfm.py) read foreign files into HeadData, in their own
place in space but in millimetres with x to the person's left, y up, z out of the face.
`finished` then gives all of them one origin and one winding. Colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facegpt_model.face import FaceCode
from facegpt_model.layout import CodeLayout
from facegpt_model.morphable.landmark_files import Embedding, MissingLandmarks
from facegpt_model.morphable.linear import blend, check_code
from facegpt_model.morphable.skinning import Skeleton, corrective_features, pose

Array = NDArray[np.float32]
Ids = NDArray[np.int64]
NOSE_TIP_MM = (-3.7, 27.5)  # y and z of openhead's foremost point; every head is put there
SAMPLE_LIMIT = 3.0  # standard deviations of a random face
PLAIN = {  # linear RGB of parts that bring no colour of their own
    "skin": (0.44, 0.25, 0.18),
    "orbit": (0.35, 0.16, 0.13),
    "mouth": (0.26, 0.08, 0.07),
    "gums": (0.33, 0.11, 0.10),
    "tongue": (0.36, 0.13, 0.12),
    "teeth": (0.62, 0.56, 0.46),
    "left_eye": (0.68, 0.65, 0.62),
    "right_eye": (0.68, 0.65, 0.62),
}
LIPS = (0.36, 0.14, 0.115)
IRIS, PUPIL = (0.09, 0.045, 0.022), (0.004, 0.004, 0.004)
IRIS_MM, PUPIL_MM = 5.9, 2.2  # radii, painted on vertices and so about a millimetre too small
OUTER_LIPS = slice(48, 60)


@dataclass(frozen=True)
class HeadData:
    """Everything an adapter reads; V vertices, T triangles, I, E, A components.

    mean: (V, 3) mm; identity, expression: (I, V, 3), (E, V, 3) mm per standard deviation or
    at weight 1; albedo_mean: (V, 3); albedo: (A, V, 3) per standard deviation, both as the
    files hold them, which is sRGB where `srgb` is true
    landmarks: where the 68 points are, or None, and then `no_landmarks` says what would help
    """

    basis: str
    mean: Array
    identity: Array
    expression: Array
    expression_names: tuple[str, ...]
    triangles: Ids
    part: Ids
    part_names: tuple[str, ...]
    albedo_mean: Array
    albedo: Array
    srgb: bool = False
    landmarks: Embedding | None = None
    no_landmarks: str = ""
    skeleton: Skeleton | None = None


def plain_colours(
    mean: Array, triangles: Ids, part: Ids, part_names: tuple[str, ...], landmarks: Embedding | None = None
) -> Array:
    """(V, 3) linear RGB by part, for models without colours; lips are redder where landmarks tell them."""
    colours = np.tile(np.array(PLAIN["skin"], np.float32), (len(mean), 1))
    for index, name in enumerate(part_names):
        colours[np.unique(triangles[part == index])] = PLAIN[name]
    if landmarks is not None:
        points = landmarks.points(mean)
        near = np.abs(mean[:, 2] - points[OUTER_LIPS, 2].mean()) < np.ptp(points[OUTER_LIPS, 2])
        lips = _inside(mean[:, :2], points[OUTER_LIPS, :2]) & near
        skin = (colours == np.array(PLAIN["skin"], np.float32)).all(axis=1)
        colours[lips & skin] = LIPS
    return colours


def _inside(places: NDArray[Any], polygon: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether (n, 2) places lie in a polygon of (m, 2) corners."""
    inside = np.zeros(len(places), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (y0 > places[:, 1]) != (y1 > places[:, 1])
        at = x0 + (places[:, 1] - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1.0)
        inside ^= crosses & (places[:, 0] < at)
    return inside


def paint_iris(colours: Array, mean: Array, ball: Ids) -> None:
    """Paint iris and pupil on an eyeball's vertices `ball`, looking along z; mean in mm."""
    places = mean[ball]
    aside = np.linalg.norm(
        places[:, :2] - (places[:, :2].min(axis=0) + places[:, :2].max(axis=0)) / 2, axis=1
    )
    front = places[:, 2] > places[:, 2].mean()
    colours[ball[front & (aside < IRIS_MM)]] = IRIS
    colours[ball[front & (aside < PUPIL_MM)]] = PUPIL


def of_triangles(data: HeadData, kept: NDArray[np.bool_]) -> HeadData:
    """Only these triangles, and only the vertices they and the landmarks use."""
    triangles = data.triangles[kept]
    wanted = [triangles.ravel()]
    if data.landmarks is not None:
        wanted.append(data.landmarks.vertex.ravel())
    used = np.unique(np.concatenate(wanted))
    place = np.full(len(data.mean), -1, np.int64)
    place[used] = np.arange(len(used))
    return replace(
        data,
        mean=data.mean[used],
        identity=data.identity[:, used],
        expression=data.expression[:, used],
        triangles=place[triangles],
        part=data.part[kept],
        albedo_mean=data.albedo_mean[used],
        albedo=data.albedo[:, used],
        landmarks=None if data.landmarks is None else data.landmarks.renumbered(place),
        skeleton=None if data.skeleton is None else data.skeleton.of_vertices(used),
    )


def finished(data: HeadData) -> HeadData:
    """Triangles counter-clockwise from outside, nose tip where openhead has it; checks all sizes.

    Raises ValueError when parts of the model disagree about its size.
    """
    _check_sizes(data)
    corners = data.mean[data.triangles].astype(np.float64)
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - data.mean.mean(axis=0)
    triangles = data.triangles if (area * outward).sum() > 0 else data.triangles[:, ::-1].copy()
    tip = data.mean[data.mean[:, 2].argmax()]
    offset = np.array([0.0, NOSE_TIP_MM[0] - tip[1], NOSE_TIP_MM[1] - tip[2]], np.float32)
    skeleton = None if data.skeleton is None else data.skeleton.moved(offset)
    return replace(data, mean=data.mean + offset, triangles=triangles, skeleton=skeleton)


def _check_sizes(data: HeadData) -> None:
    count = len(data.mean)
    for name in ("identity", "expression", "albedo"):
        part = getattr(data, name)
        if part.ndim != 3 or part.shape[1:] != (count, 3):
            raise ValueError(
                f"{data.basis}: {name} has the shape {part.shape}, which does not fit {count} vertices"
            )
    if len(data.expression) != len(data.expression_names):
        raise ValueError(
            f"{data.basis}: {len(data.expression)} expressions, {len(data.expression_names)} names"
        )
    named = [data.triangles] if data.landmarks is None else [data.triangles, data.landmarks.vertex]
    if min(ids.min() for ids in named) < 0 or max(ids.max() for ids in named) >= count:
        raise ValueError(
            f"{data.basis}: triangles or landmarks name a vertex, but there are only {count} of them"
        )


class LinearHead(nn.Module):
    """A head model of finished HeadData; it holds buffers only, nothing to train."""

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    albedo_mean: Tensor
    albedo_basis: Tensor
    triangles: Tensor
    part: Tensor

    def __init__(self, data: HeadData) -> None:
        super().__init__()
        self.basis = data.basis
        self.expression_names = data.expression_names
        self.part_names = data.part_names
        self.srgb = data.srgb
        self.joint_names = data.skeleton.names if data.skeleton else ()
        self._parents = data.skeleton.parents if data.skeleton else ()
        self._no_landmarks = "" if data.landmarks else data.no_landmarks or "its files name none"
        floats: dict[str, NDArray[Any]] = {
            "mean": data.mean,
            "identity_basis": data.identity,
            "expression_basis": data.expression,
            "albedo_mean": data.albedo_mean,
            "albedo_basis": data.albedo,
            **(data.skeleton.arrays() if data.skeleton else {}),
            **({"landmark_weight": data.landmarks.weight} if data.landmarks else {}),
        }
        whole: dict[str, NDArray[Any]] = {
            "triangles": data.triangles,
            "part": data.part,
            **({"landmark_vertex": data.landmarks.vertex} if data.landmarks else {}),
        }
        for arrays, dtype in ((floats, torch.float32), (whole, torch.int64)):
            for name, array in arrays.items():
                tensor = torch.from_numpy(np.ascontiguousarray(array)).to(dtype)
                self.register_buffer(name, tensor, persistent=False)
        self.layout = CodeLayout(
            data.basis,
            len(data.identity),
            len(data.expression),
            len(data.albedo),
            joints=len(self.joint_names),
        )

    def mean_code(self, batch_size: int = 1) -> FaceCode:
        """The mean face, `batch_size` times, at rest."""
        return self.layout.unpack(self.mean.new_zeros(batch_size, self.layout.code_size))

    def vertices(self, code: FaceCode) -> Tensor:
        """(B, V, 3) vertices in mm, head frame, with expression and joints; BasisMismatch for a foreign code.

        A code without joints stands at rest.
        """
        check_code(code, self.layout)
        parts = ((code.identity, self.identity_basis), (code.expression, self.expression_basis))
        shaped = blend(self.mean, *parts)
        if not self.joint_names or not code.joints.shape[1]:
            return shaped
        numbers = (code.identity, code.expression)
        bases = (self.get_buffer("joint_identity"), self.get_buffer("joint_expression"))
        rest = blend(self.get_buffer("joint_rest"), *zip(numbers, bases, strict=True))
        correctives = self.get_buffer("joint_correctives").to(shaped.dtype)
        if len(correctives):
            shaped = shaped + torch.einsum("bf,fvx->bvx", corrective_features(code.joints), correctives)
        weights = self.get_buffer("joint_weights").to(shaped.dtype)
        return pose(shaped, code.joints, rest, self._parents, weights)

    def albedo(self, code: FaceCode) -> Tensor:
        """(B, V, 3) linear RGB in [0, 1] per vertex."""
        check_code(code, self.layout)
        mean = self.albedo_mean.to(code.albedo.dtype)
        colour = blend(mean, (code.albedo, self.albedo_basis)) if self.layout.albedo else mean[None]
        colour = colour.expand(code.batch_size, -1, -1).clamp(0, 1)
        return linear_rgb(colour) if self.srgb else colour

    @property
    def has_landmarks(self) -> bool:
        """Whether landmarks68 can answer."""
        return not self._no_landmarks

    def landmarks68(self, vertices: Tensor) -> Tensor:
        """(B, 68, 3) iBUG-68 points in mm of (B, V, 3) vertices; MissingLandmarks if no file gives them."""
        if self._no_landmarks:
            raise MissingLandmarks(f"{self.basis} has no landmarks: {self._no_landmarks}")
        corners = vertices[:, self.get_buffer("landmark_vertex")]
        return (corners * self.get_buffer("landmark_weight").to(vertices.dtype)[..., None]).sum(dim=2)

    def sample_identity(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(count, I) random people of the model's prior, clipped at 3 standard deviations."""
        drawn = torch.randn(count, self.layout.identity, generator=generator)
        return cast(Tensor, drawn.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT))


def linear_rgb(encoded: Tensor) -> Tensor:
    """Linear RGB of sRGB values in [0, 1]."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
