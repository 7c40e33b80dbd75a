"""Person-specific agreement: against slow loops, and at the three points everyone knows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegpt_model.evaluation.agreement import (
    REGIONS,
    TruePeople,
    agreement,
    distances,
    regions,
    residual_r2,
)
from facegpt_model.evaluation.surfaces import Array, Similarity, Surface, refine, similarity
from facegpt_model.fitting.closest_points import MeshSearch
from facegpt_model.rendering.cameras import portrait_rotation

PEOPLE = 6
MARKS = np.random.default_rng(9).uniform(-45, 45, (68, 2))


def height(x: Array, y: Array, person: int) -> Array:
    """A bowl with bumps of a person's own, mm."""
    rng = np.random.default_rng(person)
    z = -0.008 * (x**2 + y**2)
    for _ in range(4):
        at, size, wide = rng.uniform(-35, 35, 2), rng.normal(0, 3), rng.uniform(12, 25)
        z = z + size * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / wide**2)
    return np.asarray(z)


def skin(person: int, cells: int, half: float = 60.0) -> Surface:
    """The same person meshed with so many cells a side."""
    line = np.linspace(-half, half, cells + 1)
    x, y = (grid.ravel() for grid in np.meshgrid(line, line))
    corner = np.arange(cells * (cells + 1)).reshape(cells, cells + 1)[:, :-1].ravel()
    one = np.stack([corner, corner + 1, corner + cells + 1], axis=1)
    two = np.stack([corner + 1, corner + cells + 2, corner + cells + 1], axis=1)
    vertices = np.stack([x, y, height(x, y, person)], axis=1)
    marks = np.column_stack([MARKS, height(MARKS[:, 0], MARKS[:, 1], person)])
    return Surface(vertices, np.concatenate([one, two]), marks)


@pytest.fixture(scope="module")
def truth() -> TruePeople:
    people = [skin(person, 30) for person in range(PEOPLE)]
    inner = np.abs(people[0].vertices[:, :2]).max(axis=1) < 46
    return TruePeople(people, inner, places=250)


def test_the_person_itself_in_another_topology_and_place_scores_one(truth: TruePeople) -> None:
    turned = Similarity(1.3, portrait_rotation(20, 10).numpy(), np.array([10.0, -30.0, 900.0]))
    same = [skin(person, 41).moved(turned) for person in range(PEOPLE)]
    found = agreement(truth.fields(same), truth.true_fields)
    assert found.r2 > 0.99 and found.cosine > 0.99 and found.rank1 == 1
    assert found.amplitude == pytest.approx(1, abs=0.03)
    left = distances(truth.residuals(same), truth.region)
    assert left.median < 0.05


def test_one_face_for_everybody_scores_zero(truth: TruePeople) -> None:
    same = [skin(77, 33)] * PEOPLE
    found = agreement(truth.fields(same), truth.true_fields)
    assert found.r2 == pytest.approx(0, abs=1e-12) and found.amplitude == pytest.approx(0, abs=1e-9)
    assert math.isnan(found.cosine) and found.median_rank == (PEOPLE + 1) / 2
    residuals = truth.residuals(same)
    assert residual_r2(residuals, residuals) == 0


def test_other_people_score_below_the_mean_face(truth: TruePeople) -> None:
    others = [skin(person + 100, 33) for person in range(PEOPLE)]
    assert agreement(truth.fields(others), truth.true_fields).r2 < -0.3
    mean = truth.residuals([truth.reference] * PEOPLE)
    assert residual_r2(truth.residuals(others), mean) < 0
    shifted = [*truth.people[1:], truth.people[0]]  # the right faces, given to the wrong people
    wrong = agreement(truth.fields(shifted), truth.true_fields)
    assert wrong.r2 < 0 and wrong.rank1 == 0 and wrong.amplitude == pytest.approx(1)


def test_fields_equal_a_slow_search_of_every_triangle(truth: TruePeople) -> None:
    other = skin(3, 17)
    motion = similarity(other.landmarks, truth.reference.landmarks)
    vertices = motion.apply(other.vertices)
    fast = truth.fields([other])[0]
    for place, field in list(zip(truth.places, fast, strict=True))[::23]:
        gaps = [slow_closest(place, *vertices[t]) - place for t in other.triangles]
        best = min(gaps, key=lambda gap: float(gap @ gap))
        assert np.allclose(best, field, atol=1e-9)


