"""The chat in headless Chromium: a newcomer's two minutes, reload, stop, dark theme, phone.

The model follows a script; everything else is real. Pictures are left in out/browser.
"""

from __future__ import annotations

import io
import os
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import ChatTurn, Reply, ToolCall, ToolSchema
from tests.conftest import random_estimate

pytestmark = pytest.mark.browser
OUT = Path(__file__).parents[2] / "out" / "browser"
WAIT = 300_000  # milliseconds; machines that run this may be busy
SLOW = "take your time"


class Listener:
    """Answers by what was said: a smile for "smile", a long silence for SLOW, else a face."""

    name = "scripted@1"

    def chat(
        self,
        turns: list[ChatTurn],
        tools: list[ToolSchema],
        faces: list[str] = (),  # type: ignore[assignment]
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        last = turns[-1]
        if last.role == "tool":
            return Reply("He smiles now.")
        if "smile" in last.text:
            return Reply(
                "", (ToolCall("", "edit", {"face": "", "changes": [{"slider": "smile", "value": 0.6}]}),)
            )
        if SLOW in last.text:
            time.sleep(4)
        return Reply("A man of about 60 with a hooked nose. <FACE>", (), (self.face(),))

    def imagine(self, text: str) -> Reply:
        return Reply("<FACE>", (), (self.face(),))

    def face(self) -> FaceEstimate:
        return random_estimate(3)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server, in this process on a free port."""
    uvicorn = pytest.importorskip("uvicorn", reason="streamlit is missing")
    from ui.web import desk as desks
    from ui.web.server import application

    before = os.environ.get(desks.ROOT_VARIABLE)
    os.environ[desks.ROOT_VARIABLE] = str(tmp_path_factory.mktemp("threads"))
    opener, desks._open_model = desks._open_model, Listener
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
    desks._open_model = opener
    desks.the_desk.cache_clear()
    os.environ.pop(desks.ROOT_VARIABLE) if before is None else os.environ.update(
        {desks.ROOT_VARIABLE: before}
    )


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """visit(path, **context options): a page that may ask nothing of any other host."""
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
        page.get_by_test_id("stChatInputTextArea").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    own = (address, address.replace("http", "ws"), f"blob:{address}", "data:")
    assert not [url for url in asked if not url.startswith(own)]
    assert not errors


def say(page: Any, text: str) -> None:
    field = page.get_by_test_id("stChatInputTextArea")
    field.fill(text)
    field.press("Enter")


def shot(page: Any, name: str) -> np.ndarray:
    """(H, W, 3) of the whole window, kept in out/browser."""
    OUT.mkdir(parents=True, exist_ok=True)
    picture = page.screenshot(path=OUT / f"{name}.png")
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def face_in_view(page: Any) -> np.ndarray:
    """(H, W, 3) of the 3D view once it shows a face."""
    page.wait_for_selector("[data-shown]")
    page.locator("[data-busy]").wait_for(state="hidden")
    page.wait_for_timeout(1500)
    return np.asarray(Image.open(io.BytesIO(page.locator("[data-view]").screenshot())).convert("RGB"))


def test_a_newcomers_two_minutes(visit: Callable[..., Any]) -> None:
    page = visit()
    shot(page, "page-welcome")
    page.get_by_text("An old man with a hooked nose").click()
    page.get_by_role("button", name="Regenerate").wait_for()
    before = face_in_view(page).astype(int)
    assert before.std() > 15
    skin = (before[..., 0] - before[..., 2] > 25).mean()
    assert skin > 0.05

    page.get_by_label("search sliders").fill("nose width")
    slider = page.get_by_label("nose width", exact=True)
    slider.evaluate("input => { input.value = 0.9; input.dispatchEvent(new Event('input')); }")
    page.wait_for_timeout(1500)
    dragged = np.asarray(Image.open(io.BytesIO(page.locator("[data-view]").screenshot())).convert("RGB"))
    assert np.abs(dragged.astype(int) - before).max() > 40, "dragging moves the face in the browser"
    slider.evaluate("input => input.dispatchEvent(new Event('change'))")
    page.get_by_text("more towards a broad nose").wait_for()
    page.get_by_text("face-2", exact=True).first.wait_for()

    say(page, "let him smile")
    page.get_by_text("He smiles now.").wait_for()
    page.get_by_text("smile +0.60").first.wait_for()
    page.get_by_role("button", name="Undo").wait_for()
    face_in_view(page)
    shot(page, "page-chat")

    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Take it home").click()
    names = zipfile.ZipFile(downloaded.value.path()).namelist()
    inside = {name.partition("/")[2] for name in names}
    assert {"transcript.json", "journal.jsonl", "face-3.png", "face-3.glb"} <= inside

    page.reload()
    page.get_by_text("He smiles now.").wait_for()
    assert "thread=" in page.url

    dark = visit(_path(page.url), color_scheme="dark")
    dark.get_by_text("He smiles now.").wait_for()
    face_in_view(dark)
    assert shot(dark, "page-dark")[5, -5].max() < 70
    phone = visit(_path(page.url), viewport={"width": 390, "height": 844})
    phone.get_by_text("He smiles now.").wait_for()
    shot(phone, "page-phone")
    wide = phone.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "nothing sticks out at phone width"


def test_an_answer_can_be_stopped_and_the_chat_goes_on(visit: Callable[..., Any]) -> None:
    page = visit()
    say(page, SLOW)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    say(page, "an old man")
    page.get_by_text("A man of about 60 with a hooked nose.").first.wait_for()


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]
