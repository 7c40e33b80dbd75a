"""LangChain messages to chat turns and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat_models import FaceChatModel, to_message, to_turn, unspoken
from agent.toolbox import toolbox
from facegpt_model import layout
from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import ChatTurn, Reply, ToolCall


def test_messages_become_turns() -> None:
    photos = [{"handle": "photo-1", "path": "/somewhere/a.jpg"}]
    call = {"name": "edit", "args": {"face": ""}, "id": "c1", "type": "tool_call"}
    turns = [
        to_turn(message)
        for message in (
            SystemMessage("be kind"),
            HumanMessage("look", additional_kwargs={"photos": photos}),
            AIMessage("well", tool_calls=[call]),
            ToolMessage("done", tool_call_id="c1", name="edit"),
        )
    ]
    assert turns == [
        ChatTurn("system", "be kind"),
        ChatTurn("user", "look", images=(Path("/somewhere/a.jpg"),), photo_names=("photo-1",)),
        ChatTurn("assistant", "well", tool_calls=(ToolCall("c1", "edit", {"face": ""}),)),
        ChatTurn("tool", "done", tool_name="edit", tool_call_id="c1"),
    ]
    with pytest.raises(ValueError, match="ChatMessage"):
        to_turn(ChatMessage("x", role="critic"))


def test_call_ids_are_made_unique() -> None:
    calls = (ToolCall("", "describe", {}), ToolCall("a", "describe", {}), ToolCall("a", "describe", {}))
    message = to_message(Reply("", calls), "m@1", frozenset({"b"}))
    ids = [call["id"] for call in message.tool_calls]
    assert len(set(ids)) == 3 and "a" in ids and all(ids)
    again = to_message(Reply("", (ToolCall("b", "describe", {}),)), "m@1", frozenset({"b"}))
    assert again.tool_calls[0]["id"] != "b"


def test_faces_travel_as_json_and_come_back(estimate: Callable[..., FaceEstimate]) -> None:
    message = to_message(Reply("One <FACE> two <FACE>", (), (estimate(1), estimate(2))), "m@1")
    records = json.loads(json.dumps(message.additional_kwargs["faces"]))
    for seed, record in enumerate(records, start=1):
        code = layout.from_record(record).code
        assert torch.allclose(code.identity, estimate(seed).code.identity, atol=1e-5)
    assert message.response_metadata["model_name"] == "m@1"


@pytest.mark.parametrize(
    ("spoken", "text", "rest"),
    [
        ("A man. ", "A man. <FACE>", "<FACE>"),
        (" A man.", "A man. <FACE>", " <FACE>"),
        ("A man. <FACE> ", "A man. <FACE>", ""),
        ("", "Hello", "Hello"),
        ("Something else", "A man.", ""),
    ],
)
def test_what_was_not_streamed_follows(spoken: str, text: str, rest: str) -> None:
    assert unspoken(spoken, text) == rest


def test_tools_are_offered_with_existing_handles_only(scripted: Callable[..., Any]) -> None:
    backend = scripted([Reply("a"), Reply("b")])
    model = FaceChatModel(backend=backend)
    model.bind_tools(toolbox(), faces=["face-2", "face-1"], photos=["photo-1"]).invoke("hello")
    model.bind_tools(toolbox(), faces=[], photos=[]).invoke("hello")
    _, tools, faces = backend.asked[0]
    schemas = {tool.name: tool.parameters["properties"] for tool in tools}
    assert faces == ["face-2", "face-1"]
    assert schemas["edit"]["face"]["enum"] == ["face-2", "face-1"]
    assert schemas["reconstruct"]["photo"]["enum"] == ["photo-1"]
    assert "reconstruct" not in {tool.name for tool in backend.asked[1][1]}
