"""Finding supplied models: names, missing files, licences."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from facegpt_model.morphable import catalogue
from facegpt_model.morphable.base import load
from facegpt_model.morphable.catalogue import MissingModel, UnknownModel, files_of, known_name


def test_names_and_bases_mean_the_same_model() -> None:
    assert known_name("ICT") == known_name("ict-face@1") == "ict"
    assert known_name("openhead") == "openhead@2"
    with pytest.raises(UnknownModel, match="did you mean flame2023"):
        known_name("flame2032")


@pytest.mark.parametrize("name", list(catalogue.entries()))
def test_a_missing_model_says_which_file_where_and_under_which_licence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGPT_HOME", str(tmp_path))
    with pytest.raises(MissingModel) as refused:
        load(name)
    told = str(refused.value)
    entry = catalogue.entries()[name]
    assert entry.basis in told and entry.files[0].names[0] in told and entry.licence in told
    assert str(tmp_path / "models" / name) in told and entry.obtain in told and "\n" not in told


def test_every_adapter_can_be_imported_and_bases_differ() -> None:
    from facegpt_model.morphable.base import reader_of

    assert all(callable(reader_of(entry.adapter)) for entry in catalogue.entries().values())
    bases = [entry.basis for entry in catalogue.entries().values()]
    assert len(set(bases)) == len(bases) and all("@" in basis for basis in bases)


def test_licences_are_told_on_load(ict_sample: Path, caplog: pytest.LogCaptureFixture) -> None:
    from facegpt_model.morphable.base import _load

    _load.cache_clear()
    with caplog.at_level(logging.WARNING, logger="facegpt.models"):
        load("ict", ict_sample)
    assert "MIT, Copyright (c) 2020 USC" in caplog.text and str(ict_sample / "LICENSE") in caplog.text


def test_extra_files_bring_their_own_licence(tmp_path: Path) -> None:
    for name in ("generic_model.pkl", "FLAME_texture.npz"):
        (tmp_path / name).touch()
    files = files_of("flame2020", tmp_path)
    assert not files.missing and "landmarks" not in files.found
    assert any("FLAME_texture.npz: CC BY-NC-SA 4.0" in sentence for sentence in files.licences())
