"""Synthetic pictures of people with exact codes: what the learned parts of reconstruction learn from.

Three kinds: "plain" heads of one colour, bald and without brows, before a simple backdrop; "dressed"
heads with skin, hair, beard and glasses; "composite" faces on a real photograph, at the pose
that was fitted there. A block of pictures depends on the seed and its number only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field, model_validator
from torch import Tensor

from facegpt_model.data.backdrops import Backdrops
from facegpt_model.data.camera_faults import jpeg, photographed
from facegpt_model.data.drawing import Gloss, Model, draw, encoded, softened
from facegpt_model.data.scenes import (
    Placed,
    framed,
    nudged,
    plain_colour,
    random_expression,
    random_light,
    random_rotation,
)
from facegpt_model.data.wardrobe import Outfit, make_outfits
from facegpt_model.face import FaceCode, View
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.morphable.people import sample_people
from facegpt_model.rendering.cameras import axis_angle_of
from facegpt_model.rendering.face_area import face_area
from facegpt_model.rendering.topology import vertex_normals

Floats = NDArray[np.float32]
Kind = Literal["plain", "dressed", "composite"]
KINDS: tuple[Kind, ...] = ("plain", "dressed", "composite")
FACE_FROM = 0.05  # weight of face_area from which a vertex is pasted


class SyntheticConfig(BaseModel, frozen=True, extra="forbid"):
    """What is drawn."""

    size: int = Field(default=128, ge=48, le=512)  # pixels of a side
    block: int = Field(default=64, ge=2)  # pictures made together
    plain: float = Field(default=0.32, ge=0, le=1)  # share of heads of one colour
    composite: float = Field(default=0.5, ge=0, le=1)  # share pasted on photographs; the rest is dressed
    views: int = Field(default=2, ge=1)  # pictures of each person
    widened: float = Field(default=1.2, ge=1)  # half the people differ from the mean this many times as much
    max_yaw: float = Field(default=60.0, ge=0, le=85)  # degrees
    max_pitch: float = Field(default=30.0, ge=0, le=60)
    outfits: int = Field(default=10, ge=1)  # haircuts and glasses for each sex

    @model_validator(mode="after")
    def _shares_fit(self) -> SyntheticConfig:
        if self.plain + self.composite > 1:
            raise ValueError("the shares of plain and composite pictures add up to more than 1")
        return self


@dataclass(frozen=True)
class SyntheticBlock:
    """B pictures with what they show.

    jpegs: B files; kinds: B of KINDS; code and view: as drawn; points478: (B, 478, 2) pixels of the
    mesh's landmarks, hidden ones too; person: (B,) number of the person
    """

    jpegs: tuple[bytes, ...]
    kinds: tuple[Kind, ...]
    code: FaceCode
    view: View
    points478: Tensor
    person: Tensor


class SyntheticFaces:
    """An endless, numbered supply of blocks."""

    def __init__(
        self, head: OpenHead, config: SyntheticConfig, seed: int, backdrops: Backdrops | None = None
    ) -> None:
        """backdrops: photographs to paste on; without them those pictures are dressed heads."""
        self.head, self.config, self.seed, self.backdrops = head, config, seed, backdrops
        self._names = list(head.expression_names)
        regions = list(head.region_names)
        weights = head.region_weights.numpy()
        self._skin = regions.index("skin")
        self._hairy = weights[:, regions.index("scalp")] > 0.5
        self._eyes = np.zeros(len(weights), bool)
        eyes = [head.part_names.index(side) for side in ("left_eye", "right_eye")]
        triangles = head.triangles.numpy()
        self._eyes[np.unique(triangles[np.isin(head.part.numpy(), eyes)])] = True
        area = face_area(head, head.mean_code()).numpy()
        inner = np.unique(triangles[head.part.numpy() != head.part_names.index("skin")])
        area[inner] = 1.0
        self._face = area
        self._face_triangles = np.ascontiguousarray(triangles[(area[triangles] > FACE_FROM).all(axis=1)])
        self._triangles = np.ascontiguousarray(triangles)

    @cached_property
    def outfits(self) -> tuple[list[Outfit], list[Outfit]]:
        """Outfits for women and for men; made when first needed, in a few seconds."""
        return make_outfits(self.head, self.config.outfits, torch.Generator().manual_seed(self.seed))

    def block(self, number: int) -> SyntheticBlock:
        """Pictures number * block up to the next block's."""
        rng = np.random.default_rng([self.seed, number])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        config, head = self.config, self.head
        people = -(-config.block // config.views)
        drawn = sample_people(head, people, generator)
        person = np.repeat(np.arange(people), config.views)[: config.block]
        wide = np.where(rng.random(people) < 0.5, config.widened, 1.0).astype(np.float32)
        identity = drawn.code.identity * torch.from_numpy(wide)[:, None]
        seen = None if self.backdrops is None else self.backdrops.expression
        expression = np.stack([random_expression(rng, self._names, seen) for _ in person])
        kinds = [self._kind(rng) for _ in person]
        backdrop = [0 if self.backdrops is None else int(rng.integers(len(self.backdrops))) for _ in person]
        code = FaceCode(identity[person], torch.from_numpy(expression), drawn.code.albedo[person], head.basis)
        with torch.no_grad():
            vertices = head.vertices(code)
            albedo = head.albedo(code).numpy().copy()
            skin = head.region_colours(code)[:, self._skin].numpy()
            hair = head.region_colours(code)[:, head.region_names.index("scalp")].numpy()
            points = head.landmarks478(vertices).numpy()
            normals = vertex_normals(vertices, head.triangles).numpy()
        male = drawn.sex.numpy()[person] > 0.5
        jpegs, placed, lights = [], [], []
        for k, kind in enumerate(kinds):
            place = self._place(rng, kind, points[k], backdrop[k])
            light = random_light(rng)
            colours = self._plain(rng, skin[k], albedo[k]) if kind == "plain" else albedo[k]
            mesh = Model(vertices[k].numpy(), normals[k], colours, self._triangles)
            if kind == "composite":
                mesh = Model(mesh.vertices, mesh.normals, mesh.colours, self._face_triangles)
            elif kind == "dressed":
                mesh = self._dressed(rng, mesh, hair[k], bool(male[k]))
            picture = self._photograph(rng, kind, mesh, place, light, backdrop[k])
            jpegs.append(jpeg(photographed(rng, picture), int(rng.integers(60, 97))))
            placed.append(place)
            lights.append(light)
        return SyntheticBlock(
            jpegs=tuple(jpegs),
            kinds=tuple(kinds),
            code=code,
            view=self._view(placed, lights),
            points478=torch.from_numpy(
                np.stack([p.pixels(x, config.size) for p, x in zip(placed, points, strict=True)])
            ),
            person=torch.from_numpy(person + number * people),
        )

    def _kind(self, rng: np.random.Generator) -> Kind:
        drawn = rng.random()
        if drawn < self.config.plain:
            return "plain"
        pasted = drawn < self.config.plain + self.config.composite and self.backdrops is not None
        return "composite" if pasted else "dressed"

    def _place(self, rng: np.random.Generator, kind: Kind, points: Floats, backdrop: int) -> Placed:
        config, photos = self.config, self.backdrops
        if kind == "composite" and photos is not None:
            scale = config.size / photos.side
            there = Placed(
                photos.rotation[backdrop], photos.translation[backdrop], float(photos.focal[backdrop]) * scale
            )
            return nudged(rng, there)
        rotation = random_rotation(rng, config.max_yaw, config.max_pitch)
        return framed(rng, rotation, points, config.size)

    def _plain(self, rng: np.random.Generator, skin: Floats, albedo: Floats) -> Floats:
        """One colour all over; the eyes share it, are white, or stay as they are."""
        colours = np.tile(plain_colour(rng, skin).astype(np.float32), (len(albedo), 1))
        eyes = rng.random()
        if eyes < 0.25:
            colours[self._eyes] = rng.uniform(0.5, 0.9)
        elif eyes < 0.6:
            colours[self._eyes] = albedo[self._eyes]
        return colours

    def _dressed(self, rng: np.random.Generator, mesh: Model, hair: Floats, male: bool) -> Model:
        """With hair, a beard and glasses of an outfit, in the hair's colour."""
        wardrobe = self.outfits[int(male)]
        outfit = wardrobe[rng.integers(len(wardrobe))]
        parts = [*outfit.hairy, *outfit.glasses]
        if not parts or rng.random() < 0.15:
            return mesh
        moved = mesh.vertices - self.head.mean.numpy()
        colours = mesh.colours.copy()
        if outfit.hairy:
            colours[self._hairy] = hair * 0.7
        vertices, normals, shades, triangles = [mesh.vertices], [mesh.normals], [colours], [mesh.triangles]
        start = len(mesh.vertices)
        for part in parts:
            vertices.append(part.on(moved))
            normals.append(part.normals)
            strand = 1 + 0.25 * rng.standard_normal((len(part.vertices) // 8 + 1, 1), np.float32)
            strand = np.repeat(strand, 8, axis=0)[: len(part.vertices)].clip(0.3, 2)
            own = hair * strand if part.colour is None else np.tile(part.colour, (len(part.vertices), 1))
            shades.append(own.astype(np.float32))
            triangles.append(part.triangles + start)
            start += len(part.vertices)
        return Model(
            np.concatenate(vertices),
            np.concatenate(normals),
            np.concatenate(shades),
            np.concatenate(triangles),
        )

    def _photograph(
        self, rng: np.random.Generator, kind: Kind, mesh: Model, place: Placed, light: Floats, backdrop: int
    ) -> Floats:
        size = self.config.size
        colour, cover, ids = draw(mesh, place, light, size, _gloss(rng))
        behind = self._behind(rng, kind, backdrop)
        if kind == "composite":
            weight = self._face[mesh.triangles].mean(axis=1)[np.maximum(ids, 0)] * (ids >= 0)
            cover = softened(softened(weight.astype(np.float32)))
        return np.asarray(behind + cover[..., None] * (encoded(colour) - behind), np.float32)

    def _behind(self, rng: np.random.Generator, kind: Kind, backdrop: int) -> Floats:
        """(size, size, 3) sRGB behind the head: a photograph, its blurred colours, a ramp or one colour."""
        size = self.config.size
        if kind == "composite" and self.backdrops is not None:
            return self.backdrops.picture(backdrop, size)
        style = rng.random()
        if style < 0.3 and self.backdrops is not None:
            small = self.backdrops.picture(int(rng.integers(len(self.backdrops))), 24)
            return _stretched(small[: rng.integers(4, 24), : rng.integers(4, 24)], size)
        if style < 0.7:
            return _stretched(rng.random((2, 2, 3)).astype(np.float32), size)
        if style < 0.8:
            return _stretched(rng.random((rng.integers(3, 12),) * 2 + (3,)).astype(np.float32), size)
        level = rng.random() if rng.random() < 0.7 else rng.random(3)
        return np.broadcast_to(np.asarray(level, np.float32), (size, size, 3))

    def _view(self, placed: list[Placed], lights: list[Floats]) -> View:
        rotation = torch.from_numpy(np.stack([p.rotation for p in placed])).double()
        return View(
            rotation=axis_angle_of(rotation).float(),
            translation=torch.from_numpy(np.stack([p.translation for p in placed])),
            focal=torch.tensor([p.focal for p in placed], dtype=torch.float32),
            light=torch.from_numpy(np.stack(lights)),
            image_size=(self.config.size, self.config.size),
        )


def _gloss(rng: np.random.Generator) -> Gloss | None:
    """None, or a shine that suits skin or a plastic head."""
    if rng.random() > 0.4:
        return None
    way = rng.normal(size=3) * (0.5, 0.5, 0.2) + (0, 0.15, 1)
    return Gloss(
        float(rng.uniform(0.02, 0.25)),
        float(np.exp(rng.uniform(np.log(4), np.log(60)))),
        (way / np.linalg.norm(way)).astype(np.float32),
    )


def _stretched(small: Floats, size: int) -> Floats:
    """A few colours stretched smoothly over (size, size, 3)."""
    image = Image.fromarray((small.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC), np.float32) / np.float32(255)
