"""The appearance stage: what can be learned is learned, kept people are not, and the command runs."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from facegpt_model.data.worn_labels import ANSWERS, WornLabels
from facegpt_model.fitting.portraits import read_portraits
from facegpt_model.perception.analyse import analyse
from facegpt_model.perception.blendshapes import BLENDSHAPE_NAMES
from facegpt_model.perception.photos import load_photo
from facegpt_model.training import run
from facegpt_model.training.appearance import LabelledLooks, learn, scores
from facegpt_model.training.appearance_run import mirrored_labels
from facegpt_model.training.config import ConfigError
from facegpt_model.wearing.look import VECTOR
from facegpt_model.wearing.readouts import read_readouts

EXAMPLE = Path(run.__file__).parents[1] / "data" / "examples" / "portrait.jpg"


def made_looks(count: int) -> LabelledLooks:
    """Looks in which numbers 5 and 6 tell glasses and age, and nothing tells the parting."""
    random = torch.Generator().manual_seed(3)
    vectors = torch.randn(count, VECTOR, generator=random)
    glasses = torch.rand(count, generator=random) < 0.3
    years = 20 + 60 * torch.rand(count, generator=random)
    for k in range(40):  # said loudly enough for a few photos
        vectors[:, 5 + 2 * k] = 3 * (glasses.float() - 0.3) + 0.3 * vectors[:, 5 + 2 * k]
        vectors[:, 6 + 2 * k] = (years - 50) / 10 + 0.3 * vectors[:, 6 + 2 * k]
    parting = torch.randint(3, (count,), generator=random)
    labels = [
        WornLabels(
            {**dict.fromkeys(ANSWERS, 0), "glasses": 3 * int(g), "parting": int(p)},
            None if k == 0 else float(y),
        )
        for k, (g, p, y) in enumerate(zip(glasses, parting, years, strict=True))
    ]
    kept = torch.arange(count) % 4 == 0
    return LabelledLooks(vectors, labels, [f"person {k}" for k in range(count)], kept)


def test_what_looks_tell_is_read_and_what_they_do_not_tell_stays_open() -> None:
    data = made_looks(240)
    readouts = learn(data)
    found, years_off = scores(readouts, data)
    assert found["glasses"].right > 0.95 and found["glasses"].balanced > 0.9
    assert found["glasses"].calibration < 0.08
    assert years_off < 5
    assert found["parting"].balanced < 0.5
    assert abs(readouts.years_sd - years_off) < 4


def test_answers_of_kept_people_are_never_learned() -> None:
    data = made_looks(120)
    other = [
        WornLabels({**one.answers, "glasses": 1}, 99.0) if bool(kept) else one
        for one, kept in zip(data.labels, data.kept, strict=True)
    ]
    changed = LabelledLooks(data.vectors, other, data.people, data.kept)
    assert torch.equal(learn(data).weight, learn(changed).weight)


def test_a_parting_changes_sides_in_the_mirror() -> None:
    left = WornLabels({"parting": ANSWERS["parting"].index("l"), "hair": 2}, None)
    assert mirrored_labels(left).answers == {"parting": ANSWERS["parting"].index("r"), "hair": 2}


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six copies of the example portrait, as of six people, with labels.csv."""
    folder = tmp_path_factory.mktemp("portraits")
    (folder / "images").mkdir()
    face = analyse(load_photo(EXAMPLE))[0]
    names = [f"{k}.jpg" for k in range(6)]
    for name in names:
        shutil.copy(EXAMPLE, folder / "images" / name)
    np.savez(
        folder / "landmarks.npz",
        files=np.array(names),
        landmarks478=np.repeat(face.points478.numpy()[None], 6, 0),
        blendshapes=np.repeat(face.blendshapes.numpy()[None], 6, 0),
        blendshape_names=np.array(BLENDSHAPE_NAMES),
    )
    columns = ["file", "person_id", "source", "licence", "attribution", "licence_verified"]
    with (folder / "metadata.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*columns, *(f"l{k}_{axis}" for k in range(68) for axis in "xy")])
        for name in names:
            writer.writerow([f"images/{name}", name, "made", "CC0", "", "1", *[0.0] * 136])
    with (folder / "labels.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["file", *ANSWERS, "age"])
        for k, name in enumerate(names):
            writer.writerow([name, *(known[k % 2] for known in ANSWERS.values()), 40 + k])
    return folder


def test_the_command_writes_readouts_and_goes_on_from_what_it_has_seen(
    portraits: Path, tmp_path: Path
) -> None:
    assert len({p.is_test for p in read_portraits(portraits)}) == 2
    settings = [f"portraits={portraits}", f"labels={portraits / 'labels.csv'}"]
    folder = run.main("appearance", "cpu", settings, tmp_path)
    card = json.loads((folder / "readouts.json").read_text())["card"]
    assert card["learned_from"] + card["kept_for_tests"] == 6
    assert "| glasses |" in (folder / "report.md").read_text()
    assert read_readouts(folder).weight.shape[0] == VECTOR
    looks = sorted((tmp_path / "looks").iterdir())
    before = [file.stat().st_mtime_ns for file in looks]
    run.main("appearance", "cpu", settings, tmp_path)
    assert [file.stat().st_mtime_ns for file in looks] == before and len(looks) == 2


def test_missing_portraits_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="portraits="):
        run.main("appearance", "cpu", [], tmp_path)
