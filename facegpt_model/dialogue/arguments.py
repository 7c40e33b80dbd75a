"""The arguments of a call that follow from the intent and from closed classes of words.

Those are names of faces, numbers and parts of the face.
"""

from __future__ import annotations

import re
from typing import Any

from facegpt_model.dialogue.intents import Intent
from facegpt_model.dialogue.numbers import degrees, how_many, larger, pixels, share
from facegpt_model.dialogue.references import Scene, mentioned

SIZE, VARIANTS, SIMILAR = 512, 4, 5  # of a picture in pixels, of variants, of similar faces
MOST_VARIANTS, MOST_SIMILAR = 24, 12
PARTS = {
    "eyes": r"\beyes?\b|\beyelids?\b",
    "brows": r"\b(eye)?brows?\b",
    "nose": r"\bnos(e|es|tril|trils)\b",
    "mouth": r"\b(mouths?|lips?)\b",
    "jaw": r"\b(jaws?|jawlines?|chins?)\b",
    "skin": r"\b(skin|complexion|skin tone)\b",
}


def arguments(intent: Intent, text: str, scene: Scene) -> dict[str, Any]:
    """What the words decide of a call for an intent.

    The changes of an edit are what was heard of them; the name of a photo is known elsewhere.
    """
    said = mentioned(text, scene)
    one = said.faces[0] if said.faces else scene.current
    fixed = dict(intent.arguments)
    match intent.tool:
        case "render":
            return {"face": one} | _view(intent, text, said.rest)
        case "edit" | "describe" | "export" | "go_to" | "delete" | "views":
            return {"face": one} | fixed
        case "compare":
            return {**pair(said.faces, scene), "picture": True}
        case "array":
            return {"faces": list(said.faces) if len(said.faces) > 1 else [], "columns": 0, "name": "array"}
        case "variants":
            count = how_many(said.rest, MOST_VARIANTS) or VARIANTS
            return {"face": one, "count": count, "spread": 1.0, "keep": [], "seed": len(scene.faces)}
        case "breed":
            faces = list(said.faces) if len(said.faces) > 1 else list(pair(said.faces, scene).values())
            return {
                "faces": faces,
                "count": how_many(said.rest, MOST_VARIANTS) or VARIANTS,
                "mutation": 0.25,
                "seed": len(scene.faces),
            }
        case "retrieve":
            return {"face": one} | _sought(intent, text, said.rest)
        case "adjust":
            return {"face": scene.current, **fixed, "sliders": [], "amount": share(text), "to": ""}
    return fixed


def pair(faces: tuple[str, ...], scene: Scene) -> dict[str, str]:
    """Two faces to hold against each other: those named, else one and the current one."""
    if len(faces) > 1:
        return {"face": faces[0], "other": faces[1]}
    first = faces[0] if faces else scene.before or scene.current
    return {
        "face": first,
        "other": scene.current if first != scene.current else scene.before or scene.current,
    }


def _view(intent: Intent, text: str, rest: str) -> dict[str, int]:
    yaw, pitch = int(str(intent.arguments["yaw"])), int(str(intent.arguments["pitch"]))
    angle = degrees(rest)
    if angle and yaw:
        yaw = angle if yaw > 0 else -angle
    elif angle and pitch:
        pitch = min(angle, 45) if pitch > 0 else -min(angle, 45)
    size = pixels(rest) or (larger(text) if intent.name == "view larger" else SIZE)
    return {"yaw": yaw, "pitch": pitch, "size": size}


def _sought(intent: Intent, text: str, rest: str) -> dict[str, Any]:
    words = text.strip() if intent.name == "retrieve words" else ""
    parts = [] if words else [part for part, pattern in PARTS.items() if re.search(pattern, text.lower())]
    count = SIMILAR if words else how_many(rest, MOST_SIMILAR) or SIMILAR
    return {
        "words": words, "parts": parts, "count": count, "looks": "", "min_age": 0, "max_age": 120, "tags": []
    }  # fmt: skip
