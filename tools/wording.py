"""A face's numbers in canonical words: sliders are read from the code and the strongest are told.

The same words the model speaks (semantics/words.py). Origin is never guessed from looks,
so the sliders of appearance are left out here.
"""

from __future__ import annotations

from facegpt_model.face import FaceCode
from facegpt_model.semantics.axes import Axes
from facegpt_model.semantics.words import AGE_SPAN, MENTION_THRESHOLD, MIDDLE_AGE, Statement

TOLD = 6  # attributes at most
SEX_FROM = 0.3  # size of the slider masculinity from which a man or a woman is named
UNTOLD = frozenset(
    {"masculinity", "age", "african appearance", "east asian appearance", "european appearance"}
)


def in_words(axes: Axes, code: FaceCode) -> str:
    """One sentence about the one face of `code`, such as "A man of about 55 with thin lips."."""
    values = axes.read(code)
    sex = "person"
    if abs(values["masculinity"]) >= SEX_FROM:
        sex = "man" if values["masculinity"] > 0 else "woman"
    age = None
    if abs(values["age"]) >= MENTION_THRESHOLD:
        age = 5 * round((MIDDLE_AGE + AGE_SPAN * values["age"]) / 5)
    strongest = sorted((name for name in values if name not in UNTOLD), key=lambda name: -abs(values[name]))
    phrases = [axes[name].words(values[name]) for name in strongest[:TOLD]]
    return Statement(sex, age, tuple(phrase for phrase in phrases if phrase)).text()
