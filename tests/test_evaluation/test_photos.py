"""The portrait evaluation: reads a folder, measures, and reports failures as failures."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import facegpt_model
from facegpt_model.evaluation.likeness import Drawing, likeness, photometric_percent
from facegpt_model.evaluation.methods import QUALITIES, head
from facegpt_model.evaluation.photos import INNER51, evaluate_portraits, percent_error
from facegpt_model.face import FaceEstimate
from facegpt_model.fitting.portraits import BadPortraits, read_portraits
from facegpt_model.perception import analyse, load_photo
from facegpt_model.perception.landmarks import MESH68
from ui.cli import app

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people kept for tests, one of them a blank picture, and one person for training."""
    folder = tmp_path_factory.mktemp("portraits")
    shutil.copy(PORTRAIT, folder / "a.jpg")
    shutil.copy(PORTRAIT, folder / "c.jpg")
    Image.new("RGB", (256, 256), (90, 130, 90)).save(folder / "b.jpg")
    points = analyse(load_photo(PORTRAIT))[0].points478.numpy()
    np.savez(
        folder / "landmarks.npz",
        files=np.array(["a.jpg", "b.jpg", "c.jpg"]),
        landmarks478=np.stack([points] * 3),
        blendshapes=np.zeros((3, 1)),
        blendshape_names=np.array(["jawOpen"]),
    )
    people = [*keys_for_tests(2), training_key()]
    with (folder / "metadata.csv").open("w", newline="") as lines:
        names = ["file", "person_id", "source", "licence", "attribution", "licence_verified"]
        writer = csv.DictWriter(lines, names + [f"l{k}_{axis}" for k in range(68) for axis in "xy"])
        writer.writeheader()
        for file, person in zip(("a.jpg", "b.jpg", "c.jpg"), people, strict=True):
            row: dict[str, object] = dict(zip(names, (file, person, "made", "CC0", "", 1), strict=True))
            row |= {
                f"l{k}_{axis}": points[m, "xy".index(axis)] for k, m in enumerate(MESH68) for axis in "xy"
            }
            writer.writerow(row)
    return folder


def is_test_key(key: str) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % 4 == 0


def keys_for_tests(count: int) -> list[str]:
    return [key for key in (f"person-{k}" for k in range(100)) if is_test_key(key)][:count]


def training_key() -> str:
    return next(key for key in (f"person-{k}" for k in range(100)) if not is_test_key(key))


def test_the_command_scores_people_kept_for_tests_and_tells_failures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_view = FaceEstimate(head().mean_code(1), None, "photo", "no view")
    monkeypatch.setitem(QUALITIES, "no view", lambda photo: no_view)
    arguments = ["evaluate", "photos", "--portraits", str(folder), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*arguments, "--quality", "no view", "--quality", "default"])
    assert result.exit_code == 0, result.output
    assert "b.jpg: no face found in b.jpg" in result.stdout
    for name in ("mean face", "random faces", "landmarks only", "default"):
        assert sum(line.startswith(f"| {name} |") for line in result.stdout.splitlines()) == 1
    report = json.loads((tmp_path / "photos.json").read_text())
    assert {score["file"] for score in report["portraits"]} == {"a.jpg", "b.jpg"}
    rows = {row["method"]: row for row in report["rows"]}
    assert all(row["failures"] == 1 and row["portraits"] == 1 for row in rows.values())
    good = rows["default"]["figures"]
    assert (
        good["own51"] == pytest.approx(good["seen51"], abs=0.1)
        and good["own51"] < 1.8
        and good["mesh432"] < 1.5
    )
    assert good["own51"] < rows["mean face"]["figures"]["own51"] < rows["random faces"]["figures"]["own51"]
    assert 0 < good["colours"] < 25 and 0.2 < rows["default"]["distance"] < 1.0
    assert rows["no view"]["figures"]["own51"] is None and rows["no view"]["distance"] is None
    with Image.open(tmp_path / "overlays-1.png") as sheet:
        assert sheet.size == (6 * 256, 256)


def test_the_nearest_photo_is_found_by_distance() -> None:
    photos = torch.eye(3, 128)
    found = likeness(torch.stack([photos[0] * 0.9, photos[2] + photos[0] / 2, photos[2] * 0.8]), photos)
    assert found.rank.tolist() == [1, 3, 1] and found.nearest_own == pytest.approx(2 / 3)
    assert found.distance[0] == pytest.approx(0.1)


def test_colours_are_compared_over_the_face_only() -> None:
    photo = Image.new("RGB", (4, 4), (100, 100, 100))
    picture = photo.copy()
    picture.paste((151, 100, 100), (0, 0, 2, 4))
    face = np.zeros((4, 4))
    face[:, :1] = 1
    assert photometric_percent(photo, Drawing(picture, face)) == pytest.approx(51 / 3 / 255 * 100)
    assert np.isnan(photometric_percent(photo, Drawing(picture, face * 0)))


def test_error_is_measured_in_eye_distances() -> None:
    expected = np.zeros((68, 2))
    expected[45] = (200.0, 0.0)
    moved = expected + np.array([3.0, 4.0])
    assert percent_error(moved, expected, INNER51) == pytest.approx(2.5)


def test_missing_or_foreign_files_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPortraits, match=r"metadata\.csv is missing"):
        read_portraits(tmp_path)
    shutil.copy(folder / "landmarks.npz", tmp_path)
    (tmp_path / "metadata.csv").write_text("file,person_id\nstranger.jpg,x\n")
    with pytest.raises(BadPortraits, match=r"does not fit landmarks\.npz"):
        read_portraits(tmp_path)


def test_a_folder_must_be_given_and_hold_people_for_tests(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "photos", "--out", str(tmp_path)])
    assert result.exit_code == 2 and "give one by --portraits" in result.stderr
    shutil.copy(folder / "landmarks.npz", tmp_path)
    rows = (folder / "metadata.csv").read_text().splitlines()
    (tmp_path / "metadata.csv").write_text("\n".join([rows[0], rows[3]]) + "\n")
    with pytest.raises(BadPortraits, match="no portrait with a verified licence"):
        evaluate_portraits(tmp_path, 5)
