"""A turn of the head and a sheet of its sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.still import LABEL_HEIGHT, render_still
from facegpt_model.rendering.views import SIDES, draw_views, turntable_angles
from tools.errors import ToolError
from tools.studio import Studio, open_studio
from tools.turntable import Turntable, _save, sheet_to, turntable_to


@pytest.fixture
def studio() -> Studio:
    return open_studio()


class Heard:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def __call__(self, doing: str, share: float) -> None:
        self.told.append((doing, share))


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_a_turn_takes_its_time_goes_on_forever_and_starts_at_the_front(
    suffix: str, studio: Studio, estimate: Callable[..., FaceEstimate], tmp_path: Path
) -> None:
    heard = Heard()
    path = turntable_to(
        estimate(1), studio, tmp_path / f"turn.{suffix}", Turntable(frames=6, seconds=1, size=64), heard
    )
    with Image.open(path) as film:
        assert film.n_frames == 6 and film.info["loop"] == 0
        pictures, moments = [], []
        for frame in ImageSequence.Iterator(film):
            pictures.append(np.asarray(frame.convert("RGB"), float))
            moments.append(frame.info["duration"])
    assert sum(moments) == 1000 and max(moments) - min(moments) <= (10 if suffix == "gif" else 1)
    front = render_still(studio.head, estimate(1).code, size=64, background="studio").convert("RGB")
    assert np.abs(pictures[0] - np.asarray(front, float)).mean() < 4
    sides = [np.abs(pictures[0] - picture).mean() for picture in pictures[1:]]
    assert min(sides) > 6
    assert [share for doing, share in heard.told if doing == "drawing the turn"][-1] == 1
    assert len(heard.told) == 7


def test_lips_stay_redder_than_skin_in_a_gif(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    frames = []
    for _ in range(16):
        shade = random.uniform(0.4, 1.1, (64, 64, 1)) * (220, 165, 135)
        shade[50:52, 30:35] = (190, 80, 90)
        frames.append(Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8)))
    _save(frames, tmp_path / "lips.gif", [50] * 16)
    with Image.open(tmp_path / "lips.gif") as film:
        seen = np.asarray(film.convert("RGB"), float)[50:52, 30:35].mean(axis=(0, 1))
    np.testing.assert_allclose(seen, (190, 80, 90), atol=20)


def test_the_turn_is_even_and_goes_to_the_persons_left_first() -> None:
    yaws = [yaw for yaw, _ in turntable_angles(8, pitch_deg=10)]
    assert yaws == [0, 45, 90, 135, 180, -135, -90, -45]
    with pytest.raises(ValueError, match="at least 2 frames"):
        turntable_angles(1)


def test_views_are_the_stills_of_those_sides(studio: Studio, estimate: Callable[..., FaceEstimate]) -> None:
    code = estimate(1).code
    (turned,) = draw_views(studio.head, code, [(50, -10)], 64)
    still = render_still(studio.head, code, yaw_deg=50, pitch_deg=-10, size=64)
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(still))


def test_the_sheet_shows_both_profiles_on_their_own_side(
    studio: Studio, estimate: Callable[..., FaceEstimate], tmp_path: Path
) -> None:
    sheet = np.asarray(Image.open(sheet_to(estimate(1), studio, tmp_path / "s.png", 64, Heard())), float)
    assert sheet.shape == (2 * (64 + LABEL_HEIGHT), 4 * 64, 3)
    labels = [label for label, _, _ in SIDES]
    middles = []
    for label in ("profile, to their left", "profile, to their right"):
        row, column = divmod(labels.index(label), 4)
        top = row * (64 + LABEL_HEIGHT)
        cell = sheet[top + 20 : top + 40, column * 64 : column * 64 + 64]
        skin = cell[..., 0] - cell[..., 2] > 45
        middles.append(np.nonzero(skin)[1].mean())
    assert middles[0] > 34 > 30 > middles[1]


@pytest.mark.parametrize(
    ("name", "request_", "told"),
    [
        ("turn.png", Turntable(), r"let the name end in \.webp or \.gif"),
        ("turn.webp", Turntable(frames=200, seconds=1), "take at most 50 frames"),
        ("turn.webp", Turntable(frames=360, seconds=60, size=2048), "at most 95"),
        ("taken/turn.webp", Turntable(), "cannot write to"),
    ],
)
def test_turns_that_cannot_be_written_are_refused_before_drawing(
    name: str, request_: Turntable, told: str, studio: Studio, estimate: Callable[..., FaceEstimate],
    tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "taken").write_text("")
    heard = Heard()
    with pytest.raises(ToolError, match=told):
        turntable_to(estimate(1), studio, tmp_path / name, request_, heard)
    assert not heard.told
