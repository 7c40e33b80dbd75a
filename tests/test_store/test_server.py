"""Several clients share a store through the server and see what the others did."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.store.chroma import server_client
from tools.store.opening import connect, open_store
from tools.store.records import NewFace
from tools.studio import open_studio

Make = Callable[..., NewFace]
SERVE = (
    "import sys; from pathlib import Path; from tools.store.opening import serve; "
    "serve(Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]), lambda address: print(address, flush=True))"
)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path / "store"), str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    monkeypatch.setenv("FACEGPT_HOME", str(tmp_path / "home"))
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    server_client(address).close()  # told once it answers
    yield address
    server.send_signal(signal.SIGTERM)
    server.wait()


def test_clients_see_each_others_faces(url: str, tmp_path: Path, new_face: Make) -> None:
    with ExitStack() as opened:
        first = opened.enter_context(connect(url, open_studio()))
        second = opened.enter_context(connect(url, open_studio()))
        assert first.folder != second.folder  # each has a sidecar of its own
        ids = first.add([new_face(index) for index in range(6)]).ids
        assert second.query(new_face(3).code, 1)[0].face.id == ids[3]
        second.delete([ids[3]])
        second.add([new_face(7)])  # as many as before: counts alone would not tell
        assert first.query(new_face(7).code, 1)[0].distance == 0
        assert first.query(new_face(3).code, 1)[0].distance > 0.3
        with pytest.raises(
            ToolError, match=f"in use by process.*shared at {url}, so give this command --url"
        ):
            open_store(tmp_path / "store", open_studio())


def test_what_was_served_is_there_when_opened_alone(url: str, tmp_path: Path, new_face: Make) -> None:
    with connect(url, open_studio()) as client:
        client.add([new_face(0), new_face(1)])
    with connect(url, open_studio()) as again:
        assert len(again) == 2
