"""Logging in by OpenID Connect in a browser, against a provider of our own; the real server in a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.test_browser.oidc_provider import CLIENT, EMAIL, SECRET
from tests.test_browser.pages import HOUSE, WAIT, accessible, shot

pytestmark = pytest.mark.browser
SERVE = (
    "import sys, uvicorn; from ui.web.server import application; "
    "uvicorn.run(application(), host='127.0.0.1', port=int(sys.argv[1]), log_level='warning')"
)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """Address of a server that lets people in by the provider only."""
    pytest.importorskip("authlib", reason="authlib is missing")
    door, provider = _free_port(), _free_port()
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(
        "[auth]\n"
        f'redirect_uri = "http://127.0.0.1:{door}/oauth2callback"\n'
        'cookie_secret = "0123456789abcdef0123456789abcdef"\n'
        f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
        f'server_metadata_url = "http://127.0.0.1:{provider}/.well-known/openid-configuration"\n'
    )
    there = {**os.environ, "PYTHONPATH": str(HOUSE), "FACEGPT_UI_ROOT": str(tmp_path / "threads")}
    commands = (
        [sys.executable, str(HOUSE / "tests" / "test_browser" / "oidc_provider.py"), str(provider)],
        [sys.executable, "-c", SERVE, str(door)],
    )
    running = [subprocess.Popen(command, cwd=tmp_path, env=there) for command in commands]
    try:
        _until_up(f"http://127.0.0.1:{provider}/keys")
        _until_up(f"http://127.0.0.1:{door}/facegpt/health")
        yield f"http://127.0.0.1:{door}"
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)


def test_people_log_in_by_a_provider_and_out_again(guarded: str, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(guarded)
    page.get_by_role("button", name="Log in").wait_for()
    assert page.get_by_test_id("stChatInputTextArea").count() == 0
    accessible(page)
    page.get_by_role("button", name="Log in").click()
    page.get_by_test_id("stChatInputTextArea").wait_for()
    page.get_by_text(f"Logged in as {EMAIL}").wait_for()
    shot(page, "logged-in")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{guarded}/facegpt/faces/chat-1/face-1.glb", timeout=60)
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()
    context.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _until_up(url: str) -> None:
    for _ in range(WAIT // 500):
        try:
            urllib.request.urlopen(url, timeout=30).close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} did not answer")
