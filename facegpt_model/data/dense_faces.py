"""What the dense-point net learns from: seen faces, and where every point of them truly is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from facegpt_model.data.features import FEATURES, crops_seen
from facegpt_model.data.shards import BadShards
from facegpt_model.face import FaceCode, View
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.cameras import project
from facegpt_model.vlm.dense_points import JAW, DenseInput, reference_points, vector_of
from facegpt_model.vlm.frozen import FrozenFeatures

AT_ONCE = 64  # faces


@dataclass(frozen=True)
class DenseFaces:
    """N faces in half precision, and the truth: places (N, P, 2) in units of the landmark crop."""

    vector: Tensor
    trunk16: Tensor
    trunk8: Tensor
    points: Tensor
    places: Tensor

    def __len__(self) -> int:
        return len(self.places)

    def input(self, index: Tensor) -> DenseInput:
        """Some faces by number, in float32."""
        return DenseInput(
            self.vector[index].float(),
            self.trunk16[index].float(),
            self.trunk8[index].float(),
            self.points[index].float(),
        )


def read_dense_faces(folders: Sequence[Path], head: OpenHead, vertex: Tensor, limit: int = 0) -> DenseFaces:
    """All faces that `facegpt data see` wrote, at most `limit` files if not 0; raises BadShards.

    vertex: ids of the vertices among the points
    """
    files = [file for folder in folders for file in sorted(folder.glob("[0-9]*.pt"))]
    if not files:
        raise BadShards(f"{', '.join(map(str, folders))}: no seen faces; run facegpt data see first")
    files = files[: limit or None]
    kept: dict[str, Tensor] = {}
    filled = 0
    for file in files:  # into place at once: two copies of the maps would not fit beside each other
        part = _read(file, head, vertex)
        if not kept:
            kept = {name: t.new_empty(len(files) * len(t), *t.shape[1:]) for name, t in vars(part).items()}
        for name, tensor in vars(part).items():
            kept[name][filled : filled + len(part)] = tensor
        filled += len(part)
    return DenseFaces(**{name: tensor[:filled] for name, tensor in kept.items()})


def true_places(head: OpenHead, vertex: Tensor, code: FaceCode, view: View) -> Tensor:
    """(B, P, 2) pixels of the landmarks, the vertices and the jaw line as it is seen."""
    vertices = head.vertices(code)
    jaw = head.landmarks68(vertices, view.rotation)[:, :JAW]
    points = torch.cat([head.landmarks478(vertices), vertices[:, vertex.long()], jaw], dim=1)
    return project(points, view)[..., :2]


def _read(file: Path, head: OpenHead, vertex: Tensor) -> DenseFaces:
    stored = torch.load(file, weights_only=True)
    seen = FrozenFeatures(**{name: stored[name] for name in FEATURES})
    reference = reference_points(head)
    windows = crops_seen(int(file.stem), stored["points478"])
    vectors, places = [], []
    for index in torch.arange(len(stored["identity"])).split(AT_ONCE):
        part = FrozenFeatures(**{name: getattr(seen, name)[index].float() for name in FEATURES})
        vectors.append(vector_of(part, reference).half())
        code = FaceCode(
            stored["identity"][index],
            stored["expression"][index],
            torch.zeros(len(index), head.layout.albedo),
            head.basis,
        )
        view = View(
            stored["rotation"][index],
            stored["translation"][index],
            stored["focal"][index],
            torch.zeros(len(index), 9, 3),
            (0, 0),
        )
        flat = true_places(head, vertex, code, view)
        middle = (stored["points478"][index] - flat[:, :478]).mean(1, keepdim=True)  # of the picture
        places.append(windows.some(index).from_picture(flat + middle))
    return DenseFaces(
        torch.cat(vectors), stored["trunk16"], stored["trunk8"], stored["points"], torch.cat(places)
    )
