"""The served model against the engine in this process. Starts real servers: scripts/serve_tests.sh."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import torch

from agent.events import Final
from agent.loop import Conversation
from facegpt_model import layout
from facegpt_model.evaluation import parity
from facegpt_model.serving import launch
from facegpt_model.serving.backend import BackendError, ChatTurn
from facegpt_model.serving.export import export_checkpoint
from facegpt_model.serving.in_process import InProcessBackend
from facegpt_model.serving.vllm_client import VllmBackend
from facegpt_model.vlm.tokens import FACE
from tools.workspace import Workspace

pytestmark = [pytest.mark.serve, pytest.mark.slow]
PORT = 8917
QUESTIONS = 50
STATEMENTS = 12


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        launch.serving_python()
    except BackendError as error:
        pytest.skip(str(error))
    return export_checkpoint(tmp_path_factory.mktemp("served") / "model")


def started(exported: Path, precision: str, port: int = PORT) -> launch.Server:
    settings = launch.ServeSettings.model_validate({"model": exported, "port": port, "precision": precision})
    return launch.start(settings, exported.parent / "cache")


@pytest.fixture(scope="module")
def own() -> InProcessBackend:
    return InProcessBackend.load()


@pytest.fixture(scope="module")
def exact(exported: Path) -> Iterator[VllmBackend]:
    with started(exported, "float32") as server:
        yield VllmBackend.connect(server.url)


def vectors(backend: VllmBackend) -> torch.Tensor:
    return torch.stack([parity.served_sliders(backend, said) for said in parity.statements(STATEMENTS)])


def test_in_float32_faces_decisions_and_calls_are_the_same(exact: VllmBackend, own: InProcessBackend) -> None:
    here = torch.stack([parity.own_sliders(own, said) for said in parity.statements(STATEMENTS)])
    assert here.abs().max() > 0.2 and (here - vectors(exact)).abs().max() <= 1e-3
    asked = parity.questions(QUESTIONS)
    found = parity.agreement(parity.ask(own, asked), parity.ask(exact, asked))
    assert found.kind == found.asked == QUESTIONS and found.calls == QUESTIONS, found
    assert found.words >= QUESTIONS - 2 and found.faces <= 1e-2, found


def test_a_conversation_streams_and_goes_on(exact: VllmBackend) -> None:
    pieces: list[str] = []
    first = ChatTurn("user", "an old man with a hooked nose")
    reply = exact.chat([first], (), (), pieces.append)
    assert len(pieces) > 3 and "".join(pieces).strip() == reply.text.replace(FACE, "").strip()
    turns = [first, ChatTurn("assistant", reply.text), ChatTurn("user", "hello")]
    assert exact.chat(turns, (), ["face-1"]).text

    def stop(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exact.chat([first], (), (), stop)
    assert exact.chat([first], ()).text == reply.text


def ask_until_it_dies(backend: VllmBackend, pieces: threading.Semaphore) -> str:
    """Ask without a pause, counting pieces of text; what the last question got, as told."""
    while True:
        try:
            turn = ChatTurn("user", "an old man with a hooked nose")
            backend.chat([turn], (), (), lambda _: pieces.release())
        except BackendError as error:
            return str(error)


@pytest.mark.usefixtures("numbers_only")
def test_bfloat16_is_near_and_its_death_under_load_loses_no_conversation(
    exported: Path, own: InProcessBackend, case: Path
) -> None:
    with started(exported, "bfloat16", PORT + 1) as server, ThreadPoolExecutor(8) as pool:
        backend = VllmBackend.connect(server.url)
        served = vectors(backend)
        conversation = Conversation(Workspace(case), backend)
        list(conversation.turn("an old man with a hooked nose"))
        pieces = threading.Semaphore(0)
        others = [VllmBackend.connect(server.url) for _ in range(7)]
        crowd = [pool.submit(ask_until_it_dies, other, pieces) for other in others]

        def kill() -> None:
            for _ in range(4 * len(crowd)):
                pieces.acquire()
            os.killpg(server.process.pid, signal.SIGKILL)

        killer = pool.submit(kill)
        with pytest.raises(BackendError, match=r"conversation is kept|no server answers"):
            while True:
                list(conversation.turn("what can you do?"))
        told = [one.result() for one in crowd]
        assert killer.done() and all("is kept" in said or "no server answers" in said for said in told), told
    here = torch.stack([parity.own_sliders(own, said) for said in parity.statements(STATEMENTS)])
    assert torch.corrcoef(torch.stack([here.flatten(), served.flatten()]))[0, 1] >= 0.999
    with started(exported, "bfloat16", PORT + 1) as server:
        *_, last = conversation.turn("make his nose longer")  # the same client, the same conversation
        assert isinstance(last, Final) and last.faces == ("face-2",)
        assert conversation.workspace.face("face-2").parent == "face-1"
        conversation.close()
        backend = VllmBackend.connect(server.url)
        assert torch.equal(vectors(backend), served)
        answer = httpx.post(f"{server.url}/v1/face", json={"text": "a man with thin lips"}, timeout=60).json()
        assert answer["text"] == backend.imagine("a man with thin lips").text
        assert layout.from_record(answer["face"]).code.identity.any()
