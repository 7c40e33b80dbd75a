"""Learned detail of skin: where melanin and blood lie, on average and how people differ.

The file openhead_skin.npz holds maps over the head's atlas in units of log-albedo: for each
person's skin the log of linear RGB, relative to that person's plain tone, is
    (mean + sum_k z_k component_k) @ pigments
with two values a texel, melanin and haemoglobin. Made by facegpt_model/skin from portraits,
see docs/skin.md; where nothing was learned (scalp, brows, eyes, lips, neck) the components are 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class SkinDetail(nn.Module):
    """The maps as buffers; K components, S texels a side, V vertices.

    names: the K components, "skin 1", ...; pigments: (2, 3) log RGB per unit of melanin and blood
    maps: (1 + K, 2, S, S) mean and components, row 0 is v = 1; vertex_maps: (1 + K, V, 2)
    tables: the regions' colours that go with them, by the names of the head's own tables
    """

    pigments: Tensor
    maps: Tensor
    vertex_maps: Tensor

    def __init__(self, path: Path, uv: Tensor, triangles: Tensor, triangles_uv: Tensor) -> None:
        """Load the maps and sample them at vertices: uv (U, 2), triangles and triangles_uv (T, 3)."""
        super().__init__()
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            stored = dict(file)
        self.about: dict[str, Any] = json.loads(str(stored["about"]))
        self.names = tuple(str(name) for name in stored["names"])
        self.tables: dict[str, NDArray[Any]] = {
            key: array for key, array in stored.items() if key.startswith("region_")
        }
        maps = torch.from_numpy(stored["maps"]).float() * torch.from_numpy(stored["scale"])[..., None, None]
        self.register_buffer("pigments", torch.from_numpy(stored["pigments"]).float(), persistent=False)
        self.register_buffer("maps", maps, persistent=False)
        corners = _sampled(maps, uv[triangles_uv.flatten()])
        count = int(triangles.max()) + 1
        summed = maps.new_zeros(len(maps), count, 2).index_add(1, triangles.flatten(), corners)
        uses = torch.bincount(triangles.flatten(), minlength=count).clamp_min(1)
        self.register_buffer("vertex_maps", summed / uses[:, None], persistent=False)

    def at_vertices(self, weights: Tensor, vertex: Tensor | None = None) -> Tensor:
        """(B, V, 3) factors of linear RGB for component weights (B, K); (B, S, 3) for vertices (S,)."""
        maps = self.vertex_maps if vertex is None else self.vertex_maps[:, vertex]
        maps = maps.to(weights.dtype)
        return self._factor(maps[0] + torch.einsum("bk,knp->bnp", weights, maps[1:]))

    def at_texels(self, weights: Tensor, size: int) -> Tensor:
        """(B, size * size, 3) factors of linear RGB over the atlas, row by row."""
        maps = self.maps.to(weights.dtype)
        mixed = maps[0] + torch.einsum("bk,kphw->bphw", weights, maps[1:])
        if size != maps.shape[-1]:
            smaller = size < maps.shape[-1]
            mixed = nn.functional.interpolate(mixed, size=(size, size), mode="bilinear", antialias=smaller)
        return self._factor(mixed.flatten(2).transpose(1, 2))

    def _factor(self, pigment: Tensor) -> Tensor:
        return (pigment @ self.pigments.to(pigment.dtype)).exp()


def _sampled(maps: Tensor, uv: Tensor) -> Tensor:
    """(M, n, C) bilinear values of maps (M, C, S, S) at uv (n, 2), v up."""
    grid = torch.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], dim=1)[None, None]
    grid = grid.to(maps).expand(len(maps), -1, -1, -1)
    found = nn.functional.grid_sample(maps, grid, align_corners=False, padding_mode="border")
    return found[:, :, 0].transpose(1, 2)
