"""Places on a face in shares of its own size, as words give them: "on the left cheek"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.appearance.relief import NOTHING, relief
from facegpt_model.morphable.base import MorphableModel

Floats = NDArray[np.float64]
HAIRLINE_SHARE = 0.8  # the hairline lies this share of the nose's height (brows to base) above the brows


@dataclass(frozen=True)
class Spot:
    """A point of the skin and its outward unit normal, (3,) each, mm in the head frame."""

    point: Floats
    normal: Floats


def place(model: MorphableModel, vertices: NDArray[np.floating], across: float, up: float) -> Spot:
    """The spot at shares of a neutral face, vertices (V, 3) mm.

    across: -1 and 1 are the outer corners of the person's right and left eye, so positive is
    image right; up: -1 the chin's tip, 0 the tip of the nose, 1 the hairline.
    """
    head = np.asarray(vertices, np.float64)
    points = model.landmarks68(torch.from_numpy(head)[None].float())[0].double().numpy()
    middle = float(points[[27, 30, 51, 8], 0].mean())
    corner = float(points[45 if across > 0 else 36, 0])
    x = middle + abs(across) * (corner - middle)
    brows, base = float(points[17:27, 1].mean()), float(points[33, 1])
    hairline = brows + HAIRLINE_SHARE * (brows - base)
    nose, chin = float(points[30, 1]), float(points[8, 1])
    y = nose + up * (hairline - nose) if up > 0 else nose - up * (chin - nose)
    front = relief(head, model.triangles.numpy().astype(np.int64), "front")
    triangle = front.triangle_at(x, y)
    z = float(front.at(x, y))
    if triangle < 0 or z <= NOTHING:  # beside a very narrow face: its nearest vertex in front
        near = head[int(np.argmin(np.hypot(head[:, 0] - x, head[:, 1] - y) - 0.02 * head[:, 2]))]
        return Spot(near, np.array([0.0, 0.0, 1.0]))
    a, b, c = head[model.triangles.numpy()[triangle]]
    normal = np.cross(b - a, c - a)
    return Spot(np.array([x, y, z]), normal / np.linalg.norm(normal))
