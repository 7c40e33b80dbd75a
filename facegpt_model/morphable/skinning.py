"""Joints: a head whose neck, jaw or eyes turn, by linear blend skinning.

Lengths are millimetres, rotations axis-angle in radians about the axes of the head frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegpt_model.rendering.cameras import rotation_matrix

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Skeleton:
    """A root that stays still (the view turns the whole head) and J joints below it.

    names:       the J joints that can turn, in the order of FaceCode.joints
    parents:     J + 1 indices into root and joints; -1 for the root, which comes first
    rest:        (J + 1, 3) mm places of the mean face
    identity, expression: (I, J + 1, 3), (E, J + 1, 3) mm how components move them
    weights:     (V, J + 1) shares, each row sums to 1
    correctives: (9 J, V, 3) mm per entry of (rotation matrix - 1) of the joints, or (0, V, 3)
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Array
    identity: Array
    expression: Array
    weights: Array
    correctives: Array

    def moved(self, offset: Array) -> Skeleton:
        """The same joints in a frame whose origin lies at -offset."""
        return replace(self, rest=self.rest + offset)

    def of_vertices(self, kept: NDArray[np.int64]) -> Skeleton:
        """The same joints for a mesh of some of the vertices."""
        return replace(self, weights=self.weights[kept], correctives=self.correctives[:, kept])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a module keeps as buffers, by name."""
        names = ("rest", "identity", "expression", "weights", "correctives")
        return {f"joint_{name}": getattr(self, name) for name in names}


def pose(vertices: Tensor, turns: Tensor, rest: Tensor, parents: tuple[int, ...], weights: Tensor) -> Tensor:
    """(B, V, 3) mm vertices after turning joints.

    vertices: (B, V, 3) mm at rest; turns: (B, J, 3) axis-angle; rest: (B, J + 1, 3) mm joints
    with the root first; weights: (V, J + 1).
    """
    batch = vertices.shape[0]
    local = rotation_matrix(turns.flatten(0, 1)).unflatten(0, (batch, -1))
    rotations = [torch.eye(3).to(vertices).expand(batch, 3, 3)]
    places = [rest[:, 0]]
    for joint in range(1, len(parents)):
        above = parents[joint]
        bone = (rest[:, joint] - rest[:, above])[..., None]
        places.append(places[above] + (rotations[above] @ bone)[..., 0])
        rotations.append(rotations[above] @ local[:, joint - 1])
    turned = torch.stack(rotations, dim=1)
    shift = torch.stack(places, dim=1) - (turned @ rest[..., None])[..., 0]
    blended = torch.einsum("vj,bjxy->bvxy", weights, turned)
    return (blended @ vertices[..., None])[..., 0] + torch.einsum("vj,bjx->bvx", weights, shift)


def corrective_features(turns: Tensor) -> Tensor:
    """(B, 9 J) entries, row by row, of rotation matrix minus identity of (B, J, 3) turns."""
    batch, joints = turns.shape[:2]
    matrices = rotation_matrix(turns.flatten(0, 1)) - torch.eye(3).to(turns)
    return matrices.reshape(batch, 9 * joints)
