"""The chat as people use it, in headless Chromium, on a server whose model follows a script."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_browser.pages import SLOW, accessible, calm, dropped, face_in_view, path_of, say, seen, shot

pytestmark = pytest.mark.browser
PORTRAIT = Path(__file__).parents[2] / "facegpt_model" / "data" / "examples" / "portrait.jpg"


def test_a_newcomers_two_minutes(visit: Callable[..., Any]) -> None:
    page = visit()
    shot(page, "chat-welcome")
    accessible(page)
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
    dragged = seen(page, "[data-view]").astype(int)
    assert np.abs(dragged - before).max() > 40, "dragging moves the face in the browser"
    slider.evaluate("input => input.dispatchEvent(new Event('change'))")
    page.get_by_text("more towards a broad nose").first.wait_for()
    page.get_by_text("face-2", exact=True).first.wait_for()

    say(page, "let him smile")
    page.get_by_text("towards a smile").first.wait_for()
    page.get_by_text("smile +0.60").first.wait_for()
    page.get_by_role("button", name="Undo").wait_for()
    face_in_view(page)
    shot(page, "chat")
    accessible(page)

    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Take it home").click()
    names = zipfile.ZipFile(downloaded.value.path()).namelist()
    inside = {name.partition("/")[2] for name in names}
    assert {"transcript.json", "journal.jsonl", "face-3.png", "face-3.glb"} <= inside
    assert not [name for name in inside if name.startswith(".")]

    page.get_by_label("search sliders").fill("nose length")
    page.get_by_label("lock nose length").click()
    page.locator("button.lock[aria-pressed=true]").wait_for()
    page.get_by_role("button", name="Wireframe").click()
    page.get_by_role("button", name="Hair off").click()
    page.wait_for_timeout(500)
    assert np.abs(seen(page, "[data-view]").astype(int) - dragged).max() > 40
    calm(page)

    page.reload()
    page.get_by_text("towards a smile").first.wait_for()
    assert "thread=" in page.url
    page.get_by_label("search sliders").fill("nose length")
    page.locator("button.lock[aria-pressed=true]").wait_for()

    dark = visit(path_of(page), color_scheme="dark")
    dark.get_by_text("towards a smile").first.wait_for()
    face_in_view(dark)
    assert shot(dark, "chat-dark")[5, -5].max() < 70
    accessible(dark)
    phone = visit(path_of(page), viewport={"width": 390, "height": 844})
    phone.get_by_text("towards a smile").first.wait_for()
    shot(phone, "chat-phone")
    wide = phone.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "nothing sticks out at phone width"


def test_two_tabs_show_the_same_and_do_not_fight(visit: Callable[..., Any]) -> None:
    one = visit()
    say(one, "an old man")
    one.get_by_text("A man of about 60 with a hooked nose.").first.wait_for()
    calm(one)
    two = visit(path_of(one))
    two.get_by_text("A man of about 60 with a hooked nose.").first.wait_for()
    say(two, "let him smile")
    one.get_by_text("towards a smile").first.wait_for()  # nobody touched the first tab
    one.get_by_role("button", name="Undo").click()
    calm(one)
    two.get_by_text("Undo", exact=True).nth(1).wait_for()
    assert one.get_by_text("face-1", exact=True).count() == two.get_by_text("face-1", exact=True).count()


def test_an_answer_can_be_stopped_said_again_and_said_differently(visit: Callable[..., Any]) -> None:
    page = visit()
    say(page, SLOW)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    say(page, "an old man")
    page.get_by_text("A man of about 60 with a hooked nose.").first.wait_for()
    calm(page)
    first = path_of(page)
    page.get_by_role("button", name="Edit").nth(1).click()
    page.get_by_label("Say it differently").fill("an old man who smiles")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Say this instead").click()
    page.get_by_text("an old man who smiles").first.wait_for()
    page.wait_for_url("**fork-1**")
    calm(page)
    assert path_of(page) != first
    wanted = page.get_by_placeholder("Search conversations")
    wanted.fill("take your")
    wanted.press("Enter")
    page.get_by_role("button", name="take your time").nth(1).wait_for()  # the fork has what was said before


def test_photos_come_by_button_and_by_drop(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("[data-testid=stChatInput] input[type=file]").set_input_files(PORTRAIT)
    page.locator("[data-testid=stChatInput]").get_by_text("portrait.jpg").wait_for()
    page.get_by_test_id("stChatInputSubmitButton").click()
    page.get_by_text("Here is a photo: portrait.jpg").wait_for()
    page.get_by_text("fitted to a photo").wait_for()
    calm(page)
    face_in_view(page)
    dropped(page, "[data-testid=stChatInput]", PORTRAIT)
    page.locator("[data-testid=stChatInput]").get_by_text("portrait.jpg").wait_for()
    page.get_by_test_id("stChatInputSubmitButton").click()
    page.get_by_text("Here is a photo: portrait.jpg").nth(1).wait_for()
    page.get_by_text("face-2", exact=True).first.wait_for()
    calm(page)
    shot(page, "chat-photo")
    accessible(page)
    broken = page.locator("[data-testid=stChatInput] input[type=file]")
    broken.set_input_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.locator("[data-testid=stChatInput]").get_by_text("notes.png").wait_for()
    page.get_by_test_id("stChatInputSubmitButton").click()
    page.get_by_text("notes.png is not a picture").wait_for()
