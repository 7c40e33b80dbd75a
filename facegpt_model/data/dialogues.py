"""Training examples of the chat: descriptions, edits, photos, exports, answers to tools.

Each example is a prompt and the answer the model should give. Answers that end in <FACE>
carry marks: character positions in the answer with the slider values understood so far,
so that the face head learns from every phrase and not only from the last token.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from facegpt_model.data.descriptions import Wording, ends, sample_statement, slider_values, word
from facegpt_model.data.small_talk import SMALL_TALK
from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.words import Statement
from facegpt_model.vlm.tokens import END, FACE, call_text, message, state_line, user_text


@dataclass(frozen=True)
class Mark:
    """Where in the answer which slider values are known: end is a character position."""

    end: int
    values: dict[str, float]


@dataclass(frozen=True)
class Example:
    """One answer to learn; the answer includes the end-of-message token."""

    kind: str
    prompt: str
    answer: str
    marks: tuple[Mark, ...] = ()


def _prompt(user: str, faces: list[str], photos: list[str], attached: list[str], rest: str = "") -> str:
    state = message("system", state_line(faces, photos))
    return state + message("user", user_text(user, attached)) + rest + "<|im_start|>assistant\n"


def _scene(rng: random.Random, least_faces: int = 0, least_photos: int = 0) -> tuple[list[str], list[str]]:
    faces = max(least_faces, rng.choice((0, 0, 1, 1, 2, 3, 5, 8)))
    photos = max(least_photos, rng.choice((0, 0, 0, 0, 1, 2)))
    return [f"face-{n + 1}" for n in range(faces)], [f"photo-{n + 1}" for n in range(photos)]


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
    text, statement, _ = sample_statement(rng, kind, count)
    faces, photos = _scene(rng)
    answer = f"{statement.text()} {FACE}{END}"
    return Example("describe", _prompt(text, faces, photos, []), answer, marks_of(statement))


def restated(rng: random.Random) -> Example:
    """A statement already in canonical words: teaches canonical words -> code at little cost."""
    _, statement, _ = sample_statement(rng)
    answer = f"{statement.text()} {FACE}{END}"
    prompt = message("system", state_line([], [])) + "<|im_start|>assistant\n"
    return Example("restated", prompt, answer, marks_of(statement))


def edit_changes(rng: random.Random, sex: str, count: int) -> tuple[list[str], list[dict[str, object]]]:
    """Edit requests of `count` different axes, worded, and the changes they mean."""
    texts: list[str] = []
    changes: list[dict[str, object]] = []
    names: set[str] = set()
    while len(changes) < count:
        axis, sign = rng.choice(ends())
        if axis.name in names:
            continue
        text, attribute = word(axis, sign, rng, "edit", sex)
        names.add(axis.name)
        texts.append(text)
        changes.append({"slider": axis.name, "value": attribute.value})
    return texts, changes


_EDIT_OPENINGS = ("", "", "", "", "", "Please ", "Can you ", "Now ", "OK, ", "Could you ", "Next, ", "Hmm, ")


def edit(rng: random.Random) -> Example:
    """A request to change a face; the answer is the call of the edit tool."""
    faces, photos = _scene(rng, least_faces=1)
    sex = rng.choice(("man", "woman", "person"))
    texts, changes = edit_changes(rng, sex, rng.choice((1, 1, 1, 2, 2, 3)))
    face = faces[-1]
    text = texts[0]
    for more in texts[1:]:
        text += rng.choice((" and ", ", ", " and ", ", and ", ". ")) + more
    text = rng.choice(_EDIT_OPENINGS) + text
    if rng.random() < 0.25:
        face = rng.choice(faces)
        text = rng.choice((f"For {face}: {text}", f"{face}: {text}", f"{text} in {face}", f"Take {face} and {text}",
                           f"On {face}, {text}"))  # fmt: skip
    text = _surface(text, rng)
    return Example(
        "edit", _prompt(text, faces, photos, []), call_text("edit", {"face": face, "changes": changes}) + END
    )


def _surface(text: str, rng: random.Random) -> str:
    if rng.random() < 0.4:
        text = text[:1].upper() + text[1:]
    return text + rng.choice(("", "", ".", "!", " please", "."))


_PHOTO = (
    "Here is a photo.", "Here is a photo of him.", "This is her.", "Make a face from this photo.",
    "Reconstruct this face in 3D.", "Can you turn this picture into a 3D face?", "What about this picture?",
    "", "Use this portrait.", "Please make the face in this photo.", "Here's a picture, make it 3D", "do this one",
    "I found a photo of the person.", "Build the head of this person.", "Here is a photo: portrait.jpg",
    "A photo for you.", "Turn this into a face", "Look at this photo and make the face.", "Fit this photo.",
)  # fmt: skip


def photo(rng: random.Random) -> Example:
    """A photo is shown; the answer is the call of the reconstruct tool."""
    faces, photos = _scene(rng, least_photos=1)
    name = photos[-1]
    text = rng.choice(_PHOTO)
    attached = [name]
    if rng.random() < 0.12:
        attached = []
        name = rng.choice(photos)
        text = rng.choice(
            (f"Make a face from {name}.", f"Reconstruct {name}", f"Now do {name} again", f"use {name}")
        )
    return Example(
        "photo", _prompt(text, faces, photos, attached), call_text("reconstruct", {"photo": name}) + END
    )


_EXPORT = (
    "export it", "Export it.", "Export the face.", "save it as a file", "Give me the 3D file", "download it please",
    "I need it in Blender", "export {face}", "save {face} to a file", "Can I have the model?", "write it to disk",
    "export this face for my game engine", "Let me have the mesh", "export that one", "save the 3D model",
)  # fmt: skip
_FORMATS = {
    "glb": ("export it as glTF", "glb please", "Export {face} as glb", "save it as a gltf file"),
    "obj": ("export it as obj", "save {face} as OBJ", "obj file please", "I need an OBJ"),
    "ply": ("export as ply", "save a PLY of {face}", "ply please"),
    "png": ("save a picture of it", "export it as png", "a PNG of {face} please"),
}


def export(rng: random.Random) -> Example:
    """A request for a file; the answer is the call of the export tool."""
    faces, photos = _scene(rng, least_faces=1)
    form = "glb"
    text = rng.choice(_EXPORT)
    if rng.random() < 0.4:
        form = rng.choice(tuple(_FORMATS))
        text = rng.choice(_FORMATS[form])
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    text = text.replace("{face}", face)
    return Example(
        "export", _prompt(text, faces, photos, []), call_text("export", {"face": face, "format": form}) + END
    )


_VIEWS = (
    (
        0,
        0,
        ("show me {him} from the front", "render it", "show {face}", "draw {face} again", "let me see {him}"),
    ),
    (
        35,
        0,
        (
            "turn {him} to {his} left",
            "show {him} turned to the left",
            "rotate {face} to the left a bit",
            "turn left",
            "turn to the left",
        ),
    ),
    (
        -35,
        0,
        (
            "turn {him} to {his} right",
            "show {him} turned to the right",
            "three-quarter view from the other side",
        ),
    ),
    (80, 0, ("show the left profile", "profile view", "from the side please", "side view of {face}")),
    (-80, 0, ("show the right profile", "profile from the right side")),
    (0, 20, ("show {him} looking up", "tilt the head up", "chin up, show me")),
    (0, -20, ("show {him} looking down", "tilt the head down")),
)


def render(rng: random.Random) -> Example:
    """A request for a picture from some side; the answer is the call of the render tool."""
    faces, photos = _scene(rng, least_faces=1)
    yaw, pitch, texts = rng.choice(_VIEWS)
    text = rng.choice(texts)
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    he = rng.choice((("him", "his"), ("her", "her"), ("them", "their")))
    text = text.replace("{face}", face).replace("{him}", he[0]).replace("{his}", he[1])
    call = call_text("render", {"face": face, "yaw": yaw, "pitch": pitch, "size": 512})
    return Example("render", _prompt(_surface(text, rng), faces, photos, []), call + END)


_DESCRIBE_FACE = (
    "describe {face}", "what does {face} look like?", "describe the face", "describe it in words",
    "what do you see in {face}?", "put this face into words", "tell me about {face}", "how wide is the nose?",
    "give me the measurements of {face}",
)  # fmt: skip


def describe_face(rng: random.Random) -> Example:
    """A question about a face that exists; the answer is the call of the describe tool."""
    faces, photos = _scene(rng, least_faces=1)
    text = rng.choice(_DESCRIBE_FACE)
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    text = _surface(text.replace("{face}", face), rng)
    return Example(
        "describe_face", _prompt(text, faces, photos, []), call_text("describe", {"face": face}) + END
    )


def after_tool(rng: random.Random) -> Example:
    """A tool has answered; the model tells the user what there is now, without inventing."""
    first = rng.choice((edit, edit, edit, photo, photo, export, export, render, describe_face))(rng)
    number = rng.randint(1, 9)
    result, answer = _RESULTS[first.kind](rng, number, first)
    head, _, _ = first.prompt.rpartition("<|im_start|>assistant\n")
    said = message("assistant", first.answer.removesuffix(END))
    prompt = head + said + message("tool", result) + "<|im_start|>assistant\n"
    if rng.random() < 0.08:
        problem = rng.choice(_PROBLEMS)
        prompt = head + said + message("tool", f"Error: {problem}") + "<|im_start|>assistant\n"
        answer = f"That did not work: {problem}"
    return Example("after_tool", prompt, answer + END)


_PROBLEMS = (
    "no face found in photo-1; use a photo that shows a face from the front.",
    "no face called face-9; known faces: face-1, face-2.",
    "nothing would change on face-1: smile is at its limit.",
    "the folder is read-only; choose another with --out.",
)


def _edit_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    sex = rng.choice(("man", "woman"))
    _, changes = edit_changes(rng, sex, rng.choice((1, 1, 2, 3)))
    told = "; ".join(f"{c['slider']} {c['value']:+.2f}" for c in changes)
    made, old = f"face-{number + 1}", f"face-{rng.randint(1, number)}"
    measured = ""
    if rng.random() < 0.8:
        name = rng.choice(
            ("nose width", "mouth width", "jaw width", "eye distance", "face height", "lip thickness")
        )
        measured = f" Measured: {name} {rng.uniform(-4, 4):+.1f} mm."
    result = f"{made} made from {old}: {told}.{measured} {old} is kept."
    return result, f"Here is {made}: {told}.{measured} {old} is kept."


def _photo_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    name = rng.choice(("portrait.jpg", "photo.png", "IMG_2034.jpg", "her.jpg", "face.jpeg", "dad.png"))
    others = f"; {rng.randint(2, 5)} faces seen, the largest used" if rng.random() < 0.2 else ""
    method = (
        "fitted by optimisation (landmark fit), not by the language model; landmark error "
        f"{rng.uniform(0.5, 4):.1f} % of the distance between the eyes{others}"
    )
    return f"face-{number} from {name}, {method}", f"Here is face-{number} from {name}. It was {method}."


def _export_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    form = rng.choice(("glb", "glb", "obj", "ply", "png"))
    name = f"face-{number}.{form}"
    about = "52 named morph targets" if form == "glb" else "mesh in millimetres"
    about = "picture of 512 pixels" if form == "png" else f"{about}, {rng.uniform(0.1, 12):.1f} MB"
    return f"{name}: face-{number}, {about}", f"Saved face-{number} as {name}: {about}."


def _render_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    yaw = rng.choice((0, 35, -35, 80, -80))
    name = f"face-{number}-yaw{yaw:+d}.png"
    result = f"{name}: face-{number} turned by {yaw} degrees, 512 pixels"
    return result, f"Here is face-{number} turned by {yaw} degrees: {name}."


def _words_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    _, statement, _ = sample_statement(rng)
    words = statement.text().removesuffix(".")
    result = f"face-{number}: {words}; nose width {rng.uniform(24, 45):.0f} mm, mouth width {rng.uniform(40, 60):.0f} mm"
    return result, result.replace(f"face-{number}: ", f"face-{number} shows: ", 1) + "."


_RESULTS: dict[str, Callable[[random.Random, int, Example], tuple[str, str]]] = {
    "edit": _edit_result,
    "photo": _photo_result,
    "export": _export_result,
    "render": _render_result,
    "describe_face": _words_result,
}


def small_talk(rng: random.Random) -> Example:
    """Greetings, questions about FaceGPT, and refusals to say who somebody is."""
    questions, answer = rng.choice(SMALL_TALK)
    faces, photos = _scene(rng)
    attached = [photos[-1]] if photos and rng.random() < 0.2 and "photo" in answer else []
    return Example(
        "small_talk", _prompt(_surface(rng.choice(questions), rng), faces, photos, attached), answer + END
    )


MIXTURE: tuple[tuple[Callable[[random.Random], Example], float], ...] = (
    (describe, 0.48),
    (restated, 0.07),
    (edit, 0.18),
    (after_tool, 0.09),
    (photo, 0.04),
    (export, 0.04),
    (render, 0.05),
    (describe_face, 0.02),
    (small_talk, 0.03),
)


def sample(rng: random.Random) -> Example:
    """One training example of the mixture."""
    makers, weights = zip(*MIXTURE, strict=True)
    maker: Callable[[random.Random], Example] = rng.choices(makers, weights)[0]
    return maker(rng)


def sample_face(rng: random.Random) -> Example:
    """One example whose answer makes a face: half with a witness's words, half without."""
    return describe(rng) if rng.random() < 0.5 else restated(rng)
