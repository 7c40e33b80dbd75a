"""Imagine: words to a face, outside any conversation.

The face is speculative: it shows what was said and, where nothing was said, the average.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import BaseModel, Field

from facegpt_model.serving.backend import Backend
from tools.errors import ToolError
from tools.outcome import Outcome
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


def imagine(request: ImagineRequest, workspace: Workspace, backend: Backend) -> Outcome:
    """Let the language model make a face of the text; returns its handle and the model's own words."""
    text = checked_text(request.text)
    if request.seed is not None:
        torch.manual_seed(request.seed)
    reply = backend.imagine(text)
    if not reply.faces:
        raise ToolError("the model made no face of this text; describe what the face looks like")
    made_by = {"tool": "imagine", "text": text, "understood": reply.text}
    made = [workspace.add(replace(face, seed=request.seed), made_by=made_by) for face in reply.faces]
    handles = tuple(face.handle for face in made)
    text = f"{', '.join(handles)}: {reply.text} (speculative: made from words, {made[-1].estimate.model})"
    return Outcome(text, handles, tuple(name for handle in handles for name in workspace.files(handle)))
