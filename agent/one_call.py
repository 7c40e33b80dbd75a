"""One edit in words, outside any conversation: the model chooses the sliders, nothing else."""

from __future__ import annotations

from agent.prompts import SYSTEM
from agent.schemas import strict_schema, with_choices
from facegpt_model.semantics.axes import axis_list
from facegpt_model.serving.backend import Backend, ChatTurn, ToolSchema
from tools.edit import EditRequest, edit
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.workspace import Workspace


def edit_in_words(text: str, handle: str, workspace: Workspace, backend: Backend) -> Outcome:
    """Let the model turn words into an edit of one face; ToolError if it calls no edit."""
    choices = {"face": [handle], "slider": [axis.name for axis in axis_list()]}
    schema = with_choices(strict_schema(EditRequest), choices)
    tool = ToolSchema("edit", (EditRequest.__doc__ or "").strip(), schema)
    turns = [ChatTurn("system", SYSTEM), ChatTurn("user", text)]
    reply = backend.chat(turns, [tool], [handle], None)
    for call in reply.tool_calls:
        if call.name == "edit":
            request = EditRequest.model_validate({**call.arguments, "face": handle})
            return edit(request, workspace)
    raise ToolError(
        "the model did not read a change in this text; say what to change, such as "
        "'make the nose broader', or use --set 'nose width=+0.5'"
    )
