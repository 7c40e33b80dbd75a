"""Short requests that need no model: more, less, too much, back to face-2.

The embedded model was not trained on the tools they mean, and a rule is surer here. Anything
beyond these few phrases is left to the model.
"""

from __future__ import annotations

import re
from typing import Any

from tools.workspace import Workspace

LITTLE = 0.25
_MORE = re.compile(
    r"^(?:even |still )?(?:(a bit|a little|slightly|much) )?(?:more|further)(?: of (?:that|it))?$"
)
_LESS = re.compile(
    r"^(?:(a bit|a little|slightly|much) )?less(?: of (?:that|it))?$|^(?:that's |that is )?too much$"
)
_BACK = re.compile(r"^(?:go )?back to (?:the )?(face-\d+|first (?:one|face))$")


def shorthand(text: str, workspace: Workspace) -> tuple[str, dict[str, Any]] | None:
    """Tool and arguments of a short request, None if it is not one or means nothing here."""
    said = re.sub(r"[,.!?]|\bplease\b", "", text.lower()).strip()
    said = " ".join(said.split())
    if workspace.current is None:
        return None
    back = _BACK.match(said)
    if back:
        handle = back.group(1) if back.group(1).startswith("face-") else workspace.handles[0]
        return "go_to", {"face": handle}
    for how, pattern in (("more", _MORE), ("less", _LESS)):
        match = pattern.match(said)
        if match and _was_changed(workspace):
            amount = {"a bit": LITTLE, "a little": LITTLE, "slightly": LITTLE, "much": 1.0}
            share = amount.get(match.group(1) or "", 0.5)
            return "adjust", {"face": "", "how": how, "sliders": [], "amount": share, "to": ""}
    return None


def _was_changed(workspace: Workspace) -> bool:
    return any(workspace.face(handle).made_by.get("changes") for handle in workspace.lineage())
