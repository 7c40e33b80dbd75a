"""Faces as numbers: what a face looks like, and how it was photographed.

Lengths are millimetres; axes are right-handed: x to the person's left, y up, z out of
the face. Cameras look along +z with x right and y down (OpenCV). Batch comes first.
Knows nothing of renderers, tools or the chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from facegpt_model.skin.detail import SkinDetail


class BasisMismatch(ValueError):
    """A code was given to a morphable model it was not made for."""


@dataclass(frozen=True)
class FaceCode:
    """B faces as coefficients of one morphable model.

    identity:   (B, I) standard deviations of the prior; 0 is the mean face
    expression: (B, E) blend weights, 0 is neutral, 1 a full action
    albedo:     (B, A) standard deviations; decodes to linear RGB in [0, 1]
    basis:      the model these numbers belong to, as "name@version", e.g. "openhead@2"
    joints:     (B, J, 3) axis-angle in radians; J = 0 for purely linear models
    appearance: (B, P) hair, marks and glasses, see appearance/parameters.py; P = 0 for a
                bare head
    detail:     of one photographed person: what the skin shows beyond albedo, else None
    """

    identity: Tensor
    expression: Tensor
    albedo: Tensor
    basis: str
    joints: Tensor = field(default_factory=lambda: torch.zeros(1, 0, 3))
    appearance: Tensor = field(default_factory=lambda: torch.zeros(1, 0))
    detail: SkinDetail | None = None

    def __post_init__(self) -> None:
        count = self.identity.shape[0]
        for name in ("joints", "appearance"):  # an empty part fits any number of faces
            part = getattr(self, name)
            if part.shape[0] != count and part.shape[1] == 0:
                object.__setattr__(self, name, self.identity.new_zeros(count, *part.shape[1:]))
        sizes = {
            t.shape[0] for t in (self.identity, self.expression, self.albedo, self.joints, self.appearance)
        }
        if len(sizes) != 1:
            raise ValueError(f"parts of a face code disagree about the number of faces: {sorted(sizes)}")

    @property
    def batch_size(self) -> int:
        """How many faces this code holds."""
        return int(self.identity.shape[0])

    def neutral(self) -> FaceCode:
        """The same people without expression."""
        return replace(self, expression=torch.zeros_like(self.expression))

    def __getitem__(self, index: int) -> FaceCode:
        """One face as a batch of one."""
        part = slice(index, index + 1) if index >= 0 else slice(index, index + 1 or None)
        return replace(
            self,
            identity=self.identity[part],
            expression=self.expression[part],
            albedo=self.albedo[part],
            joints=self.joints[part],
            appearance=self.appearance[part],
        )


@dataclass(frozen=True)
class View:
    """How B faces were photographed; the pinhole's principal point is the image centre.

    rotation:    (B, 3) axis-angle in radians, head frame to camera frame
    translation: (B, 3) millimetres, camera frame (z forward, so about 600 to 2000)
    focal:       (B,) pixels
    light:       (B, 9, 3) spherical-harmonic radiance of linear RGB, in the camera frame
    image_size:  (height, width) in pixels
    """

    rotation: Tensor
    translation: Tensor
    focal: Tensor
    light: Tensor
    image_size: tuple[int, int]


@dataclass(frozen=True)
class FaceEstimate:
    """A face with where it came from.

    source: "text:<words>", "photo:<sha256 of the file>", "edit:<handle>", "seed:<n>"
    model:  what made it, as "name@version", e.g. "facegpt-smol@1" or "landmark-fit@1"
    spread: (B, D) standard deviations of the first D numbers of the flat code, or None
    spread_mm: standard deviation of the neutral face by part ("eyes", "nose", ..., "whole"), mm, or None
    """

    code: FaceCode
    view: View | None
    source: str
    model: str
    seed: int | None = None
    spread: Tensor | None = None
    spread_mm: Mapping[str, float] | None = None
