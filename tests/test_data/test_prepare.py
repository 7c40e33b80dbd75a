"""Photos of a folder become portraits: right places, no copies, licences as filled, resumable."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import facegpt_model
from facegpt_model.data import photos
from facegpt_model.data.duplicates import groups, is_copy, near_pairs, picture_hash
from facegpt_model.data.licences import BadLicences, LicenceTable
from facegpt_model.data.photos import cut_face, head_angles, sharpness
from facegpt_model.data.prepare import prepare_folder
from facegpt_model.fitting.landmark_fit import Camera
from facegpt_model.fitting.portraits import read_portraits
from facegpt_model.perception import load_photo
from facegpt_model.perception.analyse import FaceObservation, analyse
from facegpt_model.rendering.cameras import portrait_rotation
from ui.cli import app

PORTRAIT = Path(facegpt_model.__file__).parent / "data" / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person three times, once as a copy; a small face, a landscape, a broken file, a text."""
    folder = tmp_path_factory.mktemp("album")
    portrait = Image.open(PORTRAIT).convert("RGB")
    shutil.copy(PORTRAIT, folder / "Jane Doe.jpg")
    portrait.resize((192, 192)).save(folder / "copy.png")
    (folder / "later").mkdir()
    turned = portrait.rotate(8, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    turned.point([int(min(255, v * 1.25)) for v in range(256)] * 3).save(folder / "later" / "other day.jpg")
    small = Image.new("RGB", (400, 300), (120, 130, 140))
    small.paste(portrait.resize((60, 60)), (100, 100))
    small.save(folder / "small.png")
    (folder / "broken.jpg").write_bytes(PORTRAIT.read_bytes()[:900])
    (folder / "notes.txt").write_text("not a picture")
    (folder / "licences.csv").write_text(
        "file,source,licence,licence_verified,attribution\nJane*,album,CC BY 4.0,1,A Photographer\n"
    )
    return folder


@pytest.fixture(scope="module")
def made(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    result = CliRunner().invoke(app, ["data", "prepare", str(album), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "2 portraits of 1 people, 1 with a verified licence" in result.stdout
    assert "2 unusable, 1 copies; 1 pairs look alike" in result.stdout
    return out


def test_the_folder_reads_as_portraits_with_points_where_the_face_is(made: Path) -> None:
    portraits = {p.source: p for p in read_portraits(made)}
    jane = portraits["album"]
    assert jane.verified and jane.licence == "CC BY 4.0" and jane.attribution == "A Photographer"
    assert not portraits["own"].verified
    assert jane.person == portraits["own"].person, "photos that look alike stay on one side of the split"
    with Image.open(jane.file) as crop:
        assert crop.size == (256, 256)
    again = analyse(load_photo(jane.file))[0]
    assert np.abs(again.points478[:, :2].numpy() - jane.points478[:, :2]).mean() < 2.0
    span = np.ptp(jane.points478[:, :2], axis=0).max()
    assert span == pytest.approx(256 / 1.55, abs=0.5)
    assert np.abs(jane.points68[36] - jane.points478[33, :2]).max() < 0.02
    assert np.abs(jane.blendshapes - again.blendshapes.numpy()).mean() < 0.05


def test_no_name_gets_into_the_crops_and_masks_cover_the_person(made: Path) -> None:
    names = [p.name for folder in ("images", "masks", "kept") for p in (made / folder).iterdir()]
    assert names and not any("Jane" in name or "other" in name for name in names)
    jane = next(p for p in read_portraits(made) if p.source == "album")
    with Image.open(made / "masks" / f"{jane.file.stem}.png") as mask:
        cover = np.asarray(mask) / 255
    x, y = jane.points478[4, :2].astype(int)
    assert cover.shape == (256, 256) and cover[y, x] > 0.9 and cover[:20, :20].mean() < 0.5


def test_what_was_left_out_is_told(made: Path) -> None:
    with (made / "report.csv").open() as lines:
        report = {row["file"]: row for row in csv.DictReader(lines)}
    assert report["copy.png"]["what"] == "copy" and report["copy.png"]["why"] == "of Jane Doe.jpg"
    assert report["broken.jpg"]["what"] == "unusable" and "damaged" in report["broken.jpg"]["why"]
    assert "pixels high" in report["small.png"]["why"]
    assert report["later/other day.jpg"]["what"] == "alike"
    with (made / "licences.csv").open() as lines:
        assert [row["file"] for row in csv.DictReader(lines)] == ["later/other day.jpg"]


def test_a_stopped_run_goes_on_and_new_licences_are_taken(
    album: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(made, out)
    (out / "metadata.csv").unlink()
    undone = next(p for p in read_portraits(made) if p.source == "own").file.stem
    (out / "kept" / f"{undone}.json").unlink()  # killed before its record was written
    looked: list[str] = []

    def counted(photo: Image.Image, name: str = "") -> list[FaceObservation]:
        looked.append(name)
        return analyse(photo, name)

    monkeypatch.setattr(photos, "analyse", counted)
    table = tmp_path / "terms.csv"
    table.write_text("file,person_id,licence,licence_verified\n*,jane,CC0,1\n")
    result = prepare_folder(album, out, table)
    assert looked == ["other day.jpg"]
    assert (result.portraits, result.verified, result.people) == (2, 2, 1)
    assert {p.person for p in read_portraits(out)} == {"jane"}
    assert not (out / "licences.csv").exists()
    assert (out / "landmarks.npz").read_bytes() == (made / "landmarks.npz").read_bytes()


def test_subfolders_may_be_people(album: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(made, out)
    assert prepare_folder(album, out, people_in_folders=True).people == 2
    assert not any("later" in p.person for p in read_portraits(out))


def test_a_crop_beyond_the_border_continues_it() -> None:
    photo = Image.new("RGB", (100, 80), (10, 200, 30))
    points = torch.zeros(478, 3)
    points[:, :2] = torch.tensor([60.0, 20.0])
    points[1] = torch.tensor([80.0, 40.0, 6.0])
    face = FaceObservation(points, torch.zeros(52), (60.0, 0.0, 100.0, 40.0), 1.0, 0.0)
    crop, moved = cut_face(photo, face)
    assert crop.size == (256, 256) and set(crop.getdata()) == {(10, 200, 30)}
    assert moved[1, :2] == pytest.approx([128 + 0 * 1.0, 128 + 20 * 256 / 62])
    assert moved[1, 2] == pytest.approx(6 * 256 / 62, rel=1e-5)


def test_angles_and_sharpness_say_what_they_should() -> None:
    camera = Camera(portrait_rotation(25, 10).numpy(), np.zeros(3), 1.0, (1, 1))
    yaw, _, _ = head_angles(camera)
    assert yaw == pytest.approx(25, abs=0.5)
    assert head_angles(Camera(portrait_rotation(0, 12).numpy(), np.zeros(3), 1.0, (1, 1)))[1] == (
        pytest.approx(12)
    )
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # a quarter clockwise on the screen
    leaning = Camera(turn @ portrait_rotation(0, 0).numpy(), np.zeros(3), 1.0, (1, 1))
    assert head_angles(leaning)[2] == pytest.approx(90)
    crop = Image.open(PORTRAIT)
    assert sharpness(crop) > 3 * sharpness(crop.resize((40, 40)).resize(crop.size))


def test_pairs_hashes_and_groups() -> None:
    rows = np.zeros((3, 128), np.float32)
    rows[1, 0], rows[2, 0] = 0.3, 0.7
    assert near_pairs(rows, 0.36) == [(0, 1, pytest.approx(0.3, abs=1e-6))]
    assert groups(5, [(3, 4), (1, 3)]) == [0, 1, 2, 1, 1]
    portrait = Image.open(PORTRAIT)
    same, other = picture_hash(portrait.resize((90, 90))), picture_hash(portrait.rotate(90))
    assert is_copy(picture_hash(portrait), same, 0.1) and not is_copy(picture_hash(portrait), other, 0.1)
    assert not is_copy(same, same, 0.3)


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    def refusal(*arguments: object) -> str:
        result = CliRunner().invoke(app, ["data", "prepare", *map(str, arguments)])
        assert result.exit_code == 2 and result.stderr.startswith("facegpt: "), result.output
        return result.stderr

    photos_folder = tmp_path / "photos"
    photos_folder.mkdir()
    assert "no picture in" in refusal(photos_folder, "--out", tmp_path / "out")
    assert "there is no folder" in refusal(tmp_path / "nowhere", "--out", tmp_path / "out")
    Image.new("RGB", (80, 80)).save(photos_folder / "black.png")
    assert "lies inside" in refusal(photos_folder, "--out", photos_folder / "out")
    assert "no table of licences" in refusal(
        photos_folder, "--out", tmp_path / "out", "--licences", tmp_path / "x.csv"
    )
    assert "no photo in" in refusal(photos_folder, "--out", tmp_path / "out")


def test_tables_of_licences_are_read_strictly(tmp_path: Path) -> None:
    table = tmp_path / "licences.csv"
    table.write_text("file,licence\na.jpg,CC0\n")
    with pytest.raises(BadLicences, match="lacks the column licence_verified"):
        LicenceTable(tmp_path)
    table.write_text("file,licence,licence_verified\na.jpg,CC0,yes\n")
    with pytest.raises(BadLicences, match="line 2: licence_verified is 0 or 1, not 'yes'"):
        LicenceTable(tmp_path)
    table.write_text("file,licence,licence_verified\na.jpg,,1\n")
    with pytest.raises(BadLicences, match="no licence is named"):
        LicenceTable(tmp_path)
    table.write_text("file,licence,licence_verified\na.jpg,CC0,1\n*,CC BY,0\n")
    (tmp_path / "b.jpg.licence.csv").write_text("licence,licence_verified\nMIT,1\n")
    terms = LicenceTable(tmp_path)
    assert [terms.of(n).licence for n in ("a.jpg", "b.jpg", "c.jpg")] == ["CC0", "MIT", "CC BY"]
