"""All tools in one list: what the chat, the planner, MCP, workflows and pages offer.

A tool is a typed request and a plain function in tools/; here it gets its name and what has to
be known to offer it safely. Nothing in the list says who a person is or searches by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from facegpt_model.serving.backend import Backend
from tools.adjust import AdjustRequest, adjust
from tools.array import ArrayRequest, array
from tools.branch import GoToRequest, HistoryRequest, go_to, history
from tools.breed import BreedRequest, breed
from tools.compare import CompareRequest, compare
from tools.describe import DescribeRequest, describe
from tools.edit import EditRequest, edit
from tools.errors import ToolError
from tools.export import ExportRequest, export
from tools.expression import ExpressRequest, express
from tools.imagine import ImagineRequest, imagine
from tools.morph import MorphRequest, morph
from tools.outcome import Outcome
from tools.outer import OuterRequest, outer
from tools.reconstruct import PersonRequest, ReconstructRequest, reconstruct, reconstruct_together
from tools.relight import RelightRequest, relight
from tools.remove import DeleteRequest, delete
from tools.render import RenderRequest, render
from tools.report import ReportRequest, report_case
from tools.retrieve import BringRequest, RetrieveRequest, bring, retrieve
from tools.step_back import RedoRequest, UndoRequest, redo, undo
from tools.store.opening import usual_store
from tools.variants import VariantsRequest, variants
from tools.views import ViewsRequest, views
from tools.workspace import Workspace

Report = Callable[[str, float], None]  # what is being done, and the finished share of it, 0..1


@dataclass(frozen=True)
class Services:
    """What a running tool may use: the case it works on and the model that answers."""

    workspace: Workspace
    backend: Backend


@dataclass(frozen=True)
class ToolSpec:
    """One tool.

    trained:     the embedded model was trained to call it; others are for planners, MCP and pages
    untrained:   arguments it was not trained to give; its calls leave them at their defaults
    destructive: takes something away for good, so a person has to approve each call
    looks:       only reads, or writes nothing but a picture or file of what is there
    spoken:      the embedded model does it by saying <FACE>, so its chat does not offer it
    """

    name: str
    request: type[BaseModel]
    call: Callable[[Any, Services, Report], Outcome]
    trained: bool = False
    untrained: tuple[str, ...] = ()
    destructive: bool = False
    looks: bool = False
    spoken: bool = False

    @property
    def description(self) -> str:
        """What the tool does, in the first lines of its request's docstring."""
        return (self.request.__doc__ or "").strip()

    def run(self, fields: dict[str, Any], services: Services, report: Report) -> Outcome:
        """Check the fields and call the tool; ToolError in one sentence for wrong ones."""
        return self.call(checked(self.request, fields), services, report)


def _plain(call: Callable[[Any, Workspace], Outcome]) -> Callable[[Any, Services, Report], Outcome]:
    return lambda request, services, report: call(request, services.workspace)


def _retrieve(request: RetrieveRequest, services: Services, report: Report) -> Outcome:
    with usual_store(services.workspace.studio, lambda told: report(told, 0.0)) as store:
        return retrieve(request, services.workspace, store, report, services.backend)


def _bring(request: BringRequest, services: Services, report: Report) -> Outcome:
    with usual_store(services.workspace.studio, lambda told: report(told, 0.0)) as store:
        return bring(request, services.workspace, store)


TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec("edit", EditRequest, _plain(edit), trained=True),
    ToolSpec(
        "reconstruct",
        ReconstructRequest,
        lambda r, s, report: reconstruct(r, s.workspace, report),
        trained=True,
    ),
    ToolSpec("render", RenderRequest, _plain(render), trained=True, untrained=("light",), looks=True),
    ToolSpec("describe", DescribeRequest, _plain(describe), trained=True, looks=True),
    ToolSpec("export", ExportRequest, _plain(export), trained=True, looks=True),
    ToolSpec("undo", UndoRequest, _plain(undo), trained=True),
    ToolSpec("redo", RedoRequest, _plain(redo), trained=True),
    ToolSpec(
        "reconstruct_together",
        PersonRequest,
        lambda r, s, report: reconstruct_together(r, s.workspace, report),
    ),
    ToolSpec("imagine", ImagineRequest, lambda r, s, _: imagine(r, s.workspace, s.backend), spoken=True),
    ToolSpec("variants", VariantsRequest, _plain(variants), trained=True),
    ToolSpec("breed", BreedRequest, _plain(breed), trained=True),
    ToolSpec("outer", OuterRequest, _plain(outer)),
    ToolSpec("morph", MorphRequest, _plain(morph)),
    ToolSpec("express", ExpressRequest, _plain(express)),
    ToolSpec("relight", RelightRequest, _plain(relight), looks=True),
    ToolSpec("adjust", AdjustRequest, _plain(adjust), trained=True),
    ToolSpec("go_to", GoToRequest, _plain(go_to), trained=True),
    ToolSpec("history", HistoryRequest, _plain(history), trained=True, looks=True),
    ToolSpec("array", ArrayRequest, _plain(array), trained=True, looks=True),
    ToolSpec(
        "views",
        ViewsRequest,
        lambda r, s, report: views(r, s.workspace, report),
        trained=True,
        untrained=("light",),
        looks=True,
    ),
    ToolSpec("report", ReportRequest, _plain(report_case), trained=True, looks=True),
    ToolSpec("compare", CompareRequest, _plain(compare), trained=True, looks=True),
    ToolSpec("retrieve", RetrieveRequest, _retrieve, trained=True, looks=True),
    ToolSpec("bring", BringRequest, _bring),
    ToolSpec("delete", DeleteRequest, _plain(delete), trained=True, destructive=True),
)


def tool_named(name: str) -> ToolSpec:
    """The tool of that name; ToolError naming the known ones."""
    for spec in TOOLS:
        if spec.name == name:
            return spec
    raise ToolError(f"there is no tool called {name!r}; known: {', '.join(spec.name for spec in TOOLS)}")


def checked(request_type: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    """The request of these fields; ToolError naming the first wrong one."""
    try:
        return request_type.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the request"
        raise ToolError(f"{place}: {first['msg'].lower()}, not {first['input']!r}") from error
