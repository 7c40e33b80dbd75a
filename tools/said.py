"""What was said of a face on its way from the first words to now: it stays when others are drawn."""

from __future__ import annotations

from typing import Any

from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.likely import Said
from facegpt_model.semantics.words import parse
from facegpt_model.vlm.tokens import FACE
from tools.face_files import Face
from tools.workspace import Workspace

OBSERVED = ("reconstruct",)  # tools whose faces were seen, so that nothing in them is unsaid


def said_of(face: Face, workspace: Workspace) -> Said:
    """Sex, age and sliders that words or edits settled, along the face's whole line."""
    sex, years = "person", None
    sliders: dict[str, None] = {}
    for handle in workspace.lineage(face.handle):
        made_by = workspace.face(handle).made_by
        for told in (made_by.get("was") or {}, made_by):
            statement = parse(str(told.get("understood", "")).replace(FACE, "").strip())
            if statement is not None:
                sex, years = statement.sex, statement.age
            sliders |= dict.fromkeys(_sliders(told))
    return Said(sex, years, tuple(name for name in sliders if name not in ("masculinity", "age")))


def is_observed(face: Face, workspace: Workspace) -> bool:
    """Whether the line of this face began with a photo."""
    first = workspace.face(workspace.lineage(face.handle)[0]).made_by
    return any(told.get("tool") in OBSERVED for told in (first, first.get("was") or {}))


def _sliders(made_by: dict[str, Any]) -> list[str]:
    table = phrase_table()
    spoken = [table[phrase][0] for phrase in made_by.get("attributes") or () if phrase in table]
    moved = [str(change["slider"]) for change in made_by.get("changes") or ()]
    return [*spoken, *moved, *(made_by.get("kept") or ())]
