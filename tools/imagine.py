"""Imagine: words to a face, outside any conversation.

The face is speculative: it shows what was said and, where nothing was said, the average
(of hair: what is usual, see unsaid.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from pydantic import BaseModel, Field

from facegpt_model.face import FaceEstimate
from facegpt_model.semantics.words import parse
from facegpt_model.serving.backend import Backend
from facegpt_model.vlm.tokens import FACE
from tools.errors import ToolError
from tools.face_files import Face
from tools.outcome import Outcome
from tools.unsaid import with_hair
from tools.workspace import Workspace

MAX_TEXT = 4000  # characters of one description


class ImagineRequest(BaseModel, extra="forbid"):
    """Make a face from a description in words."""

    text: str = Field(description="what the person looks like")
    seed: int | None = Field(default=None, description="seed of whatever is drawn at random")


def checked_text(text: str) -> str:
    """The text without outer blanks; ToolError if it is empty or longer than MAX_TEXT."""
    stripped = text.encode("utf-8", "replace").decode().strip()  # half characters cannot be stored
    if not stripped:
        raise ToolError(
            "the text is empty; say what the face looks like, such as 'an old man with a broad nose'"
        )
    if len(stripped) > MAX_TEXT:
        raise ToolError(
            f"the text has {len(stripped):,} characters; at most {MAX_TEXT:,} are read, so shorten it"
        )
    return stripped


def keep(face: FaceEstimate, text: str, said: str, workspace: Workspace) -> Face:
    """Put a face the model spoke into the workspace: the user's text, the model's answer, what was assumed.

    made_by["understood"] is the answer, made_by["attributes"] its canonical phrases.
    """
    dressed, assumed = with_hair(face, said, workspace.studio.head.layout)
    statement = parse(said.replace(FACE, "").strip())
    made_by: dict[str, Any] = {"tool": "imagine", "text": text, "understood": said}
    if statement is not None:
        made_by["attributes"] = list(statement.phrases)
    if assumed:
        made_by["assumed"] = assumed
    return workspace.add(dressed, made_by=made_by)


def imagine(request: ImagineRequest, workspace: Workspace, backend: Backend) -> Outcome:
    """Let the language model make a face of the text; returns its handle and the model's own words."""
    text = checked_text(request.text)
    if request.seed is not None:
        torch.manual_seed(request.seed)
    reply = backend.imagine(text)
    if not reply.faces:
        raise ToolError("the model made no face of this text; describe what the face looks like")
    made = [keep(replace(face, seed=request.seed), text, reply.text, workspace) for face in reply.faces]
    handles = tuple(face.handle for face in made)
    assumed = made[-1].made_by.get("assumed")
    note = f"{made[-1].estimate.model}; drawn with {assumed}" if assumed else made[-1].estimate.model
    text = f"{', '.join(handles)}: {reply.text} (speculative: made from words, {note})"
    return Outcome(text, handles, tuple(name for handle in handles for name in workspace.files(handle)))
