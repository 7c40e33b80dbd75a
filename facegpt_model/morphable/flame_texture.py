"""FLAME's texture spaces, read at vertices: FLAME_texture.npz, AlbedoMM, and BFM's colours on FLAME.

All three are 512 x 512 pictures laid over the head, as OpenCV writes them: row 0 at v = 1,
blue first. The first has values 0 to 255, the others 0 to 1; AlbedoMM is linear, the others
sRGB. Components are scaled to one standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel
from facegpt_model.morphable.obj_files import read_obj

KEYS = (("mean", "tex_dir"), ("MU", "PC"))
FULL_BYTE = 255.0


@dataclass(frozen=True)
class VertexColours:
    """mean: (V, 3) and components: (A, V, 3) RGB in [0, 1]; srgb: whether they are sRGB-encoded."""

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    srgb: bool


def read_texture(
    path: Path, template: Path | None, triangles: NDArray[np.int64], count: int
) -> VertexColours:
    """The colours of `count` vertices; template: head_template.obj, for files without vt and ft.

    BadModel if the file is none of the three, or nothing says where the picture lies.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = next((pair for pair in KEYS if pair[0] in stored.files), None)
            if names is None:
                raise BadModel(f"{path} is no FLAME texture: it has neither mean nor MU")
            places = _places(stored, path, template, triangles, count)
            mean = _rows(stored[names[0]])
            side = round(float(np.sqrt(len(mean))))
            x = np.clip((places[:, 0] * side).astype(np.int64), 0, side - 1)
            y = np.clip(((1 - places[:, 1]) * side).astype(np.int64), 0, side - 1)
            texel = y * side + x
            components = stored[names[1]].reshape(side * side, 3, -1)[texel].transpose(2, 0, 1)
    except (KeyError, ValueError) as error:
        raise BadModel(f"{path} cannot be read as a FLAME texture: {error}") from error
    full = FULL_BYTE if float(mean.max()) > 2.0 else 1.0
    at_vertices = mean[texel]
    blue_first = at_vertices[:, 0].mean() < at_vertices[:, 2].mean()  # skin reflects more red than blue
    order = [2, 1, 0] if blue_first else [0, 1, 2]
    return VertexColours(
        mean=(at_vertices[:, order] / full).astype(np.float32),
        components=(components[..., order] / full).astype(np.float32),
        srgb=not path.name.startswith("albedoModel"),
    )


def _rows(picture: NDArray[Any]) -> NDArray[Any]:
    """(S * S, 3) of a picture in whatever shape."""
    return picture.reshape(-1, 3)


def _places(
    stored: Any, path: Path, template: Path | None, triangles: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """(V, 2) texture coordinates; a vertex on a seam takes one of its places."""
    if "vt" in stored.files and "ft" in stored.files:
        uv, corners = stored["vt"], stored["ft"].astype(np.int64)
    elif template is not None:
        mesh = read_obj(template)
        uv, corners = mesh.uv, mesh.triangles_uv
    else:
        raise BadModel(f"{path.name} has no texture coordinates; put head_template.obj of DECA beside it")
    if corners.shape != triangles.shape:
        raise BadModel(f"{path.name} was made for {len(corners)} triangles, the model has {len(triangles)}")
    places = np.zeros((count, 2))
    places[triangles.ravel()] = uv[corners.ravel()][:, :2]
    return places
