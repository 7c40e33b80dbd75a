"""Comparing two faces: where, how far, and a picture of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegpt_model.face import FaceEstimate
from tools.compare import CompareRequest, compare, compare_codes, heat_map, laid_over
from tools.errors import ToolError
from tools.studio import open_studio
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")
STUDIO = open_studio()


def test_a_broader_nose_is_told_as_that() -> None:
    plain, broad = (STUDIO.axes.code({"nose width": value}) for value in (0.0, 0.6))
    found = compare_codes(STUDIO, plain, broad)
    words = {row.part: row.words for row in found.parts}
    assert words["nose"].endswith("mm broader") and words["jaw"] == "same jaw"
    back = {row.part: row.words for row in compare_codes(STUDIO, broad, plain).parts}
    assert back["nose"] == words["nose"].replace("broader", "narrower")
    assert max(found.regions, key=lambda name: found.regions[name]) == "nose"
    width = STUDIO.measurements(broad)["nose_width"] - STUDIO.measurements(plain)["nose_width"]
    assert float(words["nose"].split()[1]) == pytest.approx(width, abs=0.06)


def test_expression_and_motion_are_no_difference() -> None:
    plain, smiling = STUDIO.axes.code({}), STUDIO.axes.code({"smile": 0.9})
    assert compare_codes(STUDIO, plain, smiling).regions["face"] < 1e-3
    points = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turn, _ = torch.linalg.qr(
        torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    turn = turn * torch.linalg.det(turn)
    moved = points @ turn + torch.tensor([5.0, -3.0, 9.0], dtype=torch.float64)
    assert (laid_over(moved, points, torch.arange(50)) - points).abs().max() < 1e-9


def test_the_heat_is_where_the_difference_is() -> None:
    plain, broad = (STUDIO.axes.code({"nose width": value}) for value in (0.0, 0.8))
    away = compare_codes(STUDIO, plain, broad).away
    hot = np.asarray(heat_map(STUDIO, plain, away, 2.0, 96)).astype(int)
    cold = np.asarray(heat_map(STUDIO, plain, torch.zeros_like(away), 2.0, 96)).astype(int)
    changed = (np.abs(hot - cold)[..., :3].max(2) > 60) & (cold[..., 3] == 255)
    rows, columns = np.nonzero(changed)
    assert len(rows) > 5 and abs(columns.mean() - 48) < 3
    assert rows.min() > 96 * 0.35 and rows.max() < 96 * 0.75


def test_the_tool_names_its_picture(case: Path, estimate: Callable[..., FaceEstimate]) -> None:
    workspace = Workspace(case)
    for seed in (1, 2):
        workspace.add(estimate(seed), made_by={})
    outcome = compare(CompareRequest(face="face-1"), workspace)
    assert outcome.text.startswith("face-2 beside face-1: ") and "code distance" in outcome.text
    assert outcome.files == ("face-1-face-2-difference.png",)
    assert Image.open(case / outcome.files[0]).width == 3 * 384
    with pytest.raises(ToolError, match="name two faces"):
        compare(CompareRequest(face="face-2"), workspace)
    with pytest.raises(ToolError, match="known faces"):
        compare(CompareRequest(face="face-7"), workspace)
