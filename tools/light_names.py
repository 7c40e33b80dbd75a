"""The names of the lights a face can be drawn in, left and right as seen in the picture."""

from __future__ import annotations

from typing import Literal

Light = Literal["studio", "front", "left", "right", "above", "below", "soft", "photo"]
STUDIO: Light = "studio"
ABOUT_LIGHT = (
    "where the lamp stands as seen in the picture; soft is light from everywhere, photo the light of the "
    "photo the face was fitted to"
)


def lit_by(light: Light) -> str:
    """The end of a sentence that tells the light, "" for the studio's."""
    told = {
        "studio": "",
        "front": ", lit from the front",
        "soft": ", in soft light",
        "photo": ", in about the light of its photo",
    }
    return told.get(light, f", lit from {'' if light in ('above', 'below') else 'the '}{light}")
