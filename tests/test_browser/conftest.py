"""A page in headless Chromium with the viewer's bundle, served from this machine.

These tests carry the marker `browser`, which plain pytest leaves out; run them with
scripts/browser_tests.sh. They are skipped, with the reason, where Chromium or playwright is missing.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import Mesh, NamedMesh, mesh_of
from facegpt_model.morphable.base import load
from tests.test_browser.pages import WAIT, Listener, calm, shot
from ui.viewer import bundle

SIZE = 400
PAGE = f"""<!doctype html><meta charset="utf-8"><title>viewer</title><link rel="icon" href="data:,">
<body style="margin:0"><div id="place" style="width:{SIZE}px;height:{SIZE}px"></div>
<script type="module">
  import component, {{ mount }} from "/viewer.js";
  Object.assign(window, {{ component, mount }});
</script>"""
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
FAILED = pytest.StashKey[bool]()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder and the address it is served at."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "page.html").write_text(PAGE)
    (folder / "viewer.js").write_text(bundle(), encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: the one FACEGPT_CHROMIUM names, or one of this machine."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: pip install 'facegpt[dev]'"
    )
    program = os.environ.get("FACEGPT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("Chromium is missing: apt-get install --no-install-recommends chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, site: tuple[Path, str]) -> Iterator[Any]:
    """A fresh page; at the end nothing was asked of another machine and no error was left."""
    _, address = site
    page = browser.new_page(viewport={"width": SIZE + 40, "height": SIZE + 40})
    page.set_default_timeout(120_000)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(f"{address}/page.html")
    page.wait_for_function("window.mount !== undefined")
    yield page
    page.close()
    assert not [url for url in asked if not url.startswith((address, f"blob:{address}", "data:"))]
    assert not errors


@pytest.fixture
def show(page: Any) -> Callable[..., np.ndarray]:
    """show(glb or None to keep the face, options...) -> (SIZE, SIZE, 4); the page's `view` stays mounted."""

    def shown(glb: bytes | None = None, **options: Any) -> np.ndarray:
        address = page.evaluate(
            """async ([glb, options]) => {
                const place = document.getElementById("place");
                if (glb) {
                    window.view?.dispose();
                    window.view = mount(place, glb, options);
                    await window.view.ready;
                } else window.view.update(options);
                return window.view.snapshot();
            }""",
            [base64.b64encode(glb).decode() if glb else None, options],
        )
        return picture_of(address)

    return shown


def picture_of(address: str) -> np.ndarray:
    """(H, W, 4) of a PNG data URL."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGBA"))


@pytest.fixture(scope="session")
def mesh() -> Mesh:
    """The mean face."""
    model = load()
    return mesh_of(model, model.layout.unpack(torch.zeros(1, model.layout.code_size)))


@pytest.fixture(scope="session")
def glb(mesh: Mesh) -> bytes:
    return glb_bytes(mesh)


@pytest.fixture(scope="session")
def visor() -> NamedMesh:
    """A blue bar before the eyes."""
    bar = np.array([[-60, 20, 70], [60, 20, 70], [60, 45, 70], [-60, 45, 70]], np.float32)
    normals = np.tile(np.array([[0, 0, 1]], np.float32), (4, 1))
    return NamedMesh("visor", bar, normals, np.array([[0, 1, 2], [0, 2, 3]]), (0.0, 0.05, 0.9, 1.0))


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server, in this process on a free port."""
    uvicorn = pytest.importorskip("uvicorn", reason="streamlit is missing")
    from agent import registry
    from ui.web import desk as desks
    from ui.web.server import application

    before = os.environ.get(desks.ROOT_VARIABLE)
    os.environ[desks.ROOT_VARIABLE] = str(tmp_path_factory.mktemp("threads"))
    opener, desks._open_model = desks._open_model, Listener
    fitted = registry.reconstruct
    registry.reconstruct = functools.partial(fitted, quality="fast")
    desks.the_desk.cache_clear()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(application(), host="127.0.0.1", port=port, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)
    desks.the_desk().close()
    desks._open_model, registry.reconstruct = opener, fitted
    desks.the_desk.cache_clear()
    os.environ.pop(desks.ROOT_VARIABLE) if before is None else os.environ.update(
        {desks.ROOT_VARIABLE: before}
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember on the test whether it failed, for the pictures of its pages."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def visit(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """visit(path, **context options): a page that may ask nothing of any other host.

    When the test fails, each of its pages is kept as out/browser/failed-NAME-N.png.
    """
    contexts, asked, errors = [], [], []

    def opened(path: str = "/", **options: Any) -> Any:
        options.setdefault("viewport", {"width": 1360, "height": 900})
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}{path}")
        calm(page)
        return page

    yield opened
    if request.node.stash.get(FAILED, False):
        for number, context in enumerate(contexts):
            for page in context.pages:
                shot(page, f"failed-{request.node.name}-{number}")
    for context in contexts:
        context.close()
    own = (address, address.replace("http", "ws"), f"blob:{address}", "data:")
    assert not [url for url in asked if not url.startswith(own)]
    assert not errors


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gallery of six people, shown as grey squares."""
    from tools.store.gallery import fill
    from tools.store.opening import open_store
    from tools.studio import open_studio

    studio, folder = open_studio(), tmp_path / "store"
    with open_store(folder, studio) as store:
        fill(store, studio, 6, 1, lambda doing, share: None)
    for place in ("ui.web.gallery.usual_store", "agent.registry.usual_store"):
        monkeypatch.setattr(place, lambda studio, report: open_store(folder, studio))
    monkeypatch.setattr(
        "tools.retrieve.thumbnail", lambda *_: Image.effect_noise((64, 64), 50).convert("RGBA")
    )
