"""The tower's linear reading, found in closed form: ridge regression of codes on features.

Features are read in chunks, so that memory holds one chunk and a square of their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facegpt_model.data.features import SeenFaces
from facegpt_model.vlm.tower import FaceTower

CHUNK = 1024  # faces read at once
SCALE_FACES = 4096  # from which means and deviations of features are taken, evenly spread


@dataclass(frozen=True)
class Moments:
    """What ridge regression needs of N faces with standardised features x and codes y.

    gram: (F, F) sum of x x'; cross: (F, I) sum of x (y - mean)'; mean: (I,) of y; count: N
    """

    gram: Tensor
    cross: Tensor
    mean: Tensor
    count: int

    def solved(self, strength: float) -> Tensor:
        """(F, I) the weights; strength of the ridge is in variances of one standardised feature."""
        ridge = strength * self.count * torch.eye(len(self.gram), dtype=self.gram.dtype)
        return torch.linalg.solve(self.gram + ridge, self.cross)


@torch.no_grad()
def learn_scales(tower: FaceTower, faces: SeenFaces, index: Tensor) -> None:
    """Set the tower's reference and scales from some faces, evenly taken from those of the index."""
    tower.learn_scales(faces.features(index[:: -(-len(index) // SCALE_FACES)]))


@torch.no_grad()
def moments(tower: FaceTower, faces: SeenFaces, index: Tensor) -> Moments:
    """Of the faces of the index, as the tower standardises them."""
    mean = faces.identity[index].mean(0)
    gram = torch.zeros(0)
    cross = torch.zeros(0)
    for part in index.split(CHUNK):
        x = tower.vector_scale(tower.vector(faces.features(part)))
        y = faces.identity[part] - mean
        gram, cross = (gram + x.T @ x, cross + x.T @ y) if len(gram) else (x.T @ x, x.T @ y)
    return Moments(gram, cross, mean, len(index))


@torch.no_grad()
def learn_linear(tower: FaceTower, faces: SeenFaces, index: Tensor, strength: float = 1.0) -> None:
    """Set the linear reading from the faces of the index; scales must have been learned.

    strength: of the ridge, in variances of one standardised feature
    """
    found = moments(tower, faces, index)
    tower.linear.weight.copy_(found.solved(strength).T)
    tower.linear.bias.copy_(found.mean)


@torch.no_grad()
def calibrate_doubt(tower: FaceTower, faces: SeenFaces, index: Tensor) -> float:
    """Scale the deviations so that faces not learned from lie one of them off (root mean square).

    One factor for all coefficients, returned; the tower is left in evaluation mode.
    """
    tower.eval()
    missed = []
    for part in index.split(CHUNK):
        reading = tower(faces.features(part))
        missed.append(((reading.mean - faces.identity[part]) / reading.std).square().mean(1))
    factor = torch.cat(missed).mean().sqrt()
    tower.doubt.bias.add_(factor.log())
    return float(factor)
