"""Scans in three layouts, made tiny from our own head; a wrong layout is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facegpt_model.evaluation.methods import QUALITIES, head
from facegpt_model.evaluation.scan_layouts import (
    SEVEN,
    BadScans,
    face_of_scan,
    read_picked_points,
    read_scans,
)
from facegpt_model.evaluation.scans import evaluate_scans, scan_distances, some
from facegpt_model.evaluation.surfaces import Array, Similarity, Surface, surfaces_of
from facegpt_model.face import FaceEstimate
from facegpt_model.morphable.obj_files import read_obj
from facegpt_model.morphable.people import sample_people
from facegpt_model.rendering.cameras import portrait_rotation
from ui.cli import app

PLACED = Similarity(1.05, portrait_rotation(30, 10).numpy(), np.array([20.0, 5.0, 700.0]))


@pytest.fixture(scope="module")
def person() -> Surface:
    """A person's skin as a scanner would give it: elsewhere, a little larger."""
    code = sample_people(head(), 1).code
    return surfaces_of(head(), code)[0].moved(PLACED)


@pytest.fixture(autouse=True)
def known_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos here are blank: one method knows the mean face, as every method of this test does."""
    estimate = FaceEstimate(head().mean_code(), None, "photo", "known")
    monkeypatch.setitem(QUALITIES, "known", lambda photo: estimate)
    monkeypatch.setattr("facegpt_model.evaluation.methods.landmarks_only", lambda photo: estimate)


def write_points(file: Path, points: Array) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"v {x} {y} {z}\n" for x, y, z in points))


def blank(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 80)).save(file)


def now_folder(folder: Path, person: Surface) -> Path:
    (folder / "imagepathsvalidation.txt").write_text(
        "FaMoS_1/selfie/IMG_1.jpg\nFaMoS_1/occlusion/IMG_2.jpg\n"
    )
    for part in ("selfie/IMG_1", "occlusion/IMG_2"):
        blank(folder / "final_release_version" / "iphone_pictures" / "FaMoS_1" / f"{part}.jpg")
    write_points(folder / "scans" / "FaMoS_1" / "scan.obj", person.vertices)
    marks = folder / "scans_lmks_onlypp" / "FaMoS_1" / "scan.pp"
    marks.parent.mkdir(parents=True)
    rows = "".join(
        f' <point x="{x}" y="{y}" z="{z}" name="{k}" active="1"/>\n'
        for k, (x, y, z) in enumerate(person.landmarks[list(SEVEN)])
    )
    marks.write_text(f"<!DOCTYPE PickedPoints>\n<PickedPoints>\n <DocumentData/>\n{rows}</PickedPoints>\n")
    return folder


def realy_folder(folder: Path, person: Surface) -> Path:
    blank(folder / "images" / "2_1.jpg")
    (folder / "metrical_scale.txt").write_text("9.0\n1000.0\n")
    metres = person.vertices / 1000, person.landmarks / 1000
    write_points(folder / "REALY_HIFI3D_keypoints" / "2.obj", np.vstack([metres[1], np.zeros((17, 3))]))
    for name, mark in (("nose", 30), ("mouth", 62), ("forehead", 21), ("cheek", 3)):
        near = np.linalg.norm(metres[0] - metres[1][mark], axis=1) < 0.03
        write_points(folder / "REALY_scan_region" / "2" / f"{name}.obj", metres[0][near])
    return folder


def test_now_is_measured_and_predicted_in_its_own_layout(person: Surface, tmp_path: Path) -> None:
    folder = now_folder(tmp_path, person)
    out = tmp_path / "out"
    arguments = ["evaluate", "scans", "--scans", str(folder), "--layout", "now", "--quality", "known"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    rows = {row["method"]: row for row in json.loads((out / "scans-now.json").read_text())["rows"]}
    assert list(rows) == ["mean face", "random faces", "landmarks only", "known"]
    assert rows["known"]["cases"] == 2 and rows["known"]["mean"] == pytest.approx(rows["mean face"]["mean"])
    assert 0.3 < rows["mean face"]["median"] < 4 and {"nose", "cheeks"} <= set(rows["known"]["regions"])
    written = out / "predictions" / "known" / "FaMoS_1" / "selfie"
    assert read_obj(written / "IMG_1.obj").vertices.shape == tuple(head().mean.shape)
    seven = np.load(written / "IMG_1.npy")
    mean = surfaces_of(head(), head().mean_code())[0]
    assert np.allclose(seven, mean.landmarks[list(SEVEN)], atol=1e-3)


def test_the_person_itself_has_no_distance_in_any_layout(person: Surface, tmp_path: Path) -> None:
    now = read_scans(
        now_folder(tmp_path / "now", person) if not (tmp_path / "now").mkdir() else tmp_path, "now"
    )
    realy = read_scans(realy_folder(tmp_path / "realy", person), "realy")
    assert [case.name for case in now] == ["FaMoS_1/selfie/IMG_1", "FaMoS_1/occlusion/IMG_2"]
    assert list(realy[0].points) == ["nose", "mouth", "forehead", "cheek"] and realy[0].mm == 1000
    for case in (now[0], realy[0]):
        for gap in scan_distances(case, person.moved(Similarity(0.8, np.eye(3), np.ones(3)))).values():
            assert gap.mean() < 0.02, case.name
    mean = surfaces_of(head(), head().mean_code())[0]
    gaps = scan_distances(realy[0], mean)
    assert 0.05 < gaps["nose"].mean() < 5  # millimetres, though the scan is in metres


def test_own_scans_need_a_photo_and_landmarks(person: Surface, tmp_path: Path) -> None:
    write_points(tmp_path / "anna.obj", person.vertices)
    with pytest.raises(BadScans, match=r"anna\.obj lacks anna\.txt"):
        read_scans(tmp_path, "own")
    np.savetxt(tmp_path / "anna.txt", person.landmarks)
    with pytest.raises(BadScans, match=r"anna\.obj lacks anna\.jpg"):
        read_scans(tmp_path, "own")
    blank(tmp_path / "anna.png")
    case = read_scans(tmp_path, "own")[0]
    assert np.allclose(case.landmarks, person.landmarks[list(SEVEN)])
    rows = evaluate_scans(tmp_path, "own", ["known"])
    assert rows[0].cases == 1 and rows[0].median > 0.3
    (tmp_path / "anna.txt").write_text("1 2 3\n")
    with pytest.raises(BadScans, match="7 or 68 rows"):
        read_scans(tmp_path, "own")


def test_the_face_is_a_sphere_about_the_nose() -> None:
    seven = np.array(
        [[-45, 0, 0], [-15, 0, 0], [15, 0, 0], [45, 0, 0], [0, -50, 10], [-25, -80, 0], [25, -80, 0]]
    )
    bridge = np.array([0.0, 0, 0])
    centre = seven[4] + 0.3 * (bridge - seven[4])
    radius = 0.7 * (90 + np.linalg.norm(bridge - seven[4]))
    points = np.stack(
        [centre, centre + np.array([radius - 0.1, 0, 0]), centre + np.array([0, radius + 0.1, 0])]
    )
    assert len(face_of_scan(points, seven.astype(float))) == 2
    assert len(some(np.zeros((30, 3)), 7)) == 7 and len(some(np.zeros((3, 3)), 7)) == 3


def test_test_sets_without_scans_are_only_predicted(tmp_path: Path) -> None:
    (tmp_path / "image_paths.txt").write_text("iphone_pictures/A/selfie/x.jpg\n")
    blank(tmp_path / "iphone_pictures" / "A" / "selfie" / "x.jpg")
    rows = evaluate_scans(tmp_path, "now", ["known"], tmp_path / "out")
    assert all(row.cases == 0 and np.isnan(row.mean) for row in rows)
    assert (tmp_path / "out" / "known" / "A" / "selfie" / "x.obj").is_file()


def test_wrong_folders_are_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "scans", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and "give one by --scans" in result.stderr
    for layout, told in (
        ("now", "holds none of"),
        ("realy", "metrical_scale.txt is missing"),
        ("x", "known"),
    ):
        arguments = ["evaluate", "scans", "--scans", str(tmp_path), "--layout", layout]
        result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code == 2 and told in result.stderr, result.output
    (tmp_path / "six.pp").write_text('<point x="1" y="2" z="3"/>')
    with pytest.raises(BadScans, match="seven points, not 1"):
        read_picked_points(tmp_path / "six.pp")
