"""Strands a code wears: hair of the scalp, beard and moustache, as stills draw them."""

from __future__ import annotations

from facegpt_model.appearance.facial_hair import facial_strands
from facegpt_model.appearance.hair import scalp_strands
from facegpt_model.appearance.head_space import has_scalp
from facegpt_model.appearance.parameters import Appearance
from facegpt_model.appearance.strand import Strands
from facegpt_model.face import FaceCode
from facegpt_model.morphable.base import MorphableModel
from facegpt_model.morphable.textured import TexturedModel


def worn_strands(model: MorphableModel, code: FaceCode) -> tuple[Strands, ...]:
    """Everything hairy on one head, beyond what its skin is painted with."""
    if not isinstance(model, TexturedModel) or not has_scalp(model) or not code.appearance.any():
        return ()
    worn = Appearance.of(code.appearance[0])
    hair = scalp_strands(model, code, worn.hair)
    facial = facial_strands(model, code, worn.facial_hair)
    return (*(() if hair is None else (hair,)), *facial.values())
