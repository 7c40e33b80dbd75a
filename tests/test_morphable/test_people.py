"""Random people: they vary like scans, stay whole, and are what was drawn."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor

from facegpt_model.morphable.base import load
from facegpt_model.morphable.guard import FURTHEST, LEAST_AREA, LEAST_CLEARANCE
from facegpt_model.morphable.openhead import SAMPLE_LIMIT, OpenHead
from facegpt_model.morphable.people import OLDEST, YOUNGEST, Person, age_of, sample_people
from facegpt_model.semantics.measurements import LIKE_SCANS, SCAN_DEVIATION_MM, measure


@pytest.fixture(scope="module")
def head() -> OpenHead:
    return cast(OpenHead, load())


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shapes(head: OpenHead, identity: Tensor) -> Tensor:
    return head.mean + torch.einsum("bk,kvx->bvx", identity, head.identity_basis)


@pytest.mark.parametrize(
    "draw",
    [
        lambda head: head.sample_identity(400, seeded(0)),
        lambda head: sample_people(head, 400, seeded(0)).code.identity,
    ],
    ids=["sample_identity", "sample_people"],
)
def test_distances_vary_about_as_much_as_in_scans(head: OpenHead, draw: Callable[[OpenHead], Tensor]) -> None:
    found = measure(head.landmarks68(shapes(head, draw(head))))
    ratio = {name: float(found[name].std()) / scan for name, scan in SCAN_DEVIATION_MM.items()}
    assert len(ratio) == 11
    alike = [name for name, share in ratio.items() if LIKE_SCANS[0] <= share <= LIKE_SCANS[1]]
    assert len(alike) >= 9, ratio
    assert {"nose_width", "nose_length", "nose_protrusion"} <= set(alike)


def test_random_faces_fold_unless_they_are_mended(head: OpenHead) -> None:
    raw = torch.randn(120, head.layout.identity, generator=seeded(4)).clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT)
    before, after = head.guard.is_whole(raw), head.guard.whole(raw, SAMPLE_LIMIT)
    assert 0 < before.sum() < 120
    assert torch.equal(after[before], raw[before]), "whole faces stay as they are"
    assert head.guard.is_whole(after).all()
    assert after.abs().max() <= SAMPLE_LIMIT
    moved = (shapes(head, after[~before]) - shapes(head, raw[~before])).norm(dim=2).mean(1)
    assert moved.median() < 2.0, "mending keeps who it is"
    assert (after - raw).norm(dim=1).max() < 1.5 * FURTHEST, "nobody is mended into a stranger"


@pytest.fixture(scope="module")
def sampled(head: OpenHead) -> Tensor:
    """(100, V, 3) faces of both samplers."""
    people = sample_people(head, 50, seeded(6)).code.identity
    return shapes(head, torch.cat([head.sample_identity(50, seeded(5)), people]))


def test_no_triangle_around_eyes_nostrils_and_lips_is_inside_out(head: OpenHead, sampled: Tensor) -> None:
    """The slow way: turn each face's zone onto the mean's, compare the normals of its triangles."""

    def normals(vertices: Tensor, triangles: Tensor) -> Tensor:
        a, b, c = (vertices[triangles[:, i]] for i in range(3))
        return torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)

    for zone in (1, 2, 3):
        triangles = head.triangles[head.guard_zone == zone]
        assert len(triangles) > 400
        ids = triangles.unique()
        mean = head.mean - head.mean[ids].mean(0)
        for face in sampled:
            here = face - face[ids].mean(0)
            u, _, vt = torch.linalg.svd(here[ids].T @ mean[ids])
            straight = here @ (u @ vt)
            agree = (normals(straight, triangles) * normals(mean, triangles)).sum(1)
            assert (agree > 0).all()


def test_teeth_stay_behind_closed_lips_and_eyeballs_behind_lids(head: OpenHead, sampled: Tensor) -> None:
    points = head.landmarks68(head.mean[None])[0, 48:68]
    middle = head.mean[head.triangles].mean(1)
    around = (torch.cdist(middle, points).amin(1) < 16) & (head.part == head.part_names.index("skin"))
    lips = head.triangles[around]
    names = [head.part_names.index(name) for name in ("upper_teeth", "lower_teeth")]
    teeth = head.triangles[torch.isin(head.part, torch.tensor(names))].unique()
    for face in sampled[::4]:
        front = _front_depth(face[lips], face[teeth, :2])
        covered = front > -1e6
        assert covered.sum() > 30
        assert (front - face[teeth, 2])[covered].min() > 1.0
    assert head.guard.clearance(head.sample_identity(50, seeded(5))).min() >= LEAST_CLEARANCE
    assert LEAST_CLEARANCE > -0.5 and LEAST_AREA > 0


def _front_depth(corners: Tensor, places: Tensor) -> Tensor:
    """(n,) largest z of triangles (T, 3, 3) over (n, 2) places, -1e9 where there is none."""

    def cross(one: Tensor, other: Tensor) -> Tensor:
        return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]

    a, b, c = (corners[:, i, :2] for i in range(3))
    p = places[:, None]
    area = cross(b - a, c - a)
    first, second = cross(b - p, c - p) / area, cross(c - p, a - p) / area
    weights = torch.stack([first, second, 1 - first - second], dim=2)
    depth = (weights * corners[None, :, :, 2]).sum(2)
    return torch.where((weights >= 0).all(2), depth, torch.tensor(-1e9)).amax(1)


def test_people_repeat_with_their_seed_and_are_balanced(head: OpenHead) -> None:
    people, again = (sample_people(head, 300, seeded(2)) for _ in range(2))
    assert torch.equal(people.code.identity, again.code.identity)
    assert torch.equal(people.code.albedo, again.code.albedo)
    assert people.code.identity.shape == (300, head.layout.identity)
    assert 0.4 < (people.sex > 0.5).float().mean() < 0.6
    assert people.years.min() >= YOUNGEST and people.years.max() <= OLDEST
    assert (people.years < 30).any() and (people.years > 65).any()
    torch.testing.assert_close(people.origin.sum(1), torch.ones(300))
    assert (people.origin > 0.6).any(0).all()
    assert (people.code.expression == 0).all()


def test_men_and_women_old_and_young_differ_as_people_do(head: OpenHead) -> None:
    people = sample_people(head, 400, seeded(3))
    found = measure(head.landmarks68(head.vertices(people.code)))
    men, women = people.sex > 0.7, people.sex < 0.3
    for name in ("face_width", "face_height", "jaw_width", "nose_width"):
        assert found[name][men].mean() > found[name][women].mean() + 1, name
    beard, folds, melanin = (
        people.code.albedo[:, head.albedo_names.index(name)]
        for name in ("beard shadow", "skin age", "melanin")
    )
    assert beard[women].max() < -2
    assert folds[people.years > 60].mean() > folds[people.years < 30].mean() + 1
    african, caucasian = people.origin[:, 0] > 0.8, people.origin[:, 2] > 0.8
    assert melanin[african].mean() > melanin[caucasian].mean() + 2


def test_macro_shape_of_a_person_is_the_word_direction(head: OpenHead) -> None:
    """Drawn macro shapes and words come from the same targets: old minus average is age-old."""
    from facegpt_model.morphable.people import macro_weights

    def macro(person: Person) -> Tensor:
        weights = torch.tensor([macro_weights(person)[name] for name in head.macro_names])
        return weights @ head.macro_identity

    average, old = Person(age=age_of(43.0)), Person(age=1.0)
    word = head.target_identity[head.target_names.index("age-old")]
    change = torch.einsum("k,kvx->vx", macro(old) - macro(average), head.identity_basis)
    meant = torch.einsum("k,kvx->vx", word, head.identity_basis)
    assert (change - meant).norm(dim=1).mean() < 0.15 * meant.norm(dim=1).mean()


def test_ages_in_years_and_back() -> None:
    assert age_of(25) == pytest.approx(0.5) and age_of(90) == pytest.approx(1.0)
    assert Person(age=age_of(43)).years == pytest.approx(43)
