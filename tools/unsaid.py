"""What was not said but has to be drawn: a witness who says nothing of hair means no shaved head.

The one guess the house makes about a face from words. It is a rule, not learned; the record
of the face says so (`made_by["assumed"]`), and any word about hair replaces it.
"""

from __future__ import annotations

from dataclasses import replace

from facegpt_model.appearance.parameters import Appearance, Hair
from facegpt_model.face import FaceEstimate
from facegpt_model.layout import CodeLayout
from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import Statement, parse
from facegpt_model.vlm.tokens import FACE

OLD = 60  # years
LEAST_LENGTH = 0.1  # a length in words that moved the face less than this was not read
FORM_SAID = frozenset(
    (
        "hair wave",
        "hair volume",
        "fringe",
        "parting",
        "swept-back hair",
        "tied-back hair",
        "receding hairline",
    )
)
CURLY_LENGTH = 0.5  # at least, or waves and curls could not be seen
AFRO = "an afro"  # stands off the head; at the usual length of a woman's hair it would hang down in curls


def with_hair(estimate: FaceEstimate, understood: str, layout: CodeLayout) -> tuple[FaceEstimate, str]:
    """The face with hair as people of that sex and age often wear it, and what was assumed.

    understood: the model's canonical sentence; layout: of the face's head model. Returns the
    same estimate and "" when the length of hair was mentioned, the sentence cannot be read, or
    the head model carries no hair.
    """
    statement = parse(understood.replace(FACE, "").strip())
    code = estimate.code
    if statement is None or not layout.appearance:
        return estimate, ""
    said = {phrase_table()[phrase][0] for phrase in statement.phrases if phrase in phrase_table()}
    worn = Appearance.of(code.appearance[0])
    if "baldness" in said or ("hair length" in said and worn.hair.length > LEAST_LENGTH):
        return estimate, ""
    hair, words = usual_hair(statement)
    if said & FORM_SAID:  # curls, a fringe: only how long they are is open
        length = max(hair.length, CURLY_LENGTH if worn.hair.wave > 0.1 else 0.0)
        if AFRO in statement.phrases:
            length = CURLY_LENGTH
        hair, words = replace(worn.hair, length=length), "hair of usual length"
    else:
        hair = replace(hair, sides=worn.hair.sides)
    dressed = replace(code, appearance=replace(worn, hair=hair).row().to(code.identity))
    if "hair length" in said:
        return replace(estimate, code=dressed), f"{words}, as the model read no length from the words"
    unsaid = "its length" if said & FORM_SAID else "hair"
    return replace(estimate, code=dressed), f"{words}, as {unsaid} was not described"


def usual_hair(statement: Statement) -> tuple[Hair, str]:
    """Hair of a person of that sex and age, and what it is in words."""
    old = statement.age is not None and statement.age >= OLD
    if statement.sex == "woman":
        if old:
            return Hair(length=0.42, wave=0.3, parting=0.4, volume=0.2), "short wavy hair"
        return Hair(length=0.8, wave=0.2, parting=0.3), "long hair"
    if old:
        return Hair(length=0.2, parting=0.5, receding=0.45), "short hair"
    return Hair(length=0.28, parting=0.5, volume=0.1), "short hair"
