"""What the model says after a tool has answered: what there is now, without inventing or figures."""

from __future__ import annotations

import random
from collections.abc import Callable

from facegpt_model.data.descriptions import sample_statement
from facegpt_model.data.dialogues import edit, edit_changes
from facegpt_model.data.examples import Example
from facegpt_model.data.requests import describe_face, export, photo, render, step_back
from facegpt_model.vlm.tokens import END, message


def after_tool(rng: random.Random) -> Example:
    """A tool has answered; the model tells the user what there is now, without inventing."""
    first = rng.choice((edit, edit, edit, photo, photo, export, export, render, describe_face, step_back))(
        rng
    )
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
    return result, f"Here is {made}: {told}. {old} is kept."


def _photo_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    name = rng.choice(("portrait.jpg", "photo.png", "IMG_2034.jpg", "her.jpg", "face.jpeg", "dad.png"))
    others = f"; {rng.randint(2, 5)} faces seen, the largest used" if rng.random() < 0.2 else ""
    method = (
        "fitted by optimisation (landmark fit), not by the language model; landmark error "
        f"{rng.uniform(0.5, 4):.1f} % of the distance between the eyes{others}"
    )
    answer = f"Here is face-{number} from {name}. It was fitted by optimisation, not by the language model."
    return f"face-{number} from {name}, {method}", answer


def _export_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    form = rng.choice(("glb", "glb", "obj", "ply", "png"))
    name = f"face-{number}.{form}"
    about = "52 named morph targets" if form == "glb" else "mesh in millimetres"
    about = "picture of 512 pixels" if form == "png" else f"{about}, {rng.uniform(0.1, 12):.1f} MB"
    return f"{name}: face-{number}, {about}", f"Saved face-{number} as {name}."


def _render_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    yaw = rng.choice((0, 35, -35, 80, -80))
    name = f"face-{number}-yaw{yaw:+d}.png"
    result = f"{name}: face-{number} turned by {yaw} degrees, 512 pixels"
    return result, f"Here is face-{number} turned by {yaw} degrees: {name}."


def _words_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    _, statement, _ = sample_statement(rng)
    words = statement.text().removesuffix(".")
    result = f"face-{number}: {words}; nose width {rng.uniform(24, 45):.0f} mm, mouth width {rng.uniform(40, 60):.0f} mm"
    return result, f"face-{number}: {words}."


def _step_result(rng: random.Random, number: int, first: Example) -> tuple[str, str]:
    undone = '"undo"' in first.answer
    if undone and rng.random() < 0.15:
        return "no face is current now; all are kept", "No face is current now; all of them are kept."
    result = f"face-{number} is current again" + ("; later faces are kept" if undone else "")
    return result, f"face-{number} is current again."


_RESULTS: dict[str, Callable[[random.Random, int, Example], tuple[str, str]]] = {
    "edit": _edit_result,
    "photo": _photo_result,
    "export": _export_result,
    "render": _render_result,
    "describe_face": _words_result,
    "step_back": _step_result,
}
