"""Requests that are answered by a tool call: photos, exports, pictures, questions, steps back."""

from __future__ import annotations

import random

from facegpt_model.data.examples import Example, called, prompt_of, scene, surfaced
from facegpt_model.vlm.tokens import END, call_text

_PHOTO = (
    "Here is a photo.", "Here is a photo of him.", "This is her.", "Make a face from this photo.",
    "Reconstruct this face in 3D.", "Can you turn this picture into a 3D face?", "What about this picture?",
    "", "Use this portrait.", "Please make the face in this photo.", "Here's a picture, make it 3D", "do this one",
    "I found a photo of the person.", "Build the head of this person.", "Here is a photo: portrait.jpg",
    "A photo for you.", "Turn this into a face", "Look at this photo and make the face.", "Fit this photo.",
)  # fmt: skip


def photo(rng: random.Random) -> Example:
    """A photo is shown; the answer is the call of the reconstruct tool."""
    faces, photos = scene(rng, least_photos=1)
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
        "photo", prompt_of(text, faces, photos, attached), call_text("reconstruct", {"photo": name}) + END
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
    faces, photos = scene(rng, least_faces=1)
    form = "glb"
    text = rng.choice(_EXPORT)
    if rng.random() < 0.4:
        form = rng.choice(tuple(_FORMATS))
        text = rng.choice(_FORMATS[form])
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    text = text.replace("{face}", called(face, faces, rng))
    return Example(
        "export",
        prompt_of(text, faces, photos, []),
        call_text("export", {"face": face, "format": form}) + END,
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
    faces, photos = scene(rng, least_faces=1)
    yaw, pitch, texts = rng.choice(_VIEWS)
    text = rng.choice(texts)
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    he = rng.choice((("him", "his"), ("her", "her"), ("them", "their")))
    text = text.replace("{face}", called(face, faces, rng)).replace("{him}", he[0]).replace("{his}", he[1])
    call = call_text("render", {"face": face, "yaw": yaw, "pitch": pitch, "size": 512})
    return Example("render", prompt_of(surfaced(text, rng), faces, photos, []), call + END)


_DESCRIBE_FACE = (
    "describe {face}", "what does {face} look like?", "describe the face", "describe it in words",
    "what do you see in {face}?", "put this face into words", "tell me about {face}", "how wide is the nose?",
    "give me the measurements of {face}",
)  # fmt: skip


def describe_face(rng: random.Random) -> Example:
    """A question about a face that exists; the answer is the call of the describe tool."""
    faces, photos = scene(rng, least_faces=1)
    text = rng.choice(_DESCRIBE_FACE)
    face = rng.choice(faces) if "{face}" in text else faces[-1]
    text = surfaced(text.replace("{face}", called(face, faces, rng)), rng)
    return Example(
        "describe_face", prompt_of(text, faces, photos, []), call_text("describe", {"face": face}) + END
    )


_UNDO = (
    "undo", "undo that", "go back", "take that back", "undo the last change", "step back", "no, the one before was better",
    "revert it", "scrap that", "I liked it better before", "back to how it was", "cancel the last change", "oops, undo",
    "please undo the last step", "go back one", "that was wrong, go back",
)  # fmt: skip
_REDO = (
    "redo", "redo that", "bring it back", "put the change back", "no, keep the change after all", "undo the undo",
    "go forward again", "restore the change", "redo the last step", "forward one step",
)  # fmt: skip


def step_back(rng: random.Random) -> Example:
    """A request to take the last step back, or to take that back; the answer is the call of a tool."""
    faces, photos = scene(rng, least_faces=1)
    name, texts = rng.choice((("undo", _UNDO), ("undo", _UNDO), ("redo", _REDO)))
    text = surfaced(rng.choice(texts), rng)
    return Example("step_back", prompt_of(text, faces, photos, []), call_text(name, {}) + END)
