"""The tools as LangChain sees them: name, description, strict schema, and one call.

The tools themselves know nothing of LangChain. Here they get the workspace of the running
conversation; ToolError becomes a message for the model, anything else ends the turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from langchain.agents.middleware import HumanInTheLoopMiddleware, ToolErrorMiddleware
from langchain.tools import ToolRuntime
from langchain_core.tools import BaseTool, StructuredTool

from agent.registry import TOOLS, Services, ToolSpec
from agent.schemas import UNTRAINED, strict_schema, with_choices
from facegpt_model.semantics.axes import axis_list
from facegpt_model.serving.backend import BackendError
from tools.errors import ToolError

REFUSED = "Error: "  # begins every refusal the model reads, LangChain's own too
TRAINED = tuple(spec.name for spec in TOOLS if spec.trained)


def toolbox(specs: Sequence[ToolSpec] = TOOLS) -> list[BaseTool]:
    """The tools a conversation can run; which of them a model is offered, middleware.py decides."""
    return [bind(spec) for spec in specs]


def tool_errors() -> ToolErrorMiddleware[Any, Services]:
    """Lets the model read what a tool refused to do; bugs still end the turn."""
    expected = (ToolError, BackendError)
    return ToolErrorMiddleware(lambda error, _: f"{REFUSED}{error}" if isinstance(error, expected) else None)


def approvals() -> HumanInTheLoopMiddleware[Any, Services]:
    """Stops before every destructive tool until a person has decided, whoever asked for it."""
    asked: Mapping[str, Any] = {
        spec.name: {"allowed_decisions": ["approve", "reject"]} for spec in TOOLS if spec.destructive
    }
    return HumanInTheLoopMiddleware(interrupt_on=dict(asked))


def bind(spec: ToolSpec) -> BaseTool:
    """One tool for LangChain; its artifact is the outcome: handles and names of files, never bytes."""

    def run(runtime: ToolRuntime[Services], **fields: Any) -> tuple[str, dict[str, Any]]:
        def report(doing: str, share: float) -> None:
            runtime.stream_writer({"tool": spec.name, "doing": doing, "share": share})

        outcome = spec.run(fields, runtime.context, report)
        return outcome.text, asdict(outcome)

    return StructuredTool(
        name=spec.name,
        description=spec.description,
        args_schema=with_choices(
            strict_schema(spec.request), {"slider": [axis.name for axis in axis_list()]}
        ),
        func=run,
        response_format="content_and_artifact",
        metadata={UNTRAINED: spec.untrained},
    )
