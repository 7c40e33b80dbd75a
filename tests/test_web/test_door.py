"""Who may come in, and whose conversations they see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.test_web.conftest import words
from ui.web import addresses, owners

Any_ = Callable[..., Any]
AUTH = {"client_id": "facegpt", "client_secret": "x", "server_metadata_url": "http://127.0.0.1/none"}


class Somebody(dict[str, str]):
    """Stands for Streamlit's user."""

    is_logged_in = True


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """provider(name) logs somebody of that name in."""

    def logged_in(name: str) -> None:
        for room in ("owners", "door", "addresses"):
            monkeypatch.setattr(f"ui.web.{room}.has_provider", lambda: True)
        user = Somebody(iss="https://provider", sub=name, email=f"{name}@example.org")
        monkeypatch.setattr("streamlit.user", user)

    return logged_in


def test_with_a_provider_pages_ask_to_log_in_first(desk: Any_, page: Any_) -> None:
    desk()
    testing = pytest.importorskip("streamlit.testing.v1")
    app = testing.AppTest.from_file(str(Path(addresses.__file__).with_name("app.py")), default_timeout=300)
    app.secrets["auth"] = AUTH
    app.run()
    assert [button.label for button in app.button] == ["Log in"] and not app.chat_input


def test_who_logged_in_sees_their_own_conversations_and_those_nobody_owns(
    desk: Any_, page: Any_, provider: Callable[[str], None]
) -> None:
    at_desk = desk()
    at_desk.threads.create("of the command line")
    provider("ada")
    app = page()
    app.button(key="new-witness").click().run()
    (hers,) = [thread for thread in at_desk.threads.list() if thread.witness]
    assert "ada" not in (hers.folder / owners.FILE).read_text()
    assert f"open-{hers.name}" in [button.key for button in page(hers.name).button]
    assert "Logged in as ada@example.org" in [caption.value for caption in app.caption]
    provider("bob")
    app = page(hers.name)
    keys = [button.key for button in app.button]
    assert f"open-{hers.name}" not in keys and "open-of the command line" in keys
    assert app.session_state["thread"] == ""


def test_faces_open_by_ticket_only_behind_any_door(
    monkeypatch: pytest.MonkeyPatch, provider: Callable[[str], None]
) -> None:
    address = addresses.mesh("a case", "face-1")
    assert address == "facegpt/faces/a%20case/face-1.glb" and addresses.opens("", "a case", "face-1")
    tickets = []
    for shut in (lambda: monkeypatch.setenv("FACEGPT_UI_SECRET", "word"), lambda: provider("ada")):
        monkeypatch.delenv("FACEGPT_UI_SECRET", raising=False)
        shut()
        ticket = addresses.mesh("a case", "face-1").partition("ticket=")[2]
        assert addresses.opens(ticket, "a case", "face-1")
        assert not addresses.opens(ticket, "a case", "face-2") and not addresses.opens("", "a case", "face-1")
        tickets.append(ticket)
    assert tickets[0] != tickets[1]


def test_the_door_opens_to_the_shared_word_only(
    desk: Any_, page: Any_, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk()
    monkeypatch.setenv("FACEGPT_UI_SECRET", "open sesame")
    app = page()
    assert not app.chat_input and not [one for one in app.button if one.key == "new-chat"]
    app.text_input(key="word").set_value("guess")
    app.button[0].click().run()
    assert not app.chat_input and "not the word" in words(app)
    app.text_input(key="word").set_value("open sesame")
    app.button[0].click().run()
    assert app.chat_input and not app.exception
