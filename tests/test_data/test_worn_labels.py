"""Labels of what people wear: the project's own table, and tables with mistakes."""

from pathlib import Path

import pytest

from facegpt_model.data.worn_labels import ANSWERS, OWN_LABELS, BadLabels, read_labels

HEAD = ",".join(["file", *ANSWERS, "age"])


def test_own_table_has_one_row_a_portrait_and_known_answers_only() -> None:
    labels = read_labels()
    assert len(labels) == 1409 == len(OWN_LABELS.read_text().splitlines()) - 1
    assert all(
        0 <= place < len(ANSWERS[name]) for one in labels.values() for name, place in one.answers.items()
    )
    unseen = [one for one in labels.values() if "hair" not in one.answers]
    assert len(unseen) == 15  # hats and the like


def table(folder: Path, changes: dict[str, str]) -> Path:
    row = {**{name: known[0] for name, known in ANSWERS.items()}, "age": "40", **changes}
    file = folder / "labels.csv"
    file.write_text(f"{HEAD}\nimages/a.jpg,{','.join(row[name] for name in HEAD.split(',')[1:])}\n")
    return file


def test_what_cannot_be_seen_is_left_out_and_names_lose_their_folder(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path, {"hair": "x", "age": "", "parting": "r"}))
    assert "hair" not in labels["a.jpg"].answers and labels["a.jpg"].age is None
    assert labels["a.jpg"].answers["parting"] == ANSWERS["parting"].index("r")


@pytest.mark.parametrize("changes", [{"hair": "7"}, {"age": "old"}, {"age": "400"}])
def test_a_wrong_answer_is_named_with_its_line(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(BadLabels, match="line 2"):
        read_labels(table(tmp_path, changes))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,hair\na.jpg,2\n")
    with pytest.raises(BadLabels, match="hair_colour"):
        read_labels(tmp_path / "labels.csv")
