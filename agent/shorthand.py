"""Short requests that need no model: more, less, too much, back to face-2, "light it from the left".

The embedded model was not trained on the tools and arguments they mean, and a rule is surer here.
Anything beyond these few phrases is left to the model.
"""

from __future__ import annotations

import re
from typing import Any

from agent.naming import scene_of
from facegpt_model.dialogue.references import mentioned
from tools.workspace import Workspace

LITTLE = 0.25
_MORE = re.compile(
    r"^(?:even |still )?(?:(a bit|a little|slightly|much) )?(?:more|further)(?: of (?:that|it))?$"
)
_LESS = re.compile(
    r"^(?:(a bit|a little|slightly|much) )?less(?: of (?:that|it))?$|^(?:that's |that is )?too much$"
)
_BACK = re.compile(r"^(?:go )?back to (?:the )?(face-\d+|first (?:one|face))$")
_SIDE = r"(left|right|front|above|overhead|over head|top|below|underneath|beneath)"
_LIT = re.compile(
    r"\b(?:lit|lighted|lighting|lamp|illuminated?|shining|"
    r"light(?= (?:it|him|her|them|this|that|face-\d+|the (?:face|head|photo|picture)|"
    r"coming|falling|from|is|comes)\b))"
    rf"\b(?: \w+(?:-\d+)?){{0,5}}? (?:from|comes? from) (?:the )?{_SIDE}\b|"
    rf"\b(?:lamp|light source|spotlight|sun)\b(?: \w+){{0,3}}? (?:on|at|to|in) (?:the )?{_SIDE}\b"
)
_SOFT = re.compile(r"\b(?:in|with|under|use) (?:a )?(?:soft|diffuse|even|flat)(?:er)? light(?:ing)?\b")
_PHOTO_LIGHT = re.compile(
    r"\b(?:light(?:ing)?|lit as) (?:of|as in|from|in|like in) (?:the|its|his|her) photo\b"
)
_OF_PHOTO = re.compile(r"\b(?:photo|photograph|picture of (?:him|her|me))\b")
_SIDES = {
    "overhead": "above",
    "over head": "above",
    "top": "above",
    "underneath": "below",
    "beneath": "below",
}
LAMPS = {"left": (-60, 20), "right": (60, 20), "front": (0, 10), "above": (0, 70), "below": (0, -50)}
_TURNED = ((r"\bprofile\b", 80), (r"\bthree[- ]quarters?\b|\bhalf[- ]turned\b", 35))


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
    return _lit(said, workspace)


def _lit(said: str, workspace: Workspace) -> tuple[str, dict[str, Any]] | None:
    """A face drawn in another light, or its photo relit where that is what was spoken of."""
    match = _LIT.search(said)
    side = next((group for group in match.groups() if group), "") if match else ""
    light = _SIDES.get(side, side) or ("photo" if _PHOTO_LIGHT.search(said) else "")
    light = light or ("soft" if _SOFT.search(said) else "")
    if not light:
        return None
    named = mentioned(said, scene_of(workspace)).faces
    face = workspace.face(named[0] if named and named[0] in workspace.handles else "")
    if light in LAMPS and _OF_PHOTO.search(said) and face.made_by.get("photo") in workspace.photos:
        yaw, pitch = LAMPS[light]
        return "relight", {"face": face.handle, "yaw": yaw, "pitch": pitch}
    yaw = next((angle for pattern, angle in _TURNED if re.search(pattern, said)), 0)
    yaw = -yaw if re.search(r"\bright (?:profile|three)", said) else yaw
    return "render", {"face": face.handle, "yaw": yaw, "light": light}


def _was_changed(workspace: Workspace) -> bool:
    return any(workspace.face(handle).made_by.get("changes") for handle in workspace.lineage())
