"""Sliders of the face's shape as morph targets of a mesh, beside its expressions.

A target holds what the slider does to the neutral face at 1; head models are linear, so -1 is
its mirror. Sliders that change colour only cannot be targets. The face itself is the origin:
weight 0 of every slider is the face as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from facegpt_model.face import FaceCode
from facegpt_model.mesh import Mesh
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.semantics.axes import Axes, axis_list

# Two-sided sliders that artists reach for first, from the forehead down.
SHAPE_AXES = (
    "face width", "face length", "face fullness", "forehead height", "brow height", "brow ridge",
    "eye size", "eye spacing", "eye depth", "eye slant", "nose width", "nose length", "nose projection",
    "nose bridge", "nose tip", "mouth width", "lip fullness", "cheek fullness", "cheekbones",
    "chin prominence", "chin width", "chin length", "jaw strength", "ear size", "neck thickness",
)  # fmt: skip
_NOTHING_MM = 0.05


class ColourOnly(ValueError):
    """A slider that moves no vertex was asked for as a morph target."""


def shape_axis_names() -> tuple[str, ...]:
    """Every slider of the face's shape, in their order; colours and expressions left out."""
    return tuple(axis.name for axis in axis_list() if axis.kind == "identity")


def with_axes(mesh: Mesh, model: MorphableModel, code: FaceCode, axes: Axes, names: Sequence[str]) -> Mesh:
    """The mesh of `code` with these sliders added to its targets, at weight 0.

    Raises UnknownAxis for a name that is no slider, ColourOnly for one that moves nothing, and
    ValueError for one whose name a target of the mesh already has.
    """
    rows = [axes.row(name) for name in names]
    if not rows:
        return mesh
    taken = sorted(set(names) & set(mesh.morph_targets))
    if taken or len(set(names)) < len(names):
        raise ValueError(f"the name of a morph target is given once, but these are not: {taken or names}")
    with torch.no_grad():
        neutral = code.neutral()
        start = axes.layout.pack(neutral)
        moved = axes.layout.unpack(start + axes.directions[rows].to(start))
        base = model.vertices(neutral)
        displacements = (model.vertices(moved) - base).float().numpy()
    for name, displacement in zip(names, displacements, strict=True):
        if np.abs(displacement).max() < _NOTHING_MM:
            raise ColourOnly(
                f"slider {name!r} changes colour or hair, not shape, so no morph target shows it"
            )
    return replace(
        mesh,
        morph_targets={**mesh.morph_targets, **dict(zip(names, displacements, strict=True))},
        morph_weights={**mesh.morph_weights, **dict.fromkeys(names, 0.0)},
        morph_ranges={**mesh.morph_ranges, **{name: _range(axes, name) for name in names}},
    )


def _range(axes: Axes, name: str) -> tuple[float, float]:
    return axes[name].minimum, axes[name].maximum
