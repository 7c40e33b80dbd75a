"""Faces in pictures: against stored MediaPipe answers, turned, small, two, none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegpt_model
from facegpt_model.perception import FaceObservation, NoFace, PhotoError, analyse, load_photo
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"
REFERENCE = Path(__file__).with_name("portrait_mediapipe.npz")
RIGHT_EYE, LEFT_EYE = 33, 263


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return load_photo(PORTRAIT)


@pytest.fixture(scope="module")
def upright(portrait: Image.Image) -> FaceObservation:
    return analyse(portrait)[0]


def error_share(points: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance as a share of the distance between the outer eye corners."""
    eyes = np.linalg.norm(expected[RIGHT_EYE] - expected[LEFT_EYE])
    return float(np.linalg.norm(points - expected, axis=1).mean() / eyes)


def test_points_and_blendshapes_agree_with_mediapipe(upright: FaceObservation) -> None:
    stored = np.load(REFERENCE)
    assert error_share(upright.points478[:, :2].numpy(), stored["points478"][:, :2]) < 0.015
    theirs = dict(zip(stored["names"].tolist(), stored["blendshapes"].tolist(), strict=True))
    ours = dict(zip(upright.blendshape_names, upright.blendshapes.tolist(), strict=True))
    assert ours.pop("tongueOut") == 0.0
    assert max(abs(ours[name] - theirs[name]) for name in ours) < 0.25
    assert np.corrcoef([ours[n] for n in ours], [theirs[n] for n in ours])[0, 1] > 0.95


def test_the_persons_right_eye_is_at_image_left(upright: FaceObservation) -> None:
    points = upright.points478
    assert points[RIGHT_EYE, 0] < points[LEFT_EYE, 0]
    assert points[1, 2] < points[RIGHT_EYE, 2]  # the nose tip is nearer to the camera
    assert upright.blendshape_names == BLENDSHAPE_NAMES


@pytest.mark.parametrize("degrees", [25, 90, 180])
def test_landmarks_turn_with_the_picture(
    portrait: Image.Image, upright: FaceObservation, degrees: int
) -> None:
    turned = portrait.rotate(-degrees, expand=True, resample=Image.Resampling.BICUBIC)  # clockwise
    face = analyse(turned)[0]
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centred = upright.points478[:, :2].numpy() - np.array(portrait.size) / 2
    expected = centred @ turn.T + np.array(turned.size) / 2
    assert error_share(face.points478[:, :2].numpy(), expected) < 0.02
    assert math.cos(math.radians(face.roll - upright.roll - degrees)) > math.cos(math.radians(3))
    assert (face.blendshapes - upright.blendshapes).abs().max() < 0.2


def test_a_mirrored_picture_swaps_left_and_right_eye_looks(
    portrait: Image.Image, upright: FaceObservation
) -> None:
    mirrored = analyse(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT))[0]
    for left, right in (("browOuterUpLeft", "browOuterUpRight"), ("eyeSquintLeft", "eyeSquintRight")):
        i, j = BLENDSHAPE_NAMES.index(left), BLENDSHAPE_NAMES.index(right)
        assert float(mirrored.blendshapes[i]) == pytest.approx(float(upright.blendshapes[j]), abs=0.12)


def test_of_two_faces_the_larger_comes_first(portrait: Image.Image) -> None:
    scene = Image.new("RGB", (500, 300), (100, 120, 140))
    scene.paste(portrait.resize((150, 150)), (20, 100))
    scene.paste(portrait, (230, 20))
    faces = analyse(scene)
    assert len(faces) == 2
    assert faces[0].area > 1.5 * faces[1].area
    assert faces[0].box[0] > 230 > faces[1].box[2]


def test_a_face_that_is_small_in_a_large_picture_is_found(portrait: Image.Image) -> None:
    scene = Image.new("RGB", (1400, 900), (90, 110, 130))
    scene.paste(portrait.resize((90, 90)), (1150, 700))
    face = analyse(scene)[0]
    assert face.box[0] > 1150 and face.box[1] > 700


def test_a_face_that_fills_the_picture_is_found(portrait: Image.Image, upright: FaceObservation) -> None:
    left, top, right, bottom = (round(v) for v in upright.box)
    tight = analyse(portrait.crop((left, top, right, bottom)))[0]
    moved = tight.points478[:, :2].numpy() + np.array([left, top])
    assert error_share(moved, upright.points478[:, :2].numpy()) < 0.05


def test_no_face_is_one_sentence_with_the_name_of_the_picture() -> None:
    sky = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    with pytest.raises(NoFace, match=r"no face found in sky\.png: give a photo"):
        analyse(sky, "sky.png")


def test_exif_orientation_is_applied(portrait: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: show turned a quarter clockwise
    lying = portrait.crop((0, 0, 256, 200)).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "lying.jpg", exif=exif, quality=95)
    assert load_photo(tmp_path / "lying.jpg").size == (256, 200)


def test_transparent_and_deep_grey_pictures_become_rgb(tmp_path: Path) -> None:
    Image.new("RGBA", (80, 70), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert load_photo(tmp_path / "clear.png").getpixel((5, 5)) == (255, 255, 255)
    deep = np.linspace(0, 65535, 80 * 70).reshape(70, 80).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    grey = load_photo(tmp_path / "deep.png")
    assert grey.mode == "RGB" and grey.getpixel((79, 69)) == (255, 255, 255)


def broken_files(folder: Path) -> dict[str, Path]:
    (folder / "letter.jpg").write_text("Dear Sir, this is not a picture.")
    (folder / "half.jpg").write_bytes(PORTRAIT.read_bytes()[:4000])
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGB", (200, 40)).save(folder / "tiny.png")
    Image.new("1", (9000, 6000)).save(folder / "huge.png")
    return {path.stem: path for path in folder.iterdir()} | {"gone": folder / "gone.jpg", "folder": folder}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("letter", "is not a picture"),
        ("half", "damaged or cut short"),
        ("empty", "is not a picture"),
        ("tiny", "200 x 40 pixels; both sides need at least 64"),
        ("huge", "at most 50 million"),
        ("gone", "there is no file"),
        ("folder", "there is no file"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, kind: str, words: str) -> None:
    with pytest.raises(PhotoError, match=words) as caught:
        load_photo(broken_files(tmp_path)[kind])
    assert "\n" not in str(caught.value)
