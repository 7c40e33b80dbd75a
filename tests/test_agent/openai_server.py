"""A small OpenAI-compatible chat server on this machine that plays a script and notes what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedServer:
    """Gives prepared messages in order, each {"content": ..., "tool_calls": [(name, arguments)]}."""

    def __init__(self, script: list[dict[str, Any]]) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.address = ""

    def answer(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The chunks of one streamed answer, or the one answer where none are asked for."""
        self.requests.append(request)
        given = self.script.pop(0)
        number = len(self.requests)
        calls = [
            {
                "index": place,
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for place, (name, arguments) in enumerate(given.get("tool_calls", ()))
        ]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word + " "} for word in given.get("content", "").split(" ") if word]
        deltas += [{"tool_calls": calls}] if calls else []
        base = {"id": f"chat-{number}", "object": "chat.completion.chunk", "created": 0, "model": "fake"}
        chunks = [{**base, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
        end = "tool_calls" if calls else "stop"
        if not request.get("stream"):
            message = {"role": "assistant", "content": given.get("content", "")}
            choice = {"index": 0, "message": message, "finish_reason": end}
            return [{**base, "object": "chat.completion", "choices": [choice]}]
        return [*chunks, {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]}]


@contextmanager
def serving(script: list[dict[str, Any]]) -> Iterator[ScriptedServer]:
    """The server on a free port of the loopback interface."""
    played = ScriptedServer(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chunks = played.answer(request)
            assert self.path == "/v1/chat/completions"
            streamed = bool(request.get("stream"))
            body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            body = body if streamed else json.dumps(chunks[0])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    played.address = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
