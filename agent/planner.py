"""A larger chat model as planner: it talks and calls tools, FaceGPT makes the faces.

Any server with OpenAI's chat API will do. What the planner reads of the case is a short list of
faces and photos; of a long chat it reads the newest turns and its own summary of the earlier ones
(memory.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage

from agent.memory import newer
from agent.prompts import PLANNER
from agent.registry import Services
from tools.branch import HistoryRequest, history
from tools.workspace import Workspace

KEY_VARIABLE = "FACEGPT_PLANNER_KEY"
TIMEOUT = 120.0  # seconds for one answer


def open_planner(address: str, model: str = "default") -> BaseChatModel:
    """The model behind an OpenAI-compatible address, such as http://127.0.0.1:8000/v1.

    Its key, where it needs one, is read from the environment variable FACEGPT_PLANNER_KEY.
    """
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return ChatOpenAI(
        model=model,
        base_url=address,
        api_key=SecretStr(os.environ.get(KEY_VARIABLE) or "none"),
        timeout=TIMEOUT,
        max_retries=1,
        temperature=0.0,
    )


class ReadsTheCase(AgentMiddleware[AgentState, Services]):
    """Tells the planner what there is and what it remembers, and asks for strict calls one at a time."""

    def __init__(self, strict: bool) -> None:
        super().__init__()
        self._strict = strict

    def wrap_model_call(
        self,
        request: ModelRequest[Services],
        handler: Callable[[ModelRequest[Services]], ModelResponse],
    ) -> ModelResponse:
        """Give it the case, its memory and the newest turns."""
        workspace = request.runtime.context.workspace
        memory: dict[str, Any] = request.state.get("memory") or {}  # type: ignore[assignment]
        earlier = f"\n\nEarlier in this conversation:\n{memory['text']}" if memory else ""
        text = f"{PLANNER}\n\n{case_in_words(workspace)}{earlier}"
        settings = {"strict": True, "parallel_tool_calls": False} if self._strict else {}
        return handler(
            request.override(
                system_message=SystemMessage(text),
                messages=newer(request.messages, memory),
                model_settings={**request.model_settings, **settings},
            )
        )


def case_in_words(workspace: Workspace) -> str:
    """Faces with how they came about, the current one marked, and photos."""
    faces = history(HistoryRequest(), workspace).text
    photos = ", ".join(f"{handle} ({workspace.photo_name(handle)!r})" for handle in workspace.photos)
    return f"Faces (* is the current one):\n{faces}\nPhotos: {photos or 'none'}"


def is_openai(model: Any) -> bool:
    """Whether a planner understands OpenAI's switches for strict calls."""
    return any(kind.__name__ == "BaseChatOpenAI" for kind in type(model).__mro__)
