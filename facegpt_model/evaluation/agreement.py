"""Whose face is it? Person-specific agreement of predicted and true surfaces, of any topology.

Most of the distance between two faces is common to all faces, so millimetres alone cannot
tell a person from the mean. Here every surface, predicted or true, is brought to one
reference (the mean of the true people) by a similarity on landmarks; its field is the way
from fixed places of the reference's face to the closest place of the surface. The mean
field of the set is removed, from predictions and truths alike, and what is left is the person:

    R²        1 - sum |predicted - true|² / sum |true|²; predicting one face for all gives 0
    cosine    mean over people of the angle's cosine between the two fields
    amplitude root of sum |predicted|² / sum |true|²: 1 is as different from each other as the truth
    rank      place of the right person when the N truths are ordered by cosine, 1 is best

The places lie evenly over the face by area. Beside it stand distances after rigid and scale
alignment by closest points, as scan benchmarks measure, and the same R² of what is left then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from facegpt_model.evaluation.surfaces import Array, Ids, Surface, refine, similarity
from facegpt_model.fitting.closest_points import MeshSearch

PLACES = 1200
NEAR_MM = 16.0  # from a landmark of brows, eyes, nose or mouth: that region
REGIONS = ("forehead", "brows", "nose", "eyes", "mouth", "cheeks", "chin")
GROUPS = {"brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48), "mouth": slice(48, 68)}
ROUNDS = 3  # of finding the mean shape that all are aligned to


class TruePeople:
    """N true surfaces of one topology, the places at which they are measured, and their fields.

    people: the surfaces; face: (V,) bool, vertices of the face proper, which triangles must lie in.
    Raises ValueError for fewer than two people, or people of several topologies.
    """

    def __init__(self, people: Sequence[Surface], face: NDArray[np.bool_], places: int = PLACES) -> None:
        if len(people) < 2:
            raise ValueError("agreement needs at least two people: the mean of the set is removed")
        if any(not np.array_equal(p.triangles, people[0].triangles) for p in people):
            raise ValueError("the true people must share one topology")
        self.people = list(people)
        mean = _mean_surface(self.people)
        chosen = mean.triangles[face[mean.triangles].all(axis=1)]
        self._corners, self._weights = _even_places(mean.vertices, chosen, places)
        self.reference = mean
        self.places = self._at(mean.vertices)
        self.region = regions(self.places, mean.landmarks)

    def fields(
        self, surfaces: Sequence[Surface], on_one: Callable[[float], None] = lambda share: None
    ) -> Array:
        """(N, S, 3) mm from each place of the reference to each surface, brought there by its landmarks."""
        rows = []
        for index, surface in enumerate(surfaces):
            motion = similarity(surface.landmarks, self.reference.landmarks)
            search = MeshSearch(motion.apply(surface.vertices), surface.triangles)
            rows.append(search.closest(self.places).place - self.places)
            on_one((index + 1) / len(surfaces))
        return np.stack(rows)

    @cached_property
    def true_fields(self) -> Array:
        """(N, S, 3) mm, by closest places too, so that a perfect prediction scores 1."""
        return self.fields(self.people)

    def residuals(
        self, surfaces: Sequence[Surface], on_one: Callable[[float], None] = lambda share: None
    ) -> Array:
        """(N, S, 3) mm from each true person's own places to the surface predicted for them.

        Aligned by landmarks, then by closest points, with scale.
        """
        if len(surfaces) != len(self.people):
            raise ValueError(f"{len(surfaces)} surfaces for {len(self.people)} people")
        rows = []
        for index, (surface, person) in enumerate(zip(surfaces, self.people, strict=True)):
            placed = surface.moved(similarity(surface.landmarks, person.landmarks))
            points = self._at(person.vertices)
            rows.append(refine(points, MeshSearch(placed.vertices, placed.triangles))[1])
            on_one((index + 1) / len(surfaces))
        return np.stack(rows)

    def _at(self, vertices: Array) -> Array:
        return np.asarray(np.einsum("skx,sk->sx", vertices[self._corners], self._weights))


@dataclass(frozen=True)
class Agreement:
    """Person-specific agreement of N predictions; NaN where a prediction does not vary at all.

    ranks: (N,) place of the right person, ties counted half
    """

    r2: float
    cosine: float
    amplitude: float
    ranks: Array

    @property
    def rank1(self) -> float:
        """Share of the people found first."""
        return float((self.ranks <= 1).mean())

    @property
    def median_rank(self) -> float:
        """Median place of the right person; (N + 1) / 2 by chance."""
        return float(np.median(self.ranks))


def agreement(predicted: Array, true: Array) -> Agreement:
    """How much of the person (N, S, 3) predicted fields share with true ones; also for (N, K) codes."""
    if predicted.shape != true.shape:
        raise ValueError(f"predicted fields are {predicted.shape}, true ones {true.shape}")
    own, wanted = _without_mean(predicted), _without_mean(true)
    size, true_size = np.linalg.norm(own, axis=1), np.linalg.norm(wanted, axis=1)
    varies = bool(size.max() > 1e-9)
    cosines = (own @ wanted.T) / np.maximum(np.outer(size, true_size), 1e-12)
    right = np.diag(cosines)[:, None]
    others = ~np.eye(len(own), dtype=bool)
    better = ((cosines > right + 1e-12) & others).sum(axis=1)
    equal = ((np.abs(cosines - right) <= 1e-12) & others).sum(axis=1)
    return Agreement(
        r2=float(1 - ((own - wanted) ** 2).sum() / max((wanted**2).sum(), 1e-12)),
        cosine=float(np.diag(cosines).mean()) if varies else float("nan"),
        amplitude=float(np.sqrt((own**2).sum() / max((wanted**2).sum(), 1e-12))),
        ranks=np.asarray(1.0 + better + equal / 2),
    )


def residual_r2(residuals: Array, of_mean: Array) -> float:
    """Share of the person that a prediction explains after closest-point alignment.

    1 - sum |residual - its mean over the set|² / the same of the mean face, (N, S, 3) each.
    """
    left, before = _without_mean(residuals), _without_mean(of_mean)
    return float(1 - (left**2).sum() / max((before**2).sum(), 1e-12))


@dataclass(frozen=True)
class Distances:
    """Means over people, mm, of what remains after alignment by closest points."""

    median: float
    mean: float
    std: float
    regions: dict[str, float]


def distances(residuals: Array, region: Ids) -> Distances:
    """Distances of (N, S, 3) residuals; region: (S,) index into REGIONS."""
    length = np.linalg.norm(residuals, axis=2)
    by_region = {
        name: float(length[:, region == index].mean())
        for index, name in enumerate(REGIONS)
        if (region == index).any()
    }
    return Distances(
        float(np.median(length, axis=1).mean()),
        float(length.mean()),
        float(length.std(axis=1).mean()),
        by_region,
    )


def regions(places: Array, landmarks: Array) -> Ids:
    """(S,) index into REGIONS of (S, 3) places of a face with these (68, 3) landmarks."""
    gap = torch.cdist(torch.from_numpy(places), torch.from_numpy(landmarks)).numpy()
    by_group = np.stack([gap[:, part].min(axis=1) for part in GROUPS.values()], axis=1)
    names = [REGIONS.index(name) for name in GROUPS]
    nearest = np.array(names)[by_group.argmin(axis=1)]
    brows, mouth = landmarks[GROUPS["brows"], 1].mean(), landmarks[GROUPS["mouth"], 1].mean()
    rest = np.where(places[:, 1] > brows, REGIONS.index("forehead"), REGIONS.index("cheeks"))
    corners = np.sort(landmarks[[48, 54], 0])
    below = (
        (places[:, 1] < mouth)
        & (places[:, 0] > corners[0] - NEAR_MM / 2)
        & (places[:, 0] < corners[1] + NEAR_MM / 2)
    )
    rest = np.where(below, REGIONS.index("chin"), rest)
    return np.where(by_group.min(axis=1) < NEAR_MM, nearest, rest).astype(np.int64)


def _without_mean(fields: Array) -> Array:
    flat = np.asarray(fields, np.float64).reshape(len(fields), -1)
    return np.asarray(flat - flat.mean(axis=0))


def _mean_surface(people: list[Surface]) -> Surface:
    """The mean of all, each brought by its landmarks to the mean of them, of the mean size."""
    marks = people[0].landmarks
    size = np.mean([np.linalg.norm(p.landmarks - p.landmarks.mean(axis=0)) for p in people])
    for _ in range(ROUNDS):
        marks = np.mean([p.moved(similarity(p.landmarks, marks)).landmarks for p in people], axis=0)
        centre = marks.mean(axis=0)
        marks = centre + (marks - centre) * size / np.linalg.norm(marks - centre)
    moved = [p.moved(similarity(p.landmarks, marks)) for p in people]
    return Surface(np.mean([p.vertices for p in moved], axis=0), people[0].triangles, marks)


def _even_places(vertices: Array, triangles: Ids, count: int) -> tuple[Ids, Array]:
    """(S, 3) vertex ids and (S, 3) weights of places spread over triangles by area; the same each time."""
    if not len(triangles):
        raise ValueError("the face has no triangles to measure at")
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    rng = np.random.default_rng(0)
    steps = (np.arange(count) + rng.random(count)) / count
    chosen = np.searchsorted(np.cumsum(area) / area.sum(), steps).clip(max=len(triangles) - 1)
    one, two = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - one, one * (1 - two), one * two], axis=1)
    return triangles[chosen], weights
