"""What fits take from the read-outs of a photo: pixels where skin cannot be read, and what to wear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from facegpt_model.face import FaceCode
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.perception.analyse import FaceObservation
from facegpt_model.perception.photos import photo_tensor
from facegpt_model.vlm.frozen import FrozenFeatures
from facegpt_model.wearing.look import Look, look_at
from facegpt_model.wearing.mask import worn_mask
from facegpt_model.wearing.readouts import Worn, load_readouts, of_one_person
from facegpt_model.wearing.sliders import dressed


@dataclass(frozen=True)
class SeenWorn:
    """One photo's largest face: how it was looked at and what that says."""

    look: Look
    worn: Worn
    landmarks478: Tensor
    size: tuple[int, int]

    def mask(self) -> Tensor:
        """(H, W) in 0..1 over the photo: how surely a pixel is hair, glasses or beard."""
        return worn_mask(self.look, self.worn, self.landmarks478, self.size)


def see_worn(photo: Image.Image, face: FaceObservation, seen: FrozenFeatures | None = None) -> SeenWorn:
    """Look at one observed face of a photo; seen: what the frozen nets say of it, where that is known."""
    look = look_at(photo_tensor(photo), face.points478, seen)
    return SeenWorn(look, load_readouts()(look), face.points478, (photo.height, photo.width))


def as_one_person(seen: Sequence[SeenWorn]) -> list[SeenWorn]:
    """Photos of one person, who wears in all of them what they show together."""
    shared = of_one_person([one.worn for one in seen])
    return [replace(one, worn=shared) for one in seen]


@torch.no_grad()
def put_on(model: OpenHead, code: FaceCode, seen: SeenWorn) -> FaceCode:
    """One fitted face, wearing what its photo shows."""
    return dressed(model, code, seen.worn)