def slow_closest(point: Array, a: Array, b: Array, c: Array) -> Array:
    """The closest place of a triangle over its plane and its three edges."""
    normal = np.cross(b - a, c - a)
    flat = point - normal * ((point - a) @ normal) / (normal @ normal)
    sides = [np.cross(second - first, flat - first) @ normal for first, second in ((a, b), (b, c), (c, a))]
    if min(sides) >= 0:
        return np.asarray(flat)
    ends = []
    for first, second in ((a, b), (b, c), (c, a)):
        share = np.clip((point - first) @ (second - first) / ((second - first) @ (second - first)), 0, 1)
        ends.append(first + share * (second - first))
    return np.asarray(min(ends, key=lambda place: float(np.linalg.norm(place - point))))


def test_figures_equal_slow_loops() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(size=(5, 7, 3))
    predicted = 0.6 * true + rng.normal(size=(5, 7, 3)) + 4.0
    found = agreement(predicted, true)
    mean_p, mean_t = predicted.mean(axis=0), true.mean(axis=0)
    missed = total = own = 0.0
    cosines = np.zeros((5, 5))
    for i in range(5):
        for s in range(7):
            for x in range(3):
                p, t = predicted[i, s, x] - mean_p[s, x], true[i, s, x] - mean_t[s, x]
                missed, total, own = missed + (p - t) ** 2, total + t**2, own + p**2
        for j in range(5):
            p, t = (predicted[i] - mean_p).ravel(), (true[j] - mean_t).ravel()
            cosines[i, j] = sum(p * t) / math.sqrt(sum(p * p) * sum(t * t))
    assert found.r2 == pytest.approx(1 - missed / total, abs=1e-12)
    assert found.amplitude == pytest.approx(math.sqrt(own / total), abs=1e-12)
    assert found.cosine == pytest.approx(np.mean([cosines[i, i] for i in range(5)]), abs=1e-12)
    ranks = [1 + sum(cosines[i, j] > cosines[i, i] for j in range(5)) for i in range(5)]
    assert found.ranks.tolist() == ranks and found.rank1 == ranks.count(1) / 5


def test_closest_points_find_a_small_motion_back() -> None:
    person = skin(2, 40)
    points = skin(2, 25, half=35).vertices
    moved = Similarity(
        1.02, portrait_rotation(2, 1).numpy() @ np.diag([1.0, -1, -1]), np.array([0.5, 0.4, 1])
    )
    surface = person.moved(moved)
    before = np.linalg.norm(
        MeshSearch(surface.vertices, surface.triangles).closest(points).place - points, axis=1
    )
    motion, gap = refine(points, MeshSearch(surface.vertices, surface.triangles))
    after = np.linalg.norm(gap, axis=1)
    assert before.mean() > 0.5 and after.mean() < 0.15 * before.mean()
    back = motion.after(moved)
    assert back.scale == pytest.approx(1, abs=0.02)
    assert np.abs(back.apply(person.landmarks) - person.landmarks).max() < 2.0


def test_distances_are_medians_and_means_over_people() -> None:
    residuals = np.zeros((2, 4, 3))
    residuals[0, :, 0] = (1, 1, 1, 5)
    residuals[1, :, 1] = (3, 3, 3, 3)
    left = distances(residuals, np.array([0, 0, 2, 2]))
    assert left.median == 2 and left.mean == 2.5 and left.std == pytest.approx(math.sqrt(3) / 2)
    assert left.regions == {"forehead": 2.0, "nose": 3.0}


def test_regions_lie_where_their_names_say() -> None:
    from facegpt_model.morphable.base import load

    head = load()
    marks = head.landmarks68(head.mean[None])[0].double().numpy()
    wanted = {30: "nose", 19: "brows", 39: "eyes", 51: "mouth", 8: "chin"}
    named = regions(marks, marks)
    assert {k: REGIONS[named[k]] for k in wanted} == wanted
    above = marks[19:25].mean(axis=0) + np.array([0, 30, 0])
    beside = marks[[3, 31]].mean(axis=0)
    assert [REGIONS[k] for k in regions(np.stack([above, beside]), marks)] == ["forehead", "cheeks"]


def test_sets_that_do_not_fit_are_refused(truth: TruePeople) -> None:
    with pytest.raises(ValueError, match="at least two people"):
        TruePeople([skin(0, 10)], np.ones(121, bool))
    with pytest.raises(ValueError, match="one topology"):
        TruePeople([skin(0, 10), skin(1, 11)], np.ones(121, bool))
    with pytest.raises(ValueError, match="2 surfaces for 6 people"):
        truth.residuals([skin(0, 10)] * 2)
    with pytest.raises(ValueError, match="predicted fields"):
        agreement(np.zeros((2, 3)), np.zeros((3, 3)))
