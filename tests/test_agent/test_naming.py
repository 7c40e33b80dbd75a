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
    group = ["face-3", "face-4", "face-5"]
    assert named("put them side by side", workspace)["array"] == {"faces": [group]}
    assert named("all the variants in one picture", workspace)["array"] == {"faces": [group]}


def test_answers_after_tools() -> None:
    variants = told("variants", "face-2, face-3: variants of face-1; kept: smile. face-1 stays current.")
    assert (
        variants
        == "Here are face-2 and face-3: other faces that fit the same words. face-1 is still the current one."
    )
    assert told("breed", "face-4: children of face-1, face-2. All are speculative.") == \
        "Here is face-4, mixed from face-1 and face-2."  # fmt: skip
    assert told("compare", "face-2 beside face-1: a wider nose") == "face-2 beside face-1: a wider nose."
    assert made_up("Here are face-2 and face-9.", "face-2 made") and not made_up(
        "Here is face-2.", "face-2 made"
    )
    assert made_up("Saved face-1 as face-1.obj.", "face-1.glb: face-1") and plainly("done") == "Done."


@pytest.mark.parametrize(
    ("tool", "result", "answer"),
    [
        (
            "edit",
            "face-2 made from face-1: nose size -0.50; smile +0.20; eye colour +0.80. Measured: nose length "
            "-0.6 mm, mouth width +1.0 mm. face-1 is kept. Part of it met a limit.",
            "Here is face-2: towards a small nose (nose size -0.50), a little towards a smile "
            "(smile +0.20) and much towards blue eyes (eye colour +0.80). Measured: nose length "
            "-0.6 mm, mouth width +1.0 mm. face-1 is kept. Part of it met a limit.",
        ),
        (
            "adjust",
            "face-3 made from face-2: smile -0.40. face-2 is kept.",
            "Here is face-3: away from a smile (smile -0.40). face-2 is kept.",
        ),
        (
            "render",
            "face-1-yaw+35.png: face-1 turned by 35 degrees to their left, 512 pixels",
            "Here is face-1 turned by 35 degrees to their left, 512 pixels: face-1-yaw+35.png.",
        ),
        ("array", "array.png: 3 faces in 2 columns", "Here are 3 faces in 2 columns: array.png."),
        (
            "views",
            "face-1-sheet.png: face-1 from all sides",
            "Here is face-1 from all sides: face-1-sheet.png.",
        ),
        ("report", "report.html: the report of this case", "Here is the report of this case: report.html."),
        ("export", "face-1.obj: face-1, mesh, 3.4 MB", "Saved face-1 as face-1.obj: mesh, 3.4 MB."),
        (
            "describe",
            "face-1: A woman of about 30 with full lips; face width 124 mm, nose width 19 mm",
            "face-1 shows a woman of about 30 with full lips. Measured: face width 124 mm, nose width 19 mm.",
        ),
        (
            "reconstruct",
            "face-1 from my, photo.jpg, fitted by optimisation; landmark error 0.9 %\n"
            "seen on the photo: a beard",
            "Here is face-1 from my, photo.jpg. It was fitted by optimisation; landmark error 0.9 %. "
            "Seen on the photo: a beard.",
        ),
        (
            "retrieve",
            "2 faces like face-1 in the gallery (similar shape): 1. a1 distance 0.50: same jaw (man); 2. b2 "
            "distance 0.61: same eyes; darker skin (woman)",
            "Here are 2 faces like face-1 in the gallery (similar shape):\n1. a1 distance 0.50: same jaw "
            "(man)\n"
            "2. b2 distance 0.61: same eyes; darker skin (woman)",
        ),
        (
            "undo",
            "face-1 is current again; later faces are kept",
            "face-1 is current again; later faces are kept.",
        ),
        ("morph", "something\nelse", "Something else."),
    ],
)
def test_results_become_sentences(tool: str, result: str, answer: str) -> None:
    assert told(tool, result) == answer
    assert not made_up(answer, result)
