"""Which faces of the case the last words name, so that a call of the embedded model is held to them."""

from __future__ import annotations

import re

from facegpt_model.dialogue.arguments import pair
from facegpt_model.dialogue.references import Scene, mentioned
from tools.workspace import Workspace

SHOWN_TOGETHER = ("variants", "breed", "outer")
ANY = ""  # the choices of every tool that has none of its own
_ALL = re.compile(r"\b(all|every|everything|everyone|everybody|so far)\b", re.IGNORECASE)
_GROUP = re.compile(r"\b(variants|variations|children|options|candidates)\b", re.IGNORECASE)
_THEM = re.compile(r"\b(them|these|those)\b", re.IGNORECASE)
Choices = dict[str, list[object]]  # argument -> its possible values


def named(text: str, workspace: Workspace) -> dict[str, Choices]:
    """Tool -> the faces it may be called with; {} while there is no face.

    Without a name the current face is meant; two faces to compare are then it and the one before.
    """
    scene = scene_of(workspace)
    if not scene.current:
        return {}
    faces = mentioned(text, scene).faces
    two = pair(faces, scene)
    several: list[object] = [list(faces)] if len(faces) > 1 else []
    return {
        ANY: {"face": [faces[0] if faces else scene.current]},
        "adjust": {"face": [scene.current]},
        "compare": {"face": [two["face"]], "other": [two["other"]]},
        "breed": {"faces": several or [list(two.values())]},
        "array": {"faces": several or [_all_or_group(text, scene)]},
    }


def _all_or_group(text: str, scene: Scene) -> list[str]:
    """The faces that were made together, if "them" may mean those; [] for all."""
    meant = _GROUP.search(text) or (_THEM.search(text) and not _ALL.search(text))
    return list(scene.group) if meant else []


def scene_of(workspace: Workspace) -> Scene:
    """What can be spoken of in a case; faces made together by one call are a group."""
    handles = workspace.handles
    current = workspace.current or (handles[-1] if handles else "")
    if not current:
        return Scene()
    return Scene(handles, current, _group(current, workspace), workspace.face(current).parent or "")


def _group(current: str, workspace: Workspace) -> tuple[str, ...]:
    """The newest faces, when they were made together, else those that the current face comes from."""
    handles = workspace.handles
    for face in (handles[-1], *reversed(workspace.lineage(current))):
        origin = _origin(face, workspace)
        if origin:
            return tuple(handle for handle in handles if _origin(handle, workspace) == origin)
    return ()


def _origin(handle: str, workspace: Workspace) -> tuple[object, ...]:
    """What faces that were made together have in common, () for a face that was made alone."""
    made_by = workspace.face(handle).made_by
    if made_by.get("tool") not in SHOWN_TOGETHER:
        return ()
    parents = made_by.get("faces") or (made_by.get("from"),)
    return (made_by["tool"], *parents, int(made_by["seed"]) // 1000)
