"""Named points of a head, in millimetres: face-mesh landmarks, and places that they do not reach.

"m4" is MediaPipe point 4, "i33" iBUG point 33 (both 0-based). The others are extremes of
the mean head's skin, found once per head model: ear_top, ear_lobe, ear_out, ear_back,
ear_front, ear_corner (upper back rim; all of the person's left ear), head_back, head_top,
neck_left, neck_right, neck_front, neck_back, neck_base, shoulder_left, shoulder_right, nape,
under_chin.
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from facegpt_model.morphable.base import MorphableModel

EAR_BEYOND_MM = 72.0  # skin further to the left than this, at the height of the ears, is ear
EAR_HEIGHT_MM = (-40.0, 70.0)
MIDLINE_MM = 9.0
NECK_HEIGHT_MM = (-98.0, -84.0)  # bands in which neck, shoulders and nape are measured
SHOULDER_HEIGHT_MM = (-112.0, -100.0)
NAPE_HEIGHT_MM = (-66.0, -50.0)
UNDER_CHIN_MM = ((-92.0, -68.0), (-46.0, -28.0))  # y, z
BASE_HEIGHT_MM = -150.0


class LandmarkedModel(MorphableModel, Protocol):
    """A head that has the 468 face-mesh points and a mean."""

    mean: Tensor

    def landmarks468(self, vertices: Tensor) -> Tensor:
        """(B, 468, 3) mm of (B, V, 3) vertices."""
        ...


_PLACES: WeakKeyDictionary[object, dict[str, int]] = WeakKeyDictionary()


def point(model: LandmarkedModel, vertices: Tensor, name: str) -> Tensor:
    """(B, 3) mm: a named point of (B, V, 3) vertices; raises ValueError for an unknown name."""
    if name[:1] == "m" and name[1:].isdigit() and int(name[1:]) < 468:
        return model.landmarks468(vertices)[:, int(name[1:])]
    if name[:1] == "i" and name[1:].isdigit() and int(name[1:]) < 68:
        return model.landmarks68(vertices)[:, int(name[1:])]
    places = _places(model)
    if name not in places:
        raise ValueError(f"no point called {name!r}; known: m0 to m467, i0 to i67, {', '.join(places)}")
    return vertices[:, places[name]]


def _places(model: LandmarkedModel) -> dict[str, int]:
    """Vertex ids of the extremes, kept as long as the model lives."""
    if model not in _PLACES:
        skin = model.part == model.part_names.index("skin")
        used = torch.unique(model.triangles[skin])
        x, y, z = model.mean[used].unbind(1)
        ear = (x > EAR_BEYOND_MM) & _between(y, EAR_HEIGHT_MM)
        middle = x.abs() < MIDLINE_MM
        neck, shoulder = _between(y, NECK_HEIGHT_MM), _between(y, SHOULDER_HEIGHT_MM)
        below = middle & (y < BASE_HEIGHT_MM)
        throat = middle & _between(y, UNDER_CHIN_MM[0]) & _between(z, UNDER_CHIN_MM[1])
        chosen: dict[str, tuple[Tensor, Tensor]] = {
            "ear_top": (ear, y),
            "ear_lobe": (ear, -y),
            "ear_out": (ear, x),
            "ear_back": (ear, -z),
            "ear_front": (ear, z),
            "ear_corner": (ear, y - z),
            "head_back": (middle & (y > 0), -z),
            "head_top": (middle, y),
            "neck_left": (neck, x),
            "neck_right": (neck, -x),
            "neck_front": (neck & middle, z),
            "neck_back": (neck & middle, -z),
            "neck_base": (below, z),
            "shoulder_left": (shoulder, x),
            "shoulder_right": (shoulder, -x),
            "nape": (middle & _between(y, NAPE_HEIGHT_MM), -z),
            "under_chin": (throat, -y),
        }
        _PLACES[model] = {name: int(used[_furthest(*where)]) for name, where in chosen.items()}
    return _PLACES[model]


def _between(values: Tensor, band: tuple[float, float]) -> Tensor:
    return (values > band[0]) & (values < band[1])


def _furthest(among: Tensor, along: Tensor) -> int:
    return int(torch.where(among, along, torch.full_like(along, -torch.inf)).argmax())
