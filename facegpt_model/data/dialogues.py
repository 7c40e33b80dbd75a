"""Training examples about the look of a face: descriptions that end in <FACE>, and edits.

Answers that end in <FACE> carry marks: character positions in the answer with the slider
values understood so far, so that the face head learns from every phrase and not only from
the last token.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from typing import Literal, cast

from facegpt_model.data.descriptions import composed_statement, roughened, sample_statement, slider_values
from facegpt_model.data.examples import (
    HEARD,
    Composed,
    Example,
    Mark,
    called,
    listen,
    prompt_of,
    scene,
    surfaced,
)
from facegpt_model.data.habits import agreeing, end_weight
from facegpt_model.data.situations import as_if, composed_speculation
from facegpt_model.data.statements import retold
from facegpt_model.data.wordings import Wording, ends, ends_with_held_edits, removable, word
from facegpt_model.dialogue.intents import EDIT, IMAGINE
from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import Statement
from facegpt_model.vlm.tokens import END, FACE, call_text, message, state_line


def marks_of(statement: Statement) -> tuple[Mark, ...]:
    """Slider values known after the head of a canonical sentence, after each phrase, and at its end."""
    text = statement.text()
    head = Statement(statement.sex, statement.age, ()).text().removesuffix(".")
    values: dict[str, float] = slider_values(head_only(statement), {})
    marks = [Mark(len(head), dict(values))] if values else []
    position = len(head)
    table = phrase_table()
    said: dict[str, float] = {}
    for phrase in statement.phrases:
        position = text.index(phrase, position) + len(phrase)
        axis, value = table[phrase]
        said[axis] = value
        marks.append(Mark(position, slider_values(statement, said)))
    return (*marks, Mark(len(text) + 1 + len(FACE), slider_values(statement, said)))


def head_only(statement: Statement) -> Statement:
    """The statement without its attributes."""
    return Statement(statement.sex, statement.age, ())


def describe(rng: random.Random, kind: Wording = "say", count: int | None = None) -> Example:
    """A witness statement; the answer restates it in canonical words and emits <FACE>."""
    return _told("describe", composed_statement(rng, kind, count), rng)


def state(rng: random.Random) -> Example:
    """A statement that somebody wrote, otherwise as `describe`."""
    composed = retold(rng)
    return _told("describe", replace(composed, text=roughened(composed.text, rng)), rng)


def speculate(rng: random.Random, kind: Literal["say", "held"] = "say") -> Example:
    """A situation or a role; the answer tells the look that goes with it in canonical words and emits <FACE>."""
    return _told("speculate", composed_speculation(rng, kind), rng)


def _told(kind: str, composed: Composed, rng: random.Random) -> Example:
    statement = composed.statement
    faces, photos = scene(rng)
    answer = f"{statement.text()} {FACE}{END}"
    text = composed.text
    if faces and kind == "describe" and rng.random() < ANEW:
        text = rng.choice(_ANEW) + text
    prompt, heard = listen(prompt_of(text, faces, photos, []), composed.wordings)
    silent = not composed.wordings
    return Example(kind, prompt, answer, marks_of(statement), heard, asks=IMAGINE, silent=silent)


def restated(rng: random.Random) -> Example:
    """A statement already in canonical words: teaches canonical words -> code at little cost."""
    _, statement, _ = sample_statement(rng)
    answer = f"{statement.text()} {FACE}{END}"
    prompt = message("system", state_line([], [])) + "<|im_start|>assistant\n"
    return Example("restated", prompt, answer, marks_of(statement))


ANEW = 0.2  # share of descriptions beside other faces that say so
_ANEW = (
    "New one: ", "A new face: ", "Another one: ", "Next person: ", "Now another person: ", "Someone else now. ", "A different one. ",
    "Start again. ", "Start over: ", "Forget that. ", "Forget him. ", "Forget her, ", "Next suspect: ", "The second man: ", "The other one: ",
    "Now make ", "Make me ", "Make a new face: ", "Draw ", "I want ", "Let's do another: ", "Imagine ", "Can you make ", "Please make ",
    "Create ", "Show me ", "Generate ", "I need ", "Now ", "ok, new face. ", "And the accomplice: ", "There was a second person: ", "Build me ",
)  # fmt: skip
TAKEN_AWAY = 0.12  # share of edits that take something away again
AS_IF = 0.06  # share of edits that tell a situation instead of features


@lru_cache(maxsize=1)
def _end_weights() -> list[float]:
    return [end_weight(axis) for axis, _ in ends()]


def edit_changes(
    rng: random.Random, sex: str, count: int, kind: Literal["say", "held"] = "say"
) -> tuple[list[str], list[dict[str, object]]]:
    """Edit requests of `count` different axes, worded, and the changes they mean."""
    texts: list[str] = []
    changes: list[dict[str, object]] = []
    names: set[str] = set()
    while len(changes) < count:
        taken = kind == "say" and rng.random() < TAKEN_AWAY
        if kind == "held":
            axis, sign = rng.choice(ends_with_held_edits())
        else:
            axis, sign = (rng.choice(removable()), 1) if taken else rng.choices(ends(), _end_weights())[0]
        if axis.name in names:
            continue
        text, attribute = word(
            axis, sign, rng, "less" if taken else "edit" if kind == "say" else "held_edit", sex
        )
        names.add(axis.name)
        texts.append(text)
        changes.append({"slider": axis.name, "value": -attribute.value if taken else attribute.value})
    return texts, changes


WITH = 0.15  # share of edits that give a face what witnesses describe
_GIVEN = (  # {it}: features as noun phrases
    "give {him} {it}", "give {him} {it}", "give {him} {it} instead", "{he} should have {it}", "{he} needs {it}", "{he} had {it}, change that",
    "can {he} have {it}?", "I'd like {him} with {it}", "I'd rather have {it}", "what would {he} look like with {it}?", "with {it} instead",
    "try {it}", "let's try {it}", "put {it} on {him}", "make that {it}", "what about {it}?", "how about {it}?", "now with {it}", "let {him} have {it}",
    "let's see {him} with {it}", "show me {him} with {it}", "I'd like to see {him} with {it}", "the same man but with {it}", "the same face with {it}",
    "same again but with {it}", "imagine {him} with {it}", "could we see {him} with {it}?", "add {it}", "swap that for {it}", "change it to {it}",
)  # fmt: skip
_EDIT_OPENINGS = (
    "", "", "", "", "", "", "", "", "Please ", "Can you ", "Now ", "OK, ", "Could you ", "Next, ", "Hmm, ", "Great, now ", "Good, now ", "and ", "also ",
    "I'd like you to ", "could you please ", "let's ", "try to ", "I want you to ", "would you ", "can we ", "could we ", "maybe ", "nearly, but ",
    "almost. ", "not quite: ", "no, ", "yes, and ", "then ", "right, ", "sorry, ", "actually, ", "I think we should ", "what if we ", "just ",
    "one more thing: ", "thanks, now ", "nice, but ", "better, but ", "that's him, only ", "lovely, now ", "hello, ", "I'd say ", "well, ",
)  # fmt: skip
_EDIT_CLOSINGS = (
    " please",
    ", please",
    " thanks",
    ", would you?",
    ", can you?",
    " for me",
    " now",
    " then",
    " mate",
    ", thank you",
    ", ok?",
    " pls",
)
_ON = (  # {face}: a face by name; {it}: what is to change
    "For {face}: {it}", "{face}: {it}", "{face} looks right, {it}", "{face} is close. {it}", "I like {face}, but {it}", "{face} please, {it}",
    "{it} in {face}", "Take {face} and {it}", "On {face}, {it}", "in {face}, {it}", "go back to {face} and {it}", "use {face} and {it}",
    "with {face}, {it}", "{it} on {face}", "{face} is the best, now {it}", "{face} it is. {it}",
)  # fmt: skip


def edit(rng: random.Random, kind: Literal["say", "held"] = "say") -> Example:
    """A request to change a face; the answer is the call of the edit tool."""
    faces, photos = scene(rng, least_faces=1)
    sex = rng.choice(("man", "woman", "person"))
    speculative = rng.random() < AS_IF
    worn = not speculative and rng.random() < WITH
    if worn:
        texts, changes = _given(rng, sex, rng.choice((1, 1, 2)), kind)
        texts = [text + HEARD for text in texts]
    elif speculative:
        situation, look = as_if(rng, sex, kind)
        texts, changes = [situation], [{"slider": name, "value": value} for name, value in look.items()]
    else:
        texts, changes = edit_changes(rng, sex, rng.choice((1, 1, 1, 2, 2, 3)), kind)
        texts = [text + HEARD for text in texts]
    face = faces[-1]
    text = texts[0]
    for more in texts[1:]:
        text += rng.choice((" and ", ", ", " and ", ", and ", ". " if not worn else " and ")) + more
    if worn:
        text = agreeing(rng.choice(_GIVEN), sex).replace("{it}", text)
    if rng.random() < 0.72:
        text = rng.choice(_EDIT_OPENINGS) + text
    else:
        face = rng.choice(faces)
        text = rng.choice(_ON[:6] if speculative or worn else _ON).format(
            face=called(face, faces, rng), it=text
        )
    if rng.random() < 0.15:
        text += rng.choice(_EDIT_CLOSINGS)
    values = {str(change["slider"]): cast(float, change["value"]) for change in changes}
    means = [values] if speculative else [{axis: value} for axis, value in values.items()]
    prompt, heard = listen(prompt_of(surfaced(text, rng), faces, photos, []), means)
    call = call_text("edit", {"face": face, "changes": changes}) + END
    return Example("edit", prompt, call, heard=heard, asks=EDIT)


def _given(
    rng: random.Random, sex: str, count: int, kind: Literal["say", "held"]
) -> tuple[list[str], list[dict[str, object]]]:
    """Features as a witness words them, to be given to a face, and the changes they mean."""
    texts: list[str] = []
    changes: list[dict[str, object]] = []
    while len(changes) < count:
        axis, sign = rng.choices(ends(), _end_weights())[0]
        text, attribute = word(axis, sign, rng, kind, sex)
        if text.startswith("$ ") or any(change["slider"] == axis.name for change in changes):
            continue
        texts.append(text)
        changes.append({"slider": axis.name, "value": attribute.value})
    return texts, changes
