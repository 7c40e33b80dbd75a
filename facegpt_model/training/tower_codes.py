"""Pseudo-codes of portraits, and what the scene head can learn of them in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facegpt_model.data.seen_photos import SeenPhotos
from facegpt_model.face import FaceCode
from facegpt_model.fitting.pseudo_codes import NothingToFit
from facegpt_model.layout import unpack_view
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.lighting import soft_light
from facegpt_model.vlm.tower import FaceTower
from facegpt_model.vlm.tower_scene import NUDGES, SceneHead


@dataclass(frozen=True)
class PhotoCodes:
    """Codes of N portraits, zeros where there is none.

    code: N faces; light: (N, 9, 3); known: (N,) 1 where there is a code, else 0
    """

    code: FaceCode
    light: Tensor
    known: Tensor

    @staticmethod
    def none(head: OpenHead, count: int) -> PhotoCodes:
        """No code for any of N portraits."""
        return PhotoCodes(
            head.mean_code(count), soft_light(1).expand(count, 9, 3).clone(), torch.zeros(count)
        )

    def of(self, index: Tensor) -> FaceCode:
        """The codes of some portraits."""
        code = self.code
        return FaceCode(code.identity[index], code.expression[index], code.albedo[index], code.basis)


def read_codes(file: Path, head: OpenHead, photos: SeenPhotos) -> PhotoCodes:
    """The codes of a file of `facegpt data fit`, by names of files; NothingToFit if none belongs here."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {
                name: stored[name] for name in ("files", "identity", "expression", "albedo", "view", "basis")
            }
    except (OSError, KeyError, ValueError) as error:
        raise NothingToFit(f"{file} is no file of codes: {error}") from error
    if len(arrays["basis"]) and str(arrays["basis"][0]) != head.basis:
        raise NothingToFit(
            f"{file} holds codes of {arrays['basis'][0]}; portraits are drawn with {head.basis}"
        )
    row_of = {Path(str(name)).name: row for row, name in enumerate(arrays["files"])}
    here = [k for k, name in enumerate(photos.names) if name in row_of]
    if not here:
        raise NothingToFit(f"{file} holds no code of these portraits")
    rows = [row_of[photos.names[k]] for k in here]
    codes = PhotoCodes.none(head, len(photos))

    def put(target: Tensor, values: np.ndarray) -> None:
        target[here] = torch.from_numpy(values[rows]).float()

    put(codes.code.identity, arrays["identity"])
    put(codes.code.expression, arrays["expression"])
    put(codes.code.albedo, arrays["albedo"])
    codes.light[here] = unpack_view(torch.from_numpy(arrays["view"][rows]).float(), (1, 1)).light
    codes.known[here] = 1.0
    return codes


@torch.no_grad()
def learn_scene(
    scene: SceneHead, tower: FaceTower, photos: SeenPhotos, codes: PhotoCodes, index: Tensor, strength: float
) -> None:
    """Set the scene's linear reading by ridge from the portraits of the index that have a code.

    Without any, a soft light on mean skin is what every portrait is given.
    """
    known = index[codes.known[index] > 0]
    sizes = [*scene.sizes]
    scene.linear.bias.zero_()
    if len(known) == 0:
        start = sizes[0] + sizes[1]
        scene.linear.bias[start : start + sizes[2]] = soft_light(1).flatten()
        return
    seen = photos.features(known)
    x = tower.vector_scale(tower.vector(seen))
    code = codes.of(known)
    wanted = torch.cat(
        [
            code.expression - scene.expected(seen),
            code.albedo,
            codes.light[known].flatten(1),
            torch.zeros(len(known), NUDGES),
        ],
        dim=1,
    )
    centre, mean = x.mean(0), wanted.mean(0)
    rows = x - centre
    kernel = rows @ rows.T + strength * len(known) * torch.eye(len(known))
    weight = rows.T @ torch.linalg.solve(kernel, wanted - mean)
    scene.linear.weight.copy_(weight.T)
    scene.linear.bias.copy_(mean - centre @ weight)
