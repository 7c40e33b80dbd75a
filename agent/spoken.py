"""Say a text to a backend exactly as the embedded chat does: the same prompt, tools and choices.

Faces that a chat spoke can be made again that way (tools/rerun.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from langchain_core.messages import HumanMessage, SystemMessage

from agent.chat_models import FaceChatModel
from agent.prompts import SYSTEM
from agent.registry import TOOLS
from agent.toolbox import toolbox
from facegpt_model import layout
from facegpt_model.serving.backend import Backend, Reply


def speak_again(
    backend: Backend, text: str, faces: Sequence[str], photos: Sequence[tuple[str, Path]]
) -> Reply:
    """The answer to `text` in a chat with these faces, the current one last, and photos shown before."""
    model = FaceChatModel(backend=backend)
    tools = toolbox([spec for spec in TOOLS if spec.trained])
    bound = model.bind_tools(tools, faces=faces, photos=[handle for handle, _ in photos])
    shown = [{"handle": handle, "path": str(path)} for handle, path in photos]
    earlier = [HumanMessage("", additional_kwargs={"photos": shown})] if shown else []
    message = bound.invoke([SystemMessage(SYSTEM), *earlier, HumanMessage(text)])
    records = message.additional_kwargs.get("faces", ())
    return Reply(str(message.text), (), tuple(layout.from_record(record) for record in records))
