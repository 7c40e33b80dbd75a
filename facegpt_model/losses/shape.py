"""How far apart two identities are as surfaces, computed in code space: exact, no mesh decoded.

The head model is linear, so the mean squared distance of corresponding vertices of two codes is
a quadratic form of their difference. Vertices count by how much they belong to the face; what
a similarity (place, turn, size) could explain is taken out to first order, since a photograph
does not tell it and agreement is measured after alignment.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.face_area import face_area


class ShapeMetric(nn.Module):
    """root: (I, I) with |(a - b) @ root|² the mean squared distance of faces a and b in mm²."""

    root: Tensor

    def __init__(self, head: OpenHead) -> None:
        super().__init__()
        weight = face_area(head, head.mean_code()).double()
        mean, basis = head.mean.double(), head.identity_basis.double()
        centred = mean - (weight[:, None] * mean).sum(0) / weight.sum()
        scale = weight.sqrt()[:, None]
        axes = torch.eye(3, dtype=torch.float64)[:, None].expand(3, len(mean), 3)
        motions = torch.cat([axes, torch.linalg.cross(axes, centred.expand(3, -1, 3), dim=2), centred[None]])
        plain, _ = torch.linalg.qr((motions * scale).flatten(1).T)
        rows = (basis * scale).flatten(1)
        rows = rows - (rows @ plain) @ plain.T
        values, vectors = torch.linalg.eigh(rows @ rows.T / weight.sum())
        self.register_buffer("root", (vectors * values.clamp_min(0).sqrt()).float(), persistent=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(B,) mean squared distance in mm² of (B, I) identities; differentiable."""
        return ((first - second) @ self.root).square().sum(dim=1)

    def explained(self, predicted: Tensor, true: Tensor) -> float:
        """Person-specific R² of (N, I) identities: 0 for one face for all, 1 for the truth; N at least 2."""
        own = (predicted - predicted.mean(0)) @ self.root
        wanted = (true - true.mean(0)) @ self.root
        return 1 - float((own - wanted).detach().square().sum() / wanted.square().sum())
