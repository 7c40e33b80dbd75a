"""Hair and beards: they sit on any head, follow its face, keep to their budget and take its colours."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facegpt_model.appearance import hair as hair_room
from facegpt_model.appearance.facial_hair import facial_strands
from facegpt_model.appearance.hair import scalp_strands
from facegpt_model.appearance.head_space import CELL_MM, head_space, trilinear
from facegpt_model.appearance.on_head import worn_strands
from facegpt_model.appearance.parameters import Appearance, FacialHair, Hair
from facegpt_model.appearance.strands import locks_of
from facegpt_model.appearance.worn import worn_meshes
from facegpt_model.face import FaceCode
from facegpt_model.mesh import NamedMesh
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.rendering.topology import vertex_normals

STYLES = {
    "crew": Hair(length=0.15),
    "side": Hair(length=0.3, parting=0.6, sides=0.5),
    "long": Hair(length=1.0, parting=-0.3),
    "curly": Hair(length=0.7, wave=0.75),
    "afro": Hair(length=0.5, wave=1.0),
    "tied": Hair(length=0.8, tied=1.0),
}
FULL_BEARD = FacialHair(moustache=1, beard=1, length=0.4)


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load()
    assert isinstance(model, OpenHead)
    return model


def person(head: OpenHead, seed: int, **worn: float) -> FaceCode:
    generator = torch.Generator().manual_seed(seed)
    code = head.mean_code()
    named = {name.replace("_", " "): number for name, number in worn.items()}
    return replace(
        code,
        identity=head.sample_identity(1, generator),
        appearance=Appearance.from_named(named).row() if named else code.appearance,
    )


def acting(head: OpenHead, code: FaceCode, **weights: float) -> FaceCode:
    expression = code.expression.clone()
    for name, weight in weights.items():
        expression[0, head.expression_names.index(name)] = weight
    return replace(code, expression=expression)


def below_skin(head: OpenHead, code: FaceCode, points: np.ndarray) -> np.ndarray:
    """(N,) mm below the plane of the nearest vertex of the skin, 0 outside."""
    space = head_space(head)
    with torch.no_grad():
        vertices = head.vertices(code).float()
        normals = vertex_normals(vertices, torch.from_numpy(space.triangles))[0].numpy()
    used = np.unique(space.triangles)
    place, normal = vertices[0].numpy()[used], normals[used]
    nearest = ((place**2).sum(axis=1) - 2 * points @ place.T).argmin(axis=1)
    return np.maximum(-((points - place[nearest]) * normal[nearest]).sum(axis=1), 0)


@pytest.mark.parametrize("name", STYLES)
def test_strands_stay_out_of_the_head(head: OpenHead, name: str) -> None:
    code = person(head, 3)
    strands = scalp_strands(head, code, STYLES[name])
    assert strands is not None and len(strands) > 3000
    some = strands.points[::150, 1:].reshape(-1, 3)
    some = some[some[:, 1] > -110]  # below, hair hangs beside the cut of the bust
    deep = below_skin(head, code, some)
    assert np.percentile(deep, 99) < 4.0 and (deep > 2.0).mean() < 0.03


def test_roots_lie_on_the_skin_of_anyone_and_move_with_it(head: OpenHead) -> None:
    still = person(head, 1)
    moved = acting(head, still, jawOpen=1.0, browInnerUp=1.0, mouthSmileLeft=1.0)
    space = head_space(head)
    for code in (still, moved):
        vertices = head.vertices(code)[0].numpy()
        found = [scalp_strands(head, code, STYLES["side"]), *facial_strands(head, code, FULL_BEARD).values()]
        for strands in found:
            assert strands is not None
            corners = vertices[space.triangles[strands.triangle]]
            roots = (corners * strands.weights[..., None]).sum(axis=1)
            assert np.abs(strands.points[:, 0] - roots).max() < 0.05


def test_a_beard_follows_the_jaw_and_the_hair_does_not(head: OpenHead) -> None:
    still = person(head, 4)
    opened = acting(head, still, jawOpen=1.0)
    before, after = (facial_strands(head, code, FULL_BEARD)["beard"].points for code in (still, opened))
    assert (after - before)[..., 1].min() < -10
    assert np.allclose((after - before)[:, 0], (after - before)[:, -1], atol=0.01)
    hair = [scalp_strands(head, code, STYLES["long"]) for code in (still, opened)]
    assert hair[0] is not None and hair[1] is not None
    assert np.abs(hair[1].points - hair[0].points).max() < 2.0


def test_nothing_is_worn_when_all_numbers_are_zero_or_the_head_is_bald(head: OpenHead) -> None:
    bare = person(head, 5)
    assert worn_strands(head, bare) == () and worn_meshes(head, bare) == ()
    zeros = replace(bare, appearance=Appearance.from_named({}).row())
    assert worn_strands(head, zeros) == () and worn_meshes(head, zeros) == ()
    albedo = bare.albedo.clone()
    albedo[0, head.albedo_names.index("scalp hair coverage")] = -3.0
    assert scalp_strands(head, replace(bare, albedo=albedo), STYLES["long"]) is None


@pytest.mark.parametrize("wave", [0.0, 0.75, 1.0])
def test_everything_hairy_keeps_to_its_budget(head: OpenHead, wave: float) -> None:
    code = person(
        head,
        6,
        hair_length=0.8,
        hair_wave=wave,
        facial_hair_beard=1,
        facial_hair_moustache=1,
        facial_hair_length=0.5,
    )
    meshes = worn_meshes(head, code)
    assert [mesh.name for mesh in meshes] == ["hair", "moustache", "beard"]
    assert sum(len(mesh.triangles) for mesh in meshes) < 36_000
    assert all(mesh.alpha == "MASK" and mesh.image is not None for mesh in meshes)


def test_strips_of_a_beard_open_with_the_mouth_as_its_strands_do(head: OpenHead) -> None:
    still = person(head, 7, facial_hair_beard=1, facial_hair_length=0.3)
    beard = _named(worn_meshes(head, still), "beard")
    strands = facial_strands(head, still, FacialHair(beard=1, length=0.3))["beard"]
    opened = facial_strands(head, acting(head, still, jawOpen=1.0), FacialHair(beard=1, length=0.3))["beard"]
    middles = np.unique(strands.lock)
    expected = (opened.points - strands.points)[middles, 0]
    got = beard.morph_targets["jawOpen"].reshape(len(middles), -1, 3)[:, 0]
    assert np.abs(got - expected).max() < 0.05
    assert np.allclose(
        beard.posed({"jawOpen": 1.0}) - beard.vertices, beard.morph_targets["jawOpen"], atol=1e-3
    )


def test_the_same_code_gives_the_same_hair(head: OpenHead) -> None:
    code = person(head, 8)
    first, second = (scalp_strands(head, code, STYLES["curly"]) for _ in range(2))
    assert first is not None and second is not None
    assert np.array_equal(first.points, second.points) and np.array_equal(first.colour, second.colour)


def test_colour_follows_the_albedo(head: OpenHead) -> None:
    def mean_colour(**albedo: float) -> np.ndarray:
        code = person(head, 9)
        z = code.albedo.clone()
        for name, value in albedo.items():
            z[0, head.albedo_names.index(name.replace("_", " "))] = value
        strands = scalp_strands(head, replace(code, albedo=z), STYLES["side"])
        assert strands is not None
        return strands.colour.mean(axis=0)

    black, brown, blond = (mean_colour(hair_lightness=v) for v in (-2.0, 0.0, 2.5))
    assert (black < brown).all() and (brown < blond).all()
    red, grey = mean_colour(hair_redness=2.5, hair_lightness=0.8), mean_colour(hair_grey=2.5)
    assert red[0] / red[2] > 1.25 * brown[0] / brown[2]
    assert np.ptp(grey) / grey.mean() < 0.5 * np.ptp(brown) / brown.mean()


def test_longer_means_longer_and_receding_bares_the_temples(head: OpenHead) -> None:
    code = person(head, 10)

    def lowest(length: float) -> float:
        strands = scalp_strands(head, code, Hair(length=length))
        assert strands is not None
        return float(np.percentile(strands.points[:, -1, 1], 10))

    assert lowest(0.3) > lowest(0.6) + 20 > lowest(1.0) + 60
    full = scalp_strands(head, code, Hair(length=0.2))
    thin = scalp_strands(head, code, Hair(length=0.2, receding=0.7))
    assert full is not None and thin is not None

    def temples(points: np.ndarray) -> int:
        root = points[:, 0]
        return int(((np.abs(root[:, 0]) > 30) & (root[:, 1] > 80) & (root[:, 2] > -45)).sum())

    assert temples(thin.points) < 0.2 * temples(full.points)


def test_several_faces_are_refused(head: OpenHead) -> None:
    with pytest.raises(ValueError, match=r"one face.*holds 2"):
        worn_meshes(head, head.mean_code(2))


def test_the_distance_field_knows_inside_from_outside(head: OpenHead) -> None:
    space = head_space(head)
    places = space.mean[space.triangles[::50, 0]]
    away = space.normals[space.triangles[::50, 0]]
    for step in (-4.0, 4.0, 10.0):
        found = trilinear(space.distance, space.low, CELL_MM, (places + step * away).astype(np.float32))[:, 0]
        assert abs(np.median(found) - step) < 1.0


def _named(meshes: tuple[NamedMesh, ...], name: str) -> NamedMesh:
    return next(mesh for mesh in meshes if mesh.name == name)


def test_a_remembered_haircut_is_the_one_that_would_grow_again(head: OpenHead) -> None:
    model = head
    code = replace(model.mean_code(), appearance=Appearance(Hair(length=0.3, parting=0.4)).row())
    first = worn_strands(model, code)[0]
    remembered = worn_strands(model, code)[0]
    hair_room._HAIRCUTS.clear()
    again = worn_strands(model, code)[0]
    for strands in (remembered, again):
        assert np.array_equal(strands.points, first.points)
        assert np.array_equal(strands.colour, first.colour) and np.array_equal(strands.width, first.width)
    for number in range(hair_room._KEPT + 2):
        worn_strands(model, replace(code, appearance=Appearance(Hair(length=0.05 + 0.01 * number)).row()))
    assert len(hair_room._HAIRCUTS[model]) == hair_room._KEPT


def test_every_strand_joins_the_nearest_lock_of_its_own_group() -> None:
    random = np.random.default_rng(3)
    places = random.normal(0, 60, (400, 3)).astype(np.float32)
    group = random.integers(0, 3, 400)
    lock = locks_of(places, group, 30, random)
    chosen = np.unique(lock)
    assert (group[lock] == group).all() and (lock[chosen] == chosen).all()
    apart = np.linalg.norm(places[:, None] - places[chosen], axis=2)
    apart[group[:, None] != group[chosen]] = np.inf
    np.testing.assert_allclose(np.linalg.norm(places - places[lock], axis=1), apart.min(axis=1), rtol=1e-5)
