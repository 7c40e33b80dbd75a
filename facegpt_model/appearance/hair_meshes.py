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

FACIAL_MM, FACIAL_HAIRS = 6.0, 9


def hair_meshes(model: TexturedModel, code: FaceCode, worn: Appearance) -> tuple[NamedMesh, ...]:
    """Meshes of the hair one face wears, under 34,000 triangles in all; none for a bare head."""
    neutral = code.neutral()
    found = []
    hair = scalp_strands(model, neutral, worn.hair)
    if hair is not None:
        width, segments, hairs = _strip(worn.hair)
        found.append(strip_mesh(model, code, "hair", hair, width, segments, hairs, _cap(model, worn.hair)))
    for name, strands in facial_strands(model, neutral, worn.facial_hair).items():
        found.append(strip_mesh(model, code, name, strands, FACIAL_MM, 3, FACIAL_HAIRS))
    return tuple(found)


def _strip(hair: Hair) -> tuple[float, int, int]:
    """Width in mm, segments and painted hairs of a strip of the scalp's hair."""
    if hair.wave > 0.5:
        return (10.0, 30, 26) if styles.curled(hair) < 0.5 else (9.0, 12, 22)
    if hair.length < 0.2:
        return 8.0, 3, 10
    return (10.0, 4, 18) if hair.length < 0.34 else (13.0, 7, 46)


def _cap(model: TexturedModel, hair: Hair) -> np.ndarray:
    """(V,) the vertices of the scalp that hair covers."""
    space = head_space(model)
    names = list(model.region_names)
    painted = model.region_weights[:, names.index("scalp")].numpy() > 0.6
    return painted & (styles.kept(hair, space.mean) > 0.6)
