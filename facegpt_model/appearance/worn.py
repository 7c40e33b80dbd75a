"""What a face wears, as meshes: from the numbers of its appearance to things that fit this head.

Files get everything here. Stills draw hair as strands (on_head.py) in place of its meshes.
"""

from __future__ import annotations

import numpy as np
import torch

from facegpt_model.appearance.glasses import WORN_FROM, glasses_of
from facegpt_model.appearance.hair_meshes import hair_meshes
from facegpt_model.appearance.head_space import has_scalp
from facegpt_model.appearance.parameters import Appearance
from facegpt_model.appearance.seat import seat_of
from facegpt_model.face import FaceCode
from facegpt_model.mesh import NamedMesh
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.morphable.textured import TexturedModel


def worn_meshes(model: MorphableModel, code: FaceCode) -> tuple[NamedMesh, ...]:
    """Everything one face wears; nothing for a code without appearance. Names are unique.

    Hair needs a model that paints a scalp. Raises ValueError unless the code holds exactly
    one face.
    """
    glasses = worn_glasses(model, code)
    if isinstance(model, TexturedModel) and has_scalp(model):
        return (*hair_meshes(model, code, Appearance.of(code.appearance[0])), *glasses)
    return glasses


def worn_glasses(model: MorphableModel, code: FaceCode) -> tuple[NamedMesh, ...]:
    """The glasses of one face, frame and lenses, or nothing; errors as worn_meshes."""
    if code.batch_size != 1:
        raise ValueError(
            f"things are worn by one face, but the code holds {code.batch_size}; take code[index]"
        )
    worn = Appearance.of(code.appearance[0]).glasses
    if worn.worn < WORN_FROM:
        return ()
    with torch.no_grad():
        vertices = model.vertices(code.neutral()).float()
        points = model.landmarks68(vertices)[0].double().numpy()
    triangles = model.triangles.numpy().astype(np.int64)
    return glasses_of(worn, seat_of(vertices[0].double().numpy(), triangles, points))
