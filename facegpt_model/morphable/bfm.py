"""Basel Face Models 2009 (.mat), 2017 and 2019 (.h5), and AlbedoMM's colours for 2017.

2009 holds micrometres and colours 0 to 255, 2017 and 2019 millimetres and colours 0 to 1, all
with y up and z out of the face, colours sRGB. In the .mat the "EV" are already standard
deviations; in the .h5 files `pcaVariance` are variances. AlbedoMM is linear RGB. 2009 has no
expressions; those of the others are principal components without names. Reading needs scipy
(.mat) and h5py (.h5 and .mat 7.3), the optional extra "models".
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegpt_model.morphable.catalogue import BadModel, ModelFiles
from facegpt_model.morphable.landmark_files import read_points
from facegpt_model.morphable.linear_head import HeadData, LinearHead, finished

UM_PER_MM = 1000.0
FULL_BYTE = 255.0
EXTRA = "install FaceGPT's optional extra: pip install 'facegpt[models]'"
MAT_KEYS = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl")
Array = NDArray[np.float32]


def read_bfm(files: ModelFiles) -> LinearHead:
    """The head of a Basel Face Model; BadModel naming what is missing in the file."""
    path = files.found["model"]
    read = _of_mat if path.suffix == ".mat" else _of_h5
    data = read(path, files.entry.basis)
    if "albedo" in files.found:
        data = _with_albedo_mm(data, files.found["albedo"])
    if "landmarks" in files.found:
        data = replace(data, landmarks=read_points(files.found["landmarks"]))
    else:
        wanted = next(row.names[0] for row in files.entry.files if row.what == "landmarks")
        source = " of the GitHub repository anilbas/BFMLandmarks" if wanted == "Landmarks68_BFM.anl" else ""
        data = replace(data, no_landmarks=f"put {wanted}{source} (68 vertex numbers) into {files.folder}")
    return LinearHead(finished(data))


def _of_mat(path: Path, basis: str) -> HeadData:
    """01_MorphableModel.mat: columns of 3 V numbers, triangles from 1."""
    arrays = _mat_arrays(path)
    missing = [key for key in MAT_KEYS if key not in arrays]
    if missing:
        raise BadModel(f"{path} is not the Basel Face Model 2009: it has no {', '.join(missing)}")
    shape, colour = (_components(arrays[f"{n}PC"], arrays[f"{n}EV"]) for n in ("shape", "tex"))
    triangles = arrays["tl"].astype(np.int64) - 1
    mean = _vectors(arrays["shapeMU"]) / UM_PER_MM
    return HeadData(
        basis=basis,
        mean=mean,
        identity=shape / UM_PER_MM,
        expression=np.zeros((0, len(mean), 3), np.float32),
        expression_names=(),
        triangles=triangles,
        part=np.zeros(len(triangles), np.int64),
        part_names=("skin",),
        albedo_mean=_vectors(arrays["texMU"]) / FULL_BYTE,
        albedo=colour / FULL_BYTE,
        srgb=True,
    )


def _of_h5(path: Path, basis: str) -> HeadData:
    """A statismo file: shape, expression and color, each with mean, pcaBasis and pcaVariance."""
    with _h5(path) as stored:
        mean, identity = _model(stored, "shape", path)
        moved, expression = _model(stored, "expression", path)
        colour, albedo = _model(stored, "color", path)
        cells = np.asarray(stored["shape/representer/cells"]).astype(np.int64)
    triangles = cells.T if cells.shape[0] == 3 else cells
    return HeadData(
        basis=basis,
        mean=mean + moved,
        identity=identity,
        expression=expression,
        expression_names=tuple(f"expression_{n:03d}" for n in range(len(expression))),
        triangles=np.ascontiguousarray(triangles),
        part=np.zeros(len(triangles), np.int64),
        part_names=("skin",),
        albedo_mean=colour,
        albedo=albedo,
        srgb=True,
    )


def _with_albedo_mm(data: HeadData, path: Path) -> HeadData:
    """AlbedoMM's diffuse colours in place of the model's own; its specular ones are not used."""
    with _h5(path) as stored:
        mean, components = _model(stored, "diffuseAlbedo", path)
    return replace(data, albedo_mean=mean, albedo=components, srgb=False)


def _model(stored: Any, name: str, path: Path) -> tuple[Array, Array]:
    """(V, 3) mean and (K, V, 3) components of one standard deviation of a statismo model."""
    keys = [f"{name}/model/{key}" for key in ("mean", "pcaBasis", "pcaVariance")]
    missing = [key for key in keys if key not in stored]
    if missing:
        raise BadModel(f"{path} has no {missing[0]}")
    mean, basis, variance = (np.asarray(stored[key]) for key in keys)
    return _vectors(mean), _components(basis, np.sqrt(variance))


def _vectors(column: NDArray[Any]) -> Array:
    return np.asarray(column, np.float32).reshape(-1, 3)


def _components(basis: NDArray[Any], deviations: NDArray[Any]) -> Array:
    """(K, V, 3) of a (3 V, K) basis and K standard deviations."""
    scaled = np.asarray(basis, np.float32) * np.asarray(deviations, np.float32).ravel()
    return np.ascontiguousarray(scaled.T).reshape(scaled.shape[1], -1, 3)


def _mat_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named arrays of a .mat of version 5, or of 7.3, which is HDF5 and holds them transposed."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise BadModel(f"reading {path.name} needs scipy; {EXTRA}") from error
    try:
        return dict(loadmat(path, variable_names=MAT_KEYS))
    except NotImplementedError:  # what scipy raises for version 7.3
        with _h5(path) as stored:
            return {key: np.asarray(stored[key]).T for key in MAT_KEYS if key in stored}
    except (ValueError, TypeError) as error:
        raise BadModel(f"{path} is no MATLAB file: {error}") from error


def _h5(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise BadModel(f"reading {path.name} needs h5py; {EXTRA}") from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise BadModel(f"{path} is no HDF5 file: {error}") from error
