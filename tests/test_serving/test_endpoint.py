"""POST /v1/face: one call gives the face a chat would get, and faults are told in one sentence."""

from __future__ import annotations

import asyncio
from argparse import Namespace

import httpx
import pytest
import torch
from starlette.applications import Starlette
from starlette.testclient import TestClient

from facegpt_model import layout
from facegpt_model.morphable.base import load
from facegpt_model.semantics.axes import Axes, load_axes
from facegpt_model.serving import vllm_endpoint
from facegpt_model.serving.backend import BackendError
from facegpt_model.serving.server_link import ServerLink
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.serving.vllm_endpoint import FaceEndpoint
from facegpt_model.vlm.tokens import END
from facegpt_model.vlm.variants import shipped_flow
from tests.test_serving.test_client import ServerOfScripts

SLIDERS = {"lip fullness": -0.5, "age": 0.25}


@pytest.fixture(scope="module")
def axes() -> Axes:
    return load_axes(load("openhead@2"))


def client(axes: Axes, says: list[str]) -> TestClient:
    def connect() -> VllmBackend:
        server = ServerOfScripts(axes, says, SLIDERS)
        return VllmBackend(ServerLink("http://served", transport=httpx.MockTransport(server)), axes)

    app = Starlette()
    FaceEndpoint(connect).attach_router(app)
    return TestClient(app)


def test_one_call_gives_parameters_condition_and_record(axes: Axes) -> None:
    says = [" man", " of about 55 with thin lips." + END]
    answer = client(axes, says).post("/v1/face", json={"text": "old, thin lips"}).json()
    assert answer["text"] == "A man of about 55 with thin lips. <FACE>" and answer["model"] == "facegpt@test"
    wanted = axes.code(SLIDERS)
    assert torch.allclose(torch.tensor([answer["parameters"]]), axes.layout.pack(wanted), atol=1e-4)
    assert answer["sliders"] == pytest.approx(SLIDERS, abs=0.02)
    estimate = layout.from_record(answer["face"])
    assert torch.allclose(estimate.code.identity, wanted.identity, atol=1e-4)
    flow = shipped_flow()
    condition = torch.tensor(answer["condition"])
    assert condition[:4].tolist() == pytest.approx([0, 1, 1, 10 / 40])  # a man, of an age, of that age
    names = flow.settings.sliders
    told = [name for name, on in zip(names, condition[-2 * len(names) : -len(names)], strict=True) if on]
    assert set(told) == {"lip fullness", "age", "masculinity"} & set(names) and "lip fullness" in told


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"text": ""}', b'{"text": "a man", "n": 2}'])
def test_what_is_no_question_is_told(axes: Axes, body: bytes) -> None:
    answer = client(axes, []).post("/v1/face", content=body)
    assert answer.status_code == 400 and 'send {"text":' in answer.json()["error"]["message"]


def test_it_asks_the_very_server_it_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def connect(url: str, key: str) -> VllmBackend:
        asked.append((url, key))
        raise BackendError("no server answers")

    monkeypatch.setattr(vllm_endpoint.VllmBackend, "connect", connect)
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    endpoint, app = FaceEndpoint(), Starlette()
    endpoint.attach_router(app)
    early = TestClient(app).post("/v1/face", json={"text": "a man"})
    assert early.status_code == 503 and "not started" in early.json()["error"]["message"]
    asyncio.run(endpoint.init_state(None, None, Namespace(host="0.0.0.0", port=8123, api_key=None)))
    late = TestClient(app).post("/v1/face", json={"text": "a man"})
    assert late.status_code == 503 and asked == [("http://127.0.0.1:8123", "secret")]
