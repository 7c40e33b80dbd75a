"""Does a request bring about the right call, with the right arguments, and talk none?

Every request is a single turn beside a list of faces; the call it should bring about comes from the
generator of the training data, with wordings that were trained ("say") or kept out ("held").
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from facegpt_model.data.asking import ask, talk
from facegpt_model.data.dialogues import edit
from facegpt_model.data.examples import Example
from facegpt_model.data.requests import describe_face, export, photo, render, step_back
from facegpt_model.data.small_talk import small_talk
from facegpt_model.semantics.axes import axis_list
from facegpt_model.semantics.words import Degree
from facegpt_model.serving.backend import Backend, ChatTurn, ToolSchema
from facegpt_model.vlm.tokens import END, TOOL_CALL

Kind = Literal["say", "held"]
Maker = Callable[[random.Random, Kind], Example]
REQUESTS: tuple[Maker, ...] = (
    edit, ask, edit, ask, edit, ask, photo, ask, render, ask, export, ask, step_back, ask, describe_face, ask,
)  # fmt: skip
TALKS: tuple[Maker, ...] = (talk, talk, small_talk)
TALK_SHARE = 3  # one turn of talk beside so many requests


@dataclass
class ToolScore:
    """Counts of what was right.

    changes: sliders that an edit should move; sides: of these, moved to that side; amounts: and by an
    amount within one spoken degree; extra: sliders moved that were not asked for
    """

    requests: int = 0
    tool: int = 0
    arguments: int = 0
    face: int = 0
    changes: int = 0
    sides: int = 0
    amounts: int = 0
    extra: int = 0
    talks: int = 0
    quiet: int = 0
    wrong: list[tuple[str, str, str]] = field(default_factory=list)

    def shares(self) -> dict[str, float]:
        """Shares in [0, 1], and extra sliders for each change that was asked for."""
        return {
            "right tool": self.tool / max(self.requests, 1),
            "right face": self.face / max(self.tool, 1),
            "all arguments right": self.arguments / max(self.requests, 1),
            "slider and side": self.sides / max(self.changes, 1),
            "amount within one degree": self.amounts / max(self.changes, 1),
            "extra sliders for each asked": self.extra / max(self.changes, 1),
            "no tool for talk": self.quiet / max(self.talks, 1),
        }


def tool_calls(
    backend: Backend,
    count: int,
    seed: int = 0,
    kind: Kind = "say",
    done: Callable[[int], None] = lambda number: None,
) -> ToolScore:
    """Score `count` requests and a third as many turns of talk; `wrong` holds words, call, wanted call."""
    rng = random.Random(f"tools-{kind}-{seed}")
    score = ToolScore()
    for number in range(count):
        example = REQUESTS[number % len(REQUESTS)](rng, kind)
        _score(score, example, _reply(backend, example))
        done(number)
    for number in range(count // TALK_SHARE):
        example = TALKS[number % len(TALKS)](rng, kind)
        call = _reply(backend, example)
        score.talks += 1
        score.quiet += call is None
        if call is not None:
            score.wrong.append((_words(example), json.dumps(call), example.answer.removesuffix(END)))
        done(count + number)
    return score


def _reply(backend: Backend, example: Example) -> dict[str, Any] | None:
    turns, faces, photos = request(example)
    calls = backend.chat(turns, tool_schemas(faces, photos), faces).tool_calls
    return {"name": calls[0].name, "arguments": calls[0].arguments} if calls else None


def _score(score: ToolScore, example: Example, call: dict[str, Any] | None) -> None:
    wanted = json.loads(example.answer.removeprefix(TOOL_CALL).removesuffix(END))
    score.requests += 1
    asked = wanted["arguments"].get("changes", [])
    score.changes += len(asked)
    if call != wanted:
        score.wrong.append((_words(example), json.dumps(call), json.dumps(wanted)))
    if call is None or call["name"] != wanted["name"]:
        return
    score.tool += 1
    score.arguments += call == wanted
    score.face += call["arguments"].get("face") == wanted["arguments"].get("face")
    made = {change["slider"]: float(change["value"]) for change in call["arguments"].get("changes", [])}
    for change in asked:
        value = made.pop(change["slider"], 0.0)
        right = value * change["value"] > 0
        score.sides += right
        score.amounts += right and abs(_degree(value) - _degree(change["value"])) <= 1
    score.extra += len(made)


def _degree(value: float) -> int:
    """The index of the spoken degree nearest to an amount."""
    degrees = list(Degree)
    return min(range(len(degrees)), key=lambda n: abs(degrees[n].value - abs(value)))


def request(example: Example) -> tuple[list[ChatTurn], list[str], list[str]]:
    """The turns, faces and photos of an example; photos not attached were shown in an earlier turn."""
    state = example.prompt.partition(END)[0]
    words = _words(example)
    photos = re.findall(r"photo-\d+", state)
    named = tuple(name for name in photos if words.startswith(f"[{name}]"))
    words = re.sub(r"^\[photo-\d+\] ", "", words)
    earlier = [ChatTurn("user", "", photo_names=tuple(photos))] if photos and not named else []
    turns = [*earlier, ChatTurn("user", words, photo_names=named)]
    newest = int((re.findall(r"face-(\d+)", state) or ["0"])[-1])
    return turns, [f"face-{n + 1}" for n in range(newest)], photos


def _words(example: Example) -> str:
    return example.prompt.rpartition("<|im_start|>user\n")[2].partition(END)[0]


def tool_schemas(faces: Sequence[str], photos: Sequence[str]) -> list[ToolSchema]:
    """The tools with the chat's names and arguments, with sliders and handles as enums."""
    face = {"type": "string", "enum": list(faces) or [""]}
    whole = {"type": "integer", "minimum": -90, "maximum": 2048}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    names = {"type": "array", "items": {"type": "string"}}
    several = {"type": "array", "items": face}
    word = {"type": "string"}
    change = _object(
        slider={"type": "string", "enum": [axis.name for axis in axis_list()]},
        value={"type": "number", "minimum": -1, "maximum": 1},
    )
    changes = {"type": "array", "items": change, "minItems": 1, "maxItems": 8}
    schemas = {
        "edit": _object(face=face, changes=changes),
        "export": _object(face=face, format={"type": "string", "enum": ["glb", "obj", "ply", "png"]}),
        "render": _object(face=face, yaw=whole, pitch=whole, size=whole),
        "describe": _object(face=face),
        "views": _object(face=face, kind={"type": "string", "enum": ["sheet", "turntable"]}),
        "report": _object(format={"type": "string", "enum": ["html", "pdf"]}),
        "undo": _object(),
        "redo": _object(),
        "history": _object(),
        "go_to": _object(face=face),
        "delete": _object(face=face),
        "compare": _object(face=face, other=face, picture={"type": "boolean"}),
        "array": _object(faces=several, columns=whole, name=word),
        "variants": _object(face=face, count=whole, spread=share, keep=names, seed=whole),
        "breed": _object(faces=several, count=whole, mutation=share, seed=whole),
        "adjust": _object(
            face=face, how={"type": "string", "enum": ["more", "less"]}, sliders=names, amount=share, to=word
        ),
        "retrieve": _object(
            face=face, words=word, parts=names, count=whole, looks=word, min_age=whole, max_age=whole,
            tags=names,
        ),
    }  # fmt: skip
    if photos:
        schemas["reconstruct"] = _object(photo={"type": "string", "enum": list(photos)})
    return [ToolSchema(name, name, schema) for name, schema in schemas.items()]


def _object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
