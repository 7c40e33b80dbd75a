"""Hooks around the model: it learns the handles, its faces get theirs, and it cannot run on forever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelCallLimitMiddleware,
    ModelRequest,
    ModelResponse,
    hook_config,
)
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.runtime import Runtime

from agent.toolbox import Services
from facegpt_model import layout
from tools.imagine import keep


class KnownHandles(AgentMiddleware[AgentState, Services]):
    """Tells the model which faces and photos exist, the one meant by "it" last."""

    def wrap_model_call(
        self,
        request: ModelRequest[Services],
        handler: Callable[[ModelRequest[Services]], ModelResponse],
    ) -> ModelResponse:
        """Limit handles in tool arguments to those that exist."""
        workspace = request.runtime.context.workspace
        current = workspace.current
        faces = [handle for handle in workspace.handles if handle != current]
        settings = {"faces": faces + ([current] if current else []), "photos": list(workspace.photos)}
        return handler(request.override(model_settings={**request.model_settings, **settings}))


class RegisterFaces(AgentMiddleware[AgentState, Services]):
    """Gives each <FACE> of an answer a handle; the message keeps the handles, not the numbers."""

    def after_model(self, state: AgentState, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """Put the faces of the last message into the workspace."""
        message = state["messages"][-1]
        if not isinstance(message, AIMessage) or not message.additional_kwargs.get("faces"):
            return None
        said = next((str(m.text) for m in reversed(state["messages"]) if isinstance(m, HumanMessage)), "")
        handles = []
        for record in message.additional_kwargs["faces"]:
            face = keep(layout.from_record(record), said, str(message.text), runtime.context.workspace)
            runtime.stream_writer({"face": face.handle})
            handles.append(face.handle)
        extra = {key: value for key, value in message.additional_kwargs.items() if key != "faces"}
        linked = message.model_copy(update={"additional_kwargs": {**extra, "handles": handles}})
        return {"messages": [linked]}


class StepLimit(ModelCallLimitMiddleware[Any, Services]):
    """Ends a turn after so many calls of the model, in words a person understands."""

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: Any, runtime: Runtime[Services]) -> dict[str, Any] | None:
        """Stop, or let the next call happen."""
        stop = super().before_model(state, runtime)
        if stop is None:
            return None
        text = f"I stopped after {self.run_limit} steps without getting done; please say it in another way."
        return {**stop, "messages": [AIMessage(text)]}
