"""The tools as LangChain sees them: name, description, strict schema, and one call.

The tools themselves know nothing of LangChain. Here they get the workspace of the running
conversation; ToolError becomes a message for the model, anything else ends the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from langchain.agents.middleware import ToolErrorMiddleware
from langchain.tools import ToolRuntime
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ValidationError

from agent.schemas import strict_schema, with_choices
from facegpt_model.semantics.axes import axis_list
from facegpt_model.serving.backend import Backend
from tools.describe import DescribeRequest, describe
from tools.edit import EditRequest, edit
from tools.errors import ToolError
from tools.export import ExportRequest, export
from tools.outcome import Outcome
from tools.reconstruct import ReconstructRequest, reconstruct
from tools.render import RenderRequest, render
from tools.step_back import RedoRequest, UndoRequest, redo, undo
from tools.workspace import Workspace


@dataclass(frozen=True)
class Services:
    """What a running turn may use: the case it works on and the model that answers."""

    workspace: Workspace
    backend: Backend


REFUSED = "Error: "  # begins every refusal the model reads, LangChain's own too

Report = Callable[[str, float], None]  # what is being done, and the finished share of it, 0..1


def toolbox() -> list[BaseTool]:
    """All tools the chat model may call.

    imagine is not among them: the model imagines by saying <FACE>.
    """
    return [
        _bind("edit", EditRequest, lambda r, workspace, _: edit(r, workspace)),
        _bind("reconstruct", ReconstructRequest, reconstruct),
        _bind("render", RenderRequest, lambda r, workspace, _: render(r, workspace)),
        _bind("describe", DescribeRequest, lambda r, workspace, _: describe(r, workspace)),
        _bind("export", ExportRequest, lambda r, workspace, _: export(r, workspace)),
        _bind("undo", UndoRequest, lambda r, workspace, _: undo(r, workspace)),
        _bind("redo", RedoRequest, lambda r, workspace, _: redo(r, workspace)),
    ]


def tool_errors() -> ToolErrorMiddleware[Any, Services]:
    """Lets the model read what a tool refused to do; bugs still end the turn."""
    return ToolErrorMiddleware(lambda error, _: f"{REFUSED}{error}" if isinstance(error, ToolError) else None)


def _bind(
    name: str,
    request_type: type[BaseModel],
    call: Callable[[Any, Workspace, Report], Outcome],
) -> BaseTool:
    def run(runtime: ToolRuntime[Services], **fields: Any) -> tuple[str, dict[str, Any]]:
        def report(doing: str, share: float) -> None:
            runtime.stream_writer({"tool": name, "doing": doing, "share": share})

        outcome = call(_checked(request_type, fields), runtime.context.workspace, report)
        return outcome.text, asdict(outcome)

    return StructuredTool(
        name=name,
        description=(request_type.__doc__ or "").strip(),
        args_schema=with_choices(
            strict_schema(request_type), {"slider": [axis.name for axis in axis_list()]}
        ),
        func=run,
        response_format="content_and_artifact",
    )


def _checked(request_type: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    try:
        return request_type.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the request"
        raise ToolError(f"{place}: {first['msg'].lower()}, not {first['input']!r}") from error
