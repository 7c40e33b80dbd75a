"""Faces named in the chat, and answers after tools that name nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.naming import named
from agent.telling import made_up, plainly, told
from facegpt_model.face import FaceEstimate
from tools.workspace import Workspace

pytestmark = pytest.mark.usefixtures("numbers_only")


def test_names_are_of_the_case_and_ordinals_of_the_faces_made_together(
    case: Path, estimate: Callable[..., FaceEstimate]
) -> None:
    workspace = Workspace(case)
    assert named("compare them", workspace) == {}
    workspace.add(estimate(1), made_by={"tool": "imagine", "text": "a man"})
    workspace.add(estimate(2), made_by={"tool": "edit", "from": "face-1"}, parent="face-1")
    assert named("what changed?", workspace)["compare"] == {"face": ["face-1"], "other": ["face-2"]}
    for number in range(3):
        made_by = {"tool": "variants", "from": "face-2", "seed": 2000 + number}
        workspace.add(estimate(3 + number), made_by=made_by, parent="face-2")
    workspace.go_to("face-2")
    assert named("the third one looks right", workspace)[""] == {"face": ["face-5"]}
    assert named("mix the first two", workspace)["breed"] == {"faces": [["face-3", "face-4"]]}
    assert named("face-1 again", workspace)[""] == {"face": ["face-1"]}
    assert named("make him smile", workspace)[""] == {"face": ["face-2"]}
    assert named("show them all", workspace)["array"] == {"faces": [[]]}


def test_answers_after_tools() -> None:
    variants = told("variants", "face-2, face-3: variants of face-1; kept: smile. face-1 stays current.")
    assert (
        variants
        == "Here are face-2 and face-3: other faces that fit the same words. face-1 is still the current one."
    )
    assert told("breed", "face-4: children of face-1, face-2. All are speculative.") == \
        "Here is face-4, mixed from face-1 and face-2."  # fmt: skip
    assert told("compare", "face-2 beside face-1: a wider nose") == "Face-2 beside face-1: a wider nose."
    assert told("edit", "face-2 made from face-1") is None
    assert made_up("Here are face-2 and face-9.", "face-2 made") and not made_up(
        "Here is face-2.", "face-2 made"
    )
    assert made_up("Saved face-1 as face-1.obj.", "face-1.glb: face-1") and plainly("done") == "Done."
