"""The doctor finds what is wrong, and only that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ui import doctor


def test_wrong_and_missing_packages_are_told() -> None:
    assert doctor.package_problem(Requirement("torch>=2.0")) == ""
    assert "is installed; >=99 is needed" in doctor.package_problem(Requirement("torch>=99"))
    assert "not installed" in doctor.package_problem(Requirement("no-such-package-here"))


def test_this_installation_is_sound() -> None:
    findings = [
        *doctor.check_python(),
        *doctor.check_packages(),
        *doctor.check_machine(),
        *doctor.check_names(),
    ]
    assert not [finding for finding in findings if finding.state == "broken"]
    assert {"python", "torch", "memory", "package names"} <= {finding.name for finding in findings}


def test_a_shadowing_package_is_found(tmp_path: Path) -> None:
    findings = doctor.check_names(tmp_path)
    assert [finding.state for finding in findings] == ["broken"] * 4
    assert "environment of its own" in findings[0].text


def test_a_missing_asset_breaks_only_if_needed_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGPT_HOME", str(tmp_path))
    states = {finding.name: finding.state for finding in doctor.check_assets()}
    assert states["asset face_landmarker"] == "broken" and "asset anny" not in states


def test_an_absent_optional_renderer_is_a_note_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    (finding,) = doctor.check_renderers()
    assert (finding.name, finding.state) == ("pytorch3d", "note")
    assert "FORCE" in finding.text and "docs/rendering.md" in finding.text
