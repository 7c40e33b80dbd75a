"""Requests that a rule turns into calls, and what it has to leave to the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.registry import checked, tool_named
from agent.shorthand import shorthand
from facegpt_model.face import FaceEstimate
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


@pytest.fixture
def workspace(case: Path, estimate: Callable[..., FaceEstimate], tmp_path: Path) -> Workspace:
    """face-1 of words, face-2 of photo-1, which is current."""
    workspace = Workspace(case)
    (tmp_path / "me.jpg").write_bytes(b"x")
    workspace.add_photo(tmp_path / "me.jpg", lambda path: path.write_bytes(b"x"))
    workspace.add(estimate(1), made_by={"tool": "imagine", "text": "a man"})
    workspace.add(estimate(2), made_by={"tool": "reconstruct", "photo": "photo-1"}, speculative=False)
    return workspace


@pytest.mark.parametrize(
    ("text", "tool", "expected"),
    [
        ("Show him lit from above, please.", "render", {"face": "face-2", "yaw": 0, "light": "above"}),
        ("light face-1 from the left", "render", {"face": "face-1", "yaw": 0, "light": "left"}),
        (
            "the face with light coming from underneath",
            "render",
            {"face": "face-2", "yaw": 0, "light": "below"},
        ),
        ("put the lamp on the right", "render", {"face": "face-2", "yaw": 0, "light": "right"}),
        ("in profile, lit from the front", "render", {"face": "face-2", "yaw": 80, "light": "front"}),
        ("her right profile in soft light", "render", {"face": "face-2", "yaw": -80, "light": "soft"}),
        ("draw it in the light of the photo", "render", {"face": "face-2", "yaw": 0, "light": "photo"}),
        ("light the photo from the left", "relight", {"face": "face-2", "yaw": -60, "pitch": 20}),
        ("light the photo of face-1 from the left", "render", {"face": "face-1", "yaw": 0, "light": "left"}),
    ],
)
def test_another_light(workspace: Workspace, text: str, tool: str, expected: dict[str, object]) -> None:
    assert shorthand(text, workspace) == (tool, expected)
    checked(tool_named(tool).request, expected)


@pytest.mark.parametrize(
    "text",
    [
        "give him a light scar on the left cheek",
        "light hair from the left side to the right",
        "a light moustache from above",
        "he has light eyes and a mole on the left",
        "make the light brown hair longer on top",
        "turn him to the left",
    ],
)
def test_light_as_a_colour_is_left_to_the_model(workspace: Workspace, text: str) -> None:
    assert shorthand(text, workspace) is None
