"""The client of served models: what it sends, makes of the answers, and says when they fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import torch

from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.serving.backend import BackendError, ChatTurn, ToolSchema
from facegpt_model.serving.server_link import TRIES, ServerLink
from facegpt_model.serving.slots import MOST_PER_READING, OFFSET, axis_slot
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.vlm.tokens import END, FACE, IMAGE, TOOL_CALL

SPECIAL = {END: 2, IMAGE: 90, FACE: 91, TOOL_CALL: 92}


class ServerOfScripts:
    """Answers as vLLM does: characters are tokens, answers are prepared, slots hold given slider values."""

    def __init__(self, axes: Axes, says: list[str], sliders: dict[str, float]) -> None:
        self.names, self.says, self.sliders = list(reversed(axes.names)), says, sliders
        self.ids = {**SPECIAL, **{axis_slot(name): 1000 + n for n, name in enumerate(self.names)}}
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "facegpt@test"}]})
        body = json.loads(request.content)
        if request.url.path == "/tokenize":
            strings = self.split(body["prompt"])
            tokens = [self.ids.get(s, ord(s[0])) for s in strings]
            return httpx.Response(200, json={"tokens": tokens, "token_strs": strings})
        self.asked.append(body)
        if body.get("logprob_token_ids"):
            return httpx.Response(200, json={"choices": [self.reading(body)]})
        return httpx.Response(200, content=self.events(self.says.pop(0)))

    def split(self, text: str) -> list[str]:
        found: list[str] = []
        while text:
            token = next((t for t in self.ids if text.startswith(t)), text[0])
            found.append(token)
            text = text[len(token) :]
        return found

    def reading(self, body: dict[str, Any]) -> dict[str, Any]:
        assert len(body["logprob_token_ids"]) <= MOST_PER_READING
        top = {
            f"token_id:{i}": OFFSET + self.sliders.get(self.names[i - 1000], 3e-6)
            for i in body["logprob_token_ids"]
        }
        return {"index": 0, "logprobs": {"top_logprobs": [top]}}

    def events(self, says: str) -> Iterator[bytes]:
        pieces = self.split(says)
        last = SPECIAL.get(pieces[-1])
        for piece in pieces:
            ends = piece == pieces[-1] and last is not None
            stop = {"finish_reason": "stop", "stop_reason": None if last == 2 else last} if ends else {}
            event = {"text": "" if ends else piece, "token_ids": [self.ids.get(piece, ord(piece[0]))], **stop}
            yield b"data: " + json.dumps({"choices": [event]}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def axes() -> Axes:
    return load_axes(load("openhead@2"))


def served(axes: Axes, says: list[str], sliders: dict[str, float]) -> tuple[VllmBackend, ServerOfScripts]:
    server = ServerOfScripts(axes, says, sliders)
    link = ServerLink("http://served", transport=httpx.MockTransport(server), first_wait=0.0)
    return VllmBackend(link, axes), server


def test_a_description_is_restated_by_grammar_and_read_out_in_two_readings(axes: Axes) -> None:
    backend, server = served(axes, ["A man", " with thin lips." + END], {"lip fullness": -0.5, "age": 0.25})
    pieces: list[str] = []
    reply = backend.chat([ChatTurn("user", "a man, thin lips")], (), (), pieces.append)
    assert reply.text == "A man with thin lips. <FACE>" and "".join(pieces) == "A man with thin lips."
    opening, sentence, *readings = server.asked
    assert (
        str(SPECIAL[TOOL_CALL]) in opening["logit_bias"] and str(SPECIAL[FACE]) not in opening["logit_bias"]
    )
    assert "thin lips" in sentence["structured_outputs"]["grammar"] and "logit_bias" not in sentence
    assert [len(one["logprob_token_ids"]) for one in readings] == [128, len(axes.names) - 128]
    assert (
        readings[0]["prompt"][0][-2:] == [ord(" "), SPECIAL[FACE]] and "structured_outputs" not in readings[0]
    )
    wanted = axes.code({"lip fullness": -0.5, "age": 0.25})
    assert torch.allclose(reply.faces[0].code.identity, wanted.identity, atol=1e-4)
    assert reply.faces[0].source == "text:A man with thin lips."


def test_imagining_makes_a_face_whatever_is_said(axes: Axes) -> None:
    backend, _ = served(axes, ["h", "m" + END], {})
    reply = backend.imagine("hm")
    assert reply.text == "Ahm<FACE>" and len(reply.faces) == 1 and not reply.faces[0].code.identity.any()


def test_a_call_is_held_to_the_schemas_and_speech_stays_speech(axes: Axes) -> None:
    tool = ToolSchema("undo", "Go back", {"type": "object", "properties": {}, "additionalProperties": False})
    call = json.dumps({"name": "undo", "arguments": {}})
    backend, server = served(axes, [call + END], {})
    reply = backend.chat([ChatTurn("user", "go back")], [tool])  # by these words a call is sure
    assert [(c.name, c.arguments) for c in reply.tool_calls] == [("undo", {})] and not reply.faces
    assert server.asked[0]["structured_outputs"]["json"]["anyOf"][0]["properties"]["name"] == {
        "const": "undo"
    }
    assert server.asked[0]["prompt"][-1] == SPECIAL[TOOL_CALL]
    backend, server = served(axes, ["He", "llo." + END], {})
    assert backend.chat([ChatTurn("user", "hi")], [tool]).text == "Hello."


def test_a_model_without_slots_is_refused(axes: Axes) -> None:
    server = ServerOfScripts(axes, [], {})
    server.ids = dict(SPECIAL)
    with pytest.raises(BackendError, match="no exported FaceGPT"):
        VllmBackend(ServerLink("http://served", transport=httpx.MockTransport(server)), axes)


def test_an_adapter_is_asked_for_and_not_the_model_below_it(axes: Axes) -> None:
    server = ServerOfScripts(axes, [], {})
    models = [
        {"id": "facegpt@test-base", "parent": None},
        {"id": "facegpt@test", "parent": "facegpt@test-base"},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        listed = request.url.path == "/v1/models"
        return httpx.Response(200, json={"data": models}) if listed else server(request)

    found = VllmBackend(ServerLink("http://served", transport=httpx.MockTransport(answer)), axes)
    assert found.name == "facegpt@test"


def link(answer: Callable[[httpx.Request], httpx.Response]) -> ServerLink:
    return ServerLink("http://served/v1", transport=httpx.MockTransport(answer), first_wait=0.0)


def test_what_was_not_answered_is_tried_again() -> None:
    left = ["refused", "busy", "ok"]

    def answer(request: httpx.Request) -> httpx.Response:
        match left.pop(0):
            case "refused":
                raise httpx.ConnectError("refused")
            case "busy":
                return httpx.Response(503)
        return httpx.Response(200, json={"fine": 1})

    assert link(answer).post("/x", {}) == {"fine": 1} and not left


def test_a_server_that_never_answers_is_named() -> None:
    tries: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        raise httpx.ConnectError("refused")

    with pytest.raises(BackendError, match="no server answers at http://served; start one"):
        list(link(answer).stream("/x", {}))
    assert len(tries) == TRIES


@pytest.mark.parametrize("how", ["cut", "error"])
def test_an_answer_that_breaks_off_is_never_repeated(how: str) -> None:
    tries: list[int] = []

    def events() -> Iterator[bytes]:
        yield b'data: {"choices": [{"text": "A"}]}\n\n'
        if how == "error":
            raise httpx.ReadError("reset")

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        return httpx.Response(200, content=events())

    got: list[object] = []
    with pytest.raises(BackendError, match=r"in the middle of an answer .* conversation is kept"):
        got.extend(link(answer).stream("/x", {}))
    assert len(tries) == 1


def test_a_wrong_key_and_a_wrong_address_are_told() -> None:
    with pytest.raises(BackendError, match="set FACEGPT_SERVER_KEY"):
        link(lambda request: httpx.Response(401)).get("/v1/models")
    with pytest.raises(BackendError, match="answered 400: too long"):
        link(lambda request: httpx.Response(400, json={"error": {"message": "too long"}})).get("/x")
    with pytest.raises(BackendError, match="http://host:port"):
        ServerLink("served:8000")
