"""POST /v1/face on a vLLM server: words in, a whole face out, in one call, for callers without FaceGPT.

The server answers as its own client, over the loopback: the same prompts, grammars and readings as
everywhere else (vllm_client.py), so that this face is the one a chat would get.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from facegpt_model import layout
from facegpt_model.semantics.axes import phrase_table
from facegpt_model.semantics.likely import Said
from facegpt_model.semantics.words import parse
from facegpt_model.serving.backend import BackendError
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.vlm.tokens import FACE
from facegpt_model.vlm.variants import condition_of

PATH = "/v1/face"
LEAST = 0.02  # of a slider that is told


class FaceQuestion(BaseModel, extra="forbid"):
    """The body of a request."""

    text: str = Field(min_length=1, max_length=4000, description="what somebody looks like, in any words")


def face_answer(backend: VllmBackend, text: str) -> dict[str, Any]:
    """The face of a description as JSON. Raises BackendError.

    text:       what was understood, with "<FACE>"
    parameters: the flat code, in the order of layout.py
    sliders:    values by name, those that were mentioned
    condition:  (C,) numbers that the sampler of variants is told (vlm/variants.py)
    face:       the record that face-N.json files hold, which every command reads
    """
    reply = backend.imagine(text)
    estimate = reply.faces[0]
    sliders = backend.axes.read(estimate.code).items()
    return {
        "object": "face",
        "model": backend.name,
        "text": reply.text,
        "parameters": backend.axes.layout.pack(estimate.code)[0].tolist(),
        "sliders": {name: round(value, 4) for name, value in sliders if abs(value) >= LEAST},
        "condition": condition_of(estimate.code, _said(reply.text), backend.axes)[0].tolist(),
        "face": layout.to_record(estimate),
    }


def _said(text: str) -> Said:
    statement = parse(text.replace(FACE, ""))
    if statement is None:
        return Said()
    table = phrase_table()
    names = dict.fromkeys(table[phrase][0] for phrase in statement.phrases if phrase in table)
    return Said(statement.sex, statement.age, tuple(n for n in names if n not in ("masculinity", "age")))


class FaceEndpoint:
    """The plugin, by vLLM's protocol of `vllm.endpoint_plugins`."""

    name = "facegpt_face"
    required_tasks = ("generate",)

    def __init__(self, connect: Callable[[], VllmBackend] | None = None) -> None:
        """connect: makes the client of this very server, at the first request; default: by its arguments."""
        self._connect = connect
        self._backend: VllmBackend | None = None
        self._lock = threading.Lock()

    def attach_router(self, app: Starlette) -> None:
        """Add the route."""
        app.router.add_route(PATH, self.answer, methods=["POST"])

    async def init_state(self, engine_client: object, state: object, args: Any) -> None:
        """Learn where this server listens."""
        host = "127.0.0.1" if args.host in (None, "", "0.0.0.0", "::") else args.host
        url = f"http://{host}:{args.port}"
        key = os.environ.get("VLLM_API_KEY") or (args.api_key or [""])[0]
        self._connect = lambda: VllmBackend.connect(url, key)

    async def answer(self, request: Request) -> JSONResponse:
        """One face, or an error in OpenAI's form."""
        try:
            question = FaceQuestion.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            said = f"{where}: {first['msg']}" if where else first["msg"]
            return _error(400, f'{said}; send {{"text": "a man with a broad nose"}}')
        try:
            return JSONResponse(await run_in_threadpool(self._answer, question.text))
        except BackendError as error:
            return _error(503, str(error))

    def _answer(self, text: str) -> dict[str, Any]:
        with self._lock:
            if self._backend is None:
                if self._connect is None:
                    raise BackendError("the server has not started yet")
                self._backend = self._connect()
        return face_answer(self._backend, text)


def _error(code: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "code": code}}, status_code=code)
