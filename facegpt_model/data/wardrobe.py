"""Haircuts, beards and glasses made once around the mean head and put on many heads.

Growing hair takes half a second; carrying a grown, thinned mesh to another head takes one
millisecond, and at the size of training pictures nobody sees the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.parameters import Appearance, Hair
from facegpt_model.appearance.sampling import sample_appearance
from facegpt_model.appearance.worn import worn_meshes
from facegpt_model.mesh import NamedMesh
from facegpt_model.morphable.openhead import OpenHead

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
STRIPS_KEPT = 3  # one strip of hair in so many
CARRIERS = 4  # vertices of the head that carry one vertex of a worn mesh
CARRIER_STEP = 3  # every so many vertices of the skin can carry
SOFTENING_MM = 6.0


@dataclass(frozen=True)
class WornMesh:
    """One thing worn: (V, 3) mm around the mean head, bound to it by vertices and their shares.

    normals: (V, 3); triangles: (T, 3); near, share: (V, CARRIERS); colour: (3,) linear RGB, or None
    for the hair's own
    """

    vertices: Floats
    normals: Floats
    triangles: Ints
    near: Ints
    share: Floats
    colour: Floats | None

    def on(self, moved: Floats) -> Floats:
        """(V, 3) places on a head whose vertices have moved by (head's V, 3) mm from the mean."""
        return np.asarray(self.vertices + np.einsum("vk,vkc->vc", self.share, moved[self.near]), np.float32)


@dataclass(frozen=True)
class Outfit:
    """Hair, beard and glasses of one person; appearance: (P,) the numbers they came from."""

    hairy: tuple[WornMesh, ...]
    glasses: tuple[WornMesh, ...]
    appearance: Floats


def make_outfits(head: OpenHead, count: int, generator: torch.Generator) -> tuple[list[Outfit], list[Outfit]]:
    """`count` outfits for women and as many for men, half of them worn over a cropped head."""
    wardrobes = []
    for sex in (-1.0, 1.0):
        ages = 2 * torch.rand(count, generator=generator) - 1
        rows = sample_appearance(count, sex, ages, generator)
        wardrobes.append([_outfit(head, row) for row in rows])
    return wardrobes[0], wardrobes[1]


def _outfit(head: OpenHead, row: torch.Tensor) -> Outfit:
    worn = Appearance.of(row)
    if worn.hair.length < 0.1:
        worn = replace(worn, hair=Hair())
    code = replace(head.mean_code(), appearance=worn.row())
    meshes = {mesh.name: mesh for mesh in worn_meshes(head, code) if mesh.name != "lenses"}
    hairy = tuple(_bound(head, mesh, STRIPS_KEPT, None) for name, mesh in meshes.items() if name != "glasses")
    glasses = tuple(
        _bound(head, mesh, 1, np.array(mesh.base_colour[:3], np.float32))
        for name, mesh in meshes.items()
        if name == "glasses"
    )
    return Outfit(hairy, glasses, worn.row()[0].numpy())


def _bound(head: OpenHead, mesh: NamedMesh, every: int, colour: Floats | None) -> WornMesh:
    triangles = mesh.triangles[_piece_of(mesh.triangles) % every == 0]
    used, corners = np.unique(triangles, return_inverse=True)
    places = mesh.vertices[used]
    carriers = np.unique(head.triangles[head.part == head.part_names.index("skin")].numpy())[::CARRIER_STEP]
    mean = head.mean.numpy()
    apart = torch.cdist(torch.from_numpy(places).float(), head.mean[torch.from_numpy(carriers)])
    near = carriers[apart.topk(CARRIERS, largest=False).indices.numpy()]
    reach = np.linalg.norm(places[:, None] - mean[near], axis=2)
    share = 1 / (reach + SOFTENING_MM) ** 2
    return WornMesh(
        vertices=places.astype(np.float32),
        normals=mesh.normals[used].astype(np.float32),
        triangles=corners.reshape(-1, 3).astype(np.int64),
        near=near.astype(np.int64),
        share=(share / share.sum(axis=1, keepdims=True)).astype(np.float32),
        colour=colour,
    )


def _piece_of(triangles: Ints) -> Ints:
    """(T,) number of the strip a triangle belongs to; strips follow each other in the list."""
    highest = np.maximum.accumulate(triangles.max(axis=1))
    starts = triangles.min(axis=1)[1:] > highest[:-1]
    return np.concatenate([[0], np.cumsum(starts)]).astype(np.int64)
