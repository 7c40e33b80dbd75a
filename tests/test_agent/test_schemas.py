"""Strict schemas: nothing optional, nothing extra, and only words that exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import llguidance
import pytest

from agent.chat_models import FaceChatModel
from agent.schemas import strict_schema, with_choices
from agent.toolbox import toolbox
from facegpt_model.semantics.axes import axis_list
from tools.edit import EditRequest
from tools.render import RenderRequest

TOOLS = {tool.name: tool for tool in toolbox()}


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """All object schemas inside a schema."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@pytest.mark.parametrize("name", TOOLS)
def test_every_object_is_closed_and_complete(name: str) -> None:
    schema = TOOLS[name].args_schema
    found = list(objects(schema))
    assert found
    for node in found:
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])
    assert "$ref" not in json.dumps(schema) and "default" not in json.dumps(schema)


def test_bounds_and_slider_names_are_in_the_schema() -> None:
    change = TOOLS["edit"].args_schema["properties"]["changes"]["items"]["properties"]
    assert change["value"]["minimum"] == -1 and change["value"]["maximum"] == 1
    assert change["slider"]["enum"] == [axis.name for axis in axis_list()]
    yaw = strict_schema(RenderRequest)["properties"]["yaw"]
    assert (yaw["type"], yaw["minimum"], yaw["maximum"]) == ("integer", -90, 90)


def test_choices_reach_nested_properties_and_leave_the_original_alone() -> None:
    schema = strict_schema(EditRequest)
    before = json.dumps(schema)
    filled = with_choices(schema, {"face": ["face-1"], "slider": ["smile"]})
    assert filled["properties"]["face"]["enum"] == ["face-1"]
    assert filled["properties"]["changes"]["items"]["properties"]["slider"]["enum"] == ["smile"]
    assert json.dumps(schema) == before


def test_the_embedded_model_is_not_asked_for_what_it_was_not_taught() -> None:
    assert "studio" in TOOLS["render"].args_schema["properties"]["light"]["enum"]  # a planner may choose
    bound = FaceChatModel(backend=None).bind_tools([TOOLS["render"], TOOLS["views"]], faces=["face-1"])
    for schema in bound.kwargs["tools"]:
        assert "light" not in schema.parameters["properties"] and "light" not in schema.parameters["required"]
        assert schema.parameters["properties"]["face"]["enum"] == ["face-1"]


@pytest.mark.parametrize("name", TOOLS)
def test_the_decoder_can_compile_every_schema(name: str) -> None:
    schema = with_choices(TOOLS[name].args_schema, {"face": ["face-1"], "photo": ["photo-1"]})
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
    assert llguidance.LLMatcher.validate_grammar(grammar) == ""
