"""Parts of a face as sets of vertices: what lies near which of the 68 landmarks.

Works for every head model that has landmarks; millimetres on the mean face. The parts
overlap a little, as noses and eyes do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.morphable.base import MorphableModel

# iBUG-68 landmarks of a part, and how far from their nearest one its skin reaches, in mm.
REGIONS: dict[str, tuple[tuple[int, ...], float]] = {
    "eyes": (tuple(range(36, 48)), 9.0),
    "brows": (tuple(range(17, 27)), 8.0),
    "nose": (tuple(range(27, 36)), 13.0),
    "mouth": (tuple(range(48, 68)), 8.0),
    "jaw": (tuple(range(3, 14)), 16.0),
}
SHAPE_PARTS = tuple(REGIONS)
PARTS = (*SHAPE_PARTS, "skin")  # skin is colour, the others are shape
FACE_REACH_MM = 26.0  # skin this near to any landmark counts as the face as a whole


@dataclass(frozen=True)
class Regions:
    """Vertex ids of the parts of one head model.

    mean:     (V, 3) mm, the mean face
    basis:    (I, V, 3) mm per standard deviation of each identity component
    vertices: part -> (n,) int64; "face" is everything near a landmark
    """

    mean: Tensor
    basis: Tensor
    vertices: dict[str, Tensor]


def find_regions(model: MorphableModel) -> Regions:
    """The parts of a head model's outer skin; ValueError if one has too few vertices to have a shape."""
    layout = model.layout
    with torch.no_grad():
        mean_code = layout.unpack(torch.zeros(1, layout.code_size))
        mean = model.vertices(mean_code)[0].float()
        units = layout.unpack(torch.eye(layout.identity, layout.code_size))
        basis = model.vertices(units).float() - mean
        landmarks = model.landmarks68(mean[None])[0]
    skin = model.triangles
    if "skin" in model.part_names:
        skin = model.triangles[model.part == model.part_names.index("skin")]
    used = torch.unique(skin)
    away = torch.cdist(mean[used], landmarks)  # (n, 68) mm
    vertices = {
        part: used[away[:, list(points)].min(1).values < reach] for part, (points, reach) in REGIONS.items()
    }
    vertices["face"] = used[away.min(1).values < FACE_REACH_MM]
    for part, ids in vertices.items():
        if len(ids) < 12:
            raise ValueError(f"{model.basis} has only {len(ids)} vertices at the {part}, too few for a shape")
    return Regions(mean, basis, vertices)


def without_motion(points: Tensor, fields: Tensor) -> Tensor:
    """(I, n, 3) displacement fields over (n, 3) points with shift and turn taken out.

    What remains is change of shape and size: the six small rigid motions are projected away,
    which is the alignment of two almost equal shapes to first order.
    """
    centred = points - points.mean(0)
    motions = [torch.eye(3)[axis].expand(len(points), 3) for axis in range(3)]
    motions += [torch.linalg.cross(torch.eye(3)[axis].expand(len(points), 3), centred) for axis in range(3)]
    rigid, _ = torch.linalg.qr(torch.stack([motion.reshape(-1) for motion in motions], 1).double())
    flat = fields.flatten(1).double()
    return (flat - (flat @ rigid) @ rigid.T).float().reshape(fields.shape)
