"""Vectors to search by: a face and its parts, scaled so that distance is Mahalanobis distance.

Identity and albedo numbers are standard deviations of the head model's prior already, so
they count as they are. Appearance numbers (hair, beard, glasses) have no prior; their range
is taken as about two standard deviations. Expression hardly counts, as it is not who
somebody looks like. All scales are powers of two: scaling loses no bit, so the vector in the
store *is* the code, and the code comes back bit for bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.face import FaceCode
from facegpt_model.layout import CodeLayout
from facegpt_model.morphable.base import MorphableModel
from tools.store.regions import REGIONS, SHAPE_PARTS, Regions, find_regions, without_motion

Array = NDArray[np.float32]

FORMAT = 1  # of calibration; raise it whenever a vector of the same code changes
APPEARANCE_SCALE = 2.0
EXPRESSION_SCALE = 2.0**-10  # a full smile counts like 0.001 standard deviations: nothing
JOINTS_SCALE = 2.0**-10
KEPT_SHAPE = 0.9  # share of a part's variance its vector holds
MOST_NUMBERS = 16  # of a part's vector
NOT_SKIN = ("hair", "brow", "lash", "beard", "iris")  # albedo components that colour something else


@dataclass(frozen=True)
class PartSpace:
    """One part's vector: a linear map of the flat code whose result has unit variance.

    rows: (k, D) of the flat code to k standard deviations
    mm:   (k,) how far, root mean square over the part's skin, one standard deviation moves it; 0 for skin
    """

    rows: Array
    mm: Array

    @property
    def size(self) -> int:
        """Length of the vector."""
        return len(self.rows)


@dataclass(frozen=True)
class Calibration:
    """How the faces of one head model become vectors.

    version: names these vectors; vectors of another version are not comparable
    scale:   (D,) float32 powers of two; vector = flat code * scale
    counted: (C,) columns that make the distance of whole faces
    parts:   part -> its space
    typical: distance of two random people, from the prior: sqrt(2 C) roughly
    """

    layout: CodeLayout
    version: str
    scale: Array
    counted: NDArray[np.int64]
    parts: dict[str, PartSpace]
    regions: Regions

    @property
    def dimension(self) -> int:
        """Length of a face's vector."""
        return self.layout.code_size

    def vectors(self, code: FaceCode) -> Array:
        """(B, D) vectors of whole faces."""
        flat = self.layout.pack(code).detach().float().numpy()
        return np.ascontiguousarray(flat * self.scale)

    def code(self, vectors: Array) -> FaceCode:
        """The faces of (B, D) vectors, bit for bit what was put in."""
        return self.unscaled(vectors, self.scale)

    def unscaled(self, vectors: Array, scale: Array) -> FaceCode:
        """As `code`, of vectors with other (D,) scales."""
        flat = np.asarray(vectors, np.float32) / scale
        return self.layout.unpack(torch.from_numpy(np.ascontiguousarray(flat)))

    def part_vectors(self, vectors: Array, part: str) -> Array:
        """(B, k) one part of (B, D) vectors."""
        rows = self.parts[part].rows / self.scale
        return np.ascontiguousarray(vectors @ rows.T.astype(np.float32))

    def part_mm(self, first: Array, second: Array, part: str) -> Array:
        """(B,) mm root mean square between one part of (B, D) vectors, after alignment; 0 for skin."""
        difference = self.part_vectors(second, part) - self.part_vectors(first, part)
        return np.sqrt(np.square(difference * self.parts[part].mm).sum(1))

    @property
    def scales(self) -> str:
        """The scales in words, so that vectors of an older calibration can be turned back into codes."""
        runs = [f"{count}*{value!r}" for value, count in _runs(self.scale)]
        return " ".join(runs)

    @property
    def typical(self) -> float:
        """Distance between two random people if every counted number varied by one standard deviation."""
        return float(np.sqrt(2 * len(self.counted)))


def scale_of(words: str) -> Array:
    """The (D,) scales that Calibration.scales told; ValueError if they cannot be read."""
    runs = [run.split("*") for run in words.split()]
    return np.concatenate([np.full(int(count), float(value), np.float32) for count, value in runs])


def _runs(numbers: Array) -> list[tuple[float, int]]:
    edges = np.flatnonzero(np.diff(numbers)) + 1
    return [(float(run[0]), len(run)) for run in np.split(numbers, edges)]


def calibrate(model: MorphableModel) -> Calibration:
    """The vectors of a head model, made once per model and process, in about 0.1 s."""
    if model not in _MADE:
        _MADE[model] = _calibrate(model)
    return _MADE[model]


_MADE: WeakKeyDictionary[object, Calibration] = WeakKeyDictionary()


def _calibrate(model: MorphableModel) -> Calibration:
    layout = model.layout
    regions = find_regions(model)
    scale = np.concatenate(
        [
            np.ones(layout.identity),
            np.full(layout.expression, EXPRESSION_SCALE),
            np.full(3 * layout.joints, JOINTS_SCALE),
            np.ones(layout.albedo),
            np.full(layout.appearance, APPEARANCE_SCALE),
        ]
    ).astype(np.float32)
    counted = np.flatnonzero(scale >= 1.0)
    parts = {part: _shape_space(layout, regions, part) for part in SHAPE_PARTS}
    parts["skin"] = _skin_space(layout, getattr(model, "albedo_names", ()))
    return Calibration(layout, _version(layout, regions, scale), scale, counted, parts, regions)


def _shape_space(layout: CodeLayout, regions: Regions, part: str) -> PartSpace:
    """Principal components of the aligned part under the prior: its right singular vectors.

    With identity ~ N(0, 1) the part's displacement is basis @ identity, so projecting
    identity on the singular vectors gives whitened principal components without any sample.
    """
    ids = regions.vertices[part]
    fields = without_motion(regions.mean[ids], regions.basis[:, ids])
    _, strength, directions = torch.linalg.svd(fields.flatten(1).T.double(), full_matrices=False)
    share = strength.square().cumsum(0) / strength.square().sum()
    kept = min(MOST_NUMBERS, int((share < KEPT_SHAPE).sum()) + 1)
    rows = torch.zeros(kept, layout.code_size, dtype=torch.float64)
    rows[:, : layout.identity] = directions[:kept]
    largest = rows.abs().argmax(1, keepdim=True)
    rows *= rows.gather(1, largest).sign()  # singular vectors have no sign of their own
    return PartSpace(rows.float().numpy(), (strength[:kept] / len(ids) ** 0.5).float().numpy())


def _skin_space(layout: CodeLayout, names: tuple[str, ...]) -> PartSpace:
    """The albedo numbers that colour skin; all of them when the head model does not name them."""
    start = layout.identity + layout.expression + 3 * layout.joints
    chosen = [
        index
        for index in range(layout.albedo)
        if not names or not any(word in names[index] for word in NOT_SKIN)
    ]
    rows = np.zeros((len(chosen), layout.code_size), np.float32)
    rows[np.arange(len(chosen)), [start + index for index in chosen]] = 1.0
    return PartSpace(rows, np.zeros(len(chosen), np.float32))


def _version(layout: CodeLayout, regions: Regions, scale: Array) -> str:
    """Changes with the head model's geometry and with the rules above."""
    digest = hashlib.sha256()
    digest.update(repr((FORMAT, KEPT_SHAPE, MOST_NUMBERS, REGIONS, layout)).encode())
    digest.update(scale.tobytes())
    digest.update(regions.basis[:, regions.vertices["face"]].numpy().round(3).tobytes())
    return f"{FORMAT}-{digest.hexdigest()[:12]}"
