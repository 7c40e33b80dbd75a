"""The portrait evaluation: reads a folder, measures, and reports failures as failures."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegpt_model
from facegpt_model.evaluation.geometry import INNER51, evaluate_portraits, percent_error, summary, table
from facegpt_model.fitting.portraits import BadPortraits, read_portraits
from facegpt_model.perception import analyse, load_photo

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"
MESH68 = (
    *(
        162,
        234,
        93,
        58,
        172,
        136,
        149,
        148,
        152,
        377,
        378,
        365,
        397,
        288,
        323,
        454,
        389,
        70,
        63,
        105,
        66,
        107,
    ),
    *(
        336,
        296,
        334,
        293,
        300,
        168,
        197,
        5,
        4,
        75,
        97,
        2,
        326,
        305,
        33,
        160,
        158,
        133,
        153,
        144,
        362,
        385,
        387,
    ),
    *(263, 373, 380, 61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
)


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


def test_only_people_kept_for_tests_are_scored_and_failures_are_told(folder: Path) -> None:
    seen = []
    scores = evaluate_portraits(folder, 10, seed=0, on_fit=lambda photo, fit: seen.append(fit.nme_percent))
    by_file = {score.file: score for score in scores}
    assert set(by_file) == {"a.jpg", "b.jpg"}
    good, blank = by_file["a.jpg"], by_file["b.jpg"]
    assert "no face found in b.jpg" in blank.failure
    assert not good.failure and seen == [good.mesh432]
    assert good.moved51 < good.own51 < 5 and good.mesh432 < 1.5
    figures = summary(scores)
    assert figures["failures"] == 1 and figures["own51"] == pytest.approx(good.own51)
    text = table(scores)
    assert "no face found" in text and "missed" in text.splitlines()[-1]


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
