"""transcript.json: the whole conversation with its tool calls, results, faces and pictures by name.

Holds names of files, never their bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

TRANSCRIPT_FORMAT = 1


def transcript(
    messages: Sequence[BaseMessage], backend: str, memory: dict[str, Any] | None = None
) -> dict[str, Any]:
    """JSON-able record of a conversation.

    messages is a list of {role: user, text, photos}, {role: assistant, text, faces,
    pictures, tool_calls: [{id, name, arguments}]} and {role: tool, name, call_id, ok,
    text, faces, pictures, files}. memory is what a planner reads of older turns, {text, by, turns},
    where some were summarised.
    """
    told = [_entry(message) for message in messages]
    kept = {"memory": memory} if memory else {}
    found = [entry for entry in told if entry]
    return {"format": TRANSCRIPT_FORMAT, "model": backend, **kept, "messages": found}


def _entry(message: BaseMessage) -> dict[str, Any]:
    text = str(message.text)
    if isinstance(message, HumanMessage):
        photos = message.additional_kwargs.get("photos", [])
        named = [
            {"handle": photo["handle"], "name": photo.get("name", ""), "file": f"{photo['handle']}.jpg"}
            for photo in photos
        ]
        return {"role": "user", "text": text, "photos": named}
    if isinstance(message, AIMessage):
        handles = message.additional_kwargs.get("handles", [])
        calls = [{"id": c["id"], "name": c["name"], "arguments": c["args"]} for c in message.tool_calls]
        return {
            "role": "assistant",
            "text": text,
            "faces": handles,
            "pictures": [f"{handle}.png" for handle in handles],
            "tool_calls": calls,
        }
    if isinstance(message, ToolMessage):
        made = message.artifact or {}
        files = list(made.get("files", ()))
        return {
            "role": "tool",
            "name": message.name,
            "call_id": message.tool_call_id,
            "ok": message.status != "error",
            "text": text,
            "faces": list(made.get("faces", ())),
            "pictures": [name for name in files if name.endswith(".png")],
            "files": files,
        }
    return {}
