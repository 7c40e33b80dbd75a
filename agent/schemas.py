"""JSON schemas strict enough to decode against: everything required, nothing extra, handles as enums.

A small model that may only write what the schema allows cannot make up a slider, a face
or a photo. `face`, `photo` and `slider` are the three arguments with a closed list of
words; their lists are filled in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

UNTRAINED = "untrained"  # in a tool's metadata: arguments the embedded model does not know
DROPPED = frozenset({"title", "default", "$defs"})


def strict_schema(request: type[BaseModel]) -> dict[str, Any]:
    """Schema of a request: references inlined, all properties required, no others allowed."""
    schema = request.model_json_schema()
    strict = _strict(schema, schema.get("$defs", {}))
    strict.pop("description", None)
    return strict


def with_choices(schema: Mapping[str, Any], choices: Mapping[str, Sequence[object]]) -> dict[str, Any]:
    """The schema with every string property called like a key of `choices` limited to its words."""
    filled: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            filled[key] = {
                name: {**with_choices(inner, choices), "enum": list(choices[name])}
                if name in choices
                else with_choices(inner, choices)
                for name, inner in value.items()
            }
        elif isinstance(value, Mapping):
            filled[key] = with_choices(value, choices)
        else:
            filled[key] = value
    return filled


def without(schema: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The schema of an object without some of its properties."""
    properties = {name: inner for name, inner in schema["properties"].items() if name not in names}
    return {**schema, "properties": properties, "required": list(properties)}


def _strict(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_strict(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _strict(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions)
    strict = {key: _strict(value, definitions) for key, value in node.items() if key not in DROPPED}
    if node.get("type") == "object":
        properties = {name: _strict(inner, definitions) for name, inner in node["properties"].items()}
        strict |= {"properties": properties, "required": list(properties), "additionalProperties": False}
    return strict
