"""Everything hairy on one head as named meshes: "hair", "moustache", "beard"."""

from __future__ import annotations

import numpy as np

from facegpt_model.appearance import styles
from facegpt_model.appearance.facial_hair import facial_strands
from facegpt_model.appearance.hair import scalp_strands
from facegpt_model.appearance.head_space import head_space
from facegpt_model.appearance.parameters import Appearance, Hair
from facegpt_model.appearance.strips import strip_mesh
from facegpt_model.face import FaceCode
from facegpt_model.mesh import NamedMesh
from facegpt_model.morphable.textured import TexturedModel

STRIP_MM = 13.0  # width of a strip of the scalp's hair at its root
CURL_MM = 9.0
FACIAL_MM = 7.0


def hair_meshes(model: TexturedModel, code: FaceCode, worn: Appearance) -> tuple[NamedMesh, ...]:
    """Meshes of the hair one face wears, under 34,000 triangles in all; none for a bare head."""
    neutral = code.neutral()
    found = []
    hair = scalp_strands(model, neutral, worn.hair)
    if hair is not None:
        curls = worn.hair.wave > 0.5
        segments = 4 if worn.hair.length < 0.2 else (18 if curls else 7)
        cap = _cap(model, worn.hair)
        found.append(strip_mesh(model, code, "hair", hair, CURL_MM if curls else STRIP_MM, segments, cap))
    for name, strands in facial_strands(model, neutral, worn.facial_hair).items():
        found.append(strip_mesh(model, code, name, strands, FACIAL_MM, 4))
    return tuple(found)


def _cap(model: TexturedModel, hair: Hair) -> np.ndarray:
    """(V,) the vertices of the scalp that hair covers."""
    space = head_space(model)
    names = list(model.region_names)
    painted = model.region_weights[:, names.index("scalp")].numpy() > 0.6
    return painted & (styles.kept(hair, space.mean) > 0.6)
