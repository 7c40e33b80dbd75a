"""Choosing, photos, comparing and a witness in headless Chromium, with what axe-core says of each page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.test_browser.pages import accessible, blank, calm, dropped, face_in_view, path_of, say, seen, shot

pytestmark = pytest.mark.browser
PORTRAIT = Path(__file__).parents[2] / "facegpt_model" / "data" / "examples" / "portrait.jpg"
PICTURES = "[data-testid=stMain] [data-testid=stImage] img"


def on_page(visit: Callable[..., Any], page: str, path: str, **options: Any) -> Any:
    return visit(f"/{page}{path.removeprefix('/')}", **options)


@pytest.fixture
def told(visit: Callable[..., Any]) -> str:
    """The path of a conversation with one face."""
    page = visit()
    say(page, "an old man")
    page.get_by_text("A man of about 60 with a hooked nose.").first.wait_for()
    page.get_by_role("button", name="Regenerate").wait_for()
    return path_of(page)


def test_faces_are_chosen_by_the_inner_face_and_morphed(
    visit: Callable[..., Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.web.array_page.SIZES", (3, 6))
    empty = visit("/choose")
    empty.get_by_text("First describe a face in the chat").wait_for()
    page = on_page(visit, "choose", told)
    page.get_by_role("button", name="Show 3 faces that fit").click()
    page.get_by_text("face-4", exact=True).wait_for()
    page.get_by_text("face-2", exact=True).click()
    page.get_by_text("Chosen: face-2").wait_for()
    page.get_by_role("button", name="Record this likeness").click()
    page.get_by_text("Likeness recorded so far (of 10): face-2 5").wait_for()
    page.get_by_text("Morph two faces").click()
    page.get_by_role("button", name="Morph", exact=True).wait_for()
    picture = shot(page, "choose")
    assert not blank(picture) and not blank(seen(page, PICTURES))
    accessible(page)
    page.get_by_role("button", name="Morph", exact=True).click()
    page.get_by_text("First face").wait_for()
    chat = visit(told)
    chat.get_by_text("of face-4 and").first.wait_for(state="attached")  # in the folded step
    phone = on_page(visit, "choose", told, viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone.get_by_text("Chosen: face-2").wait_for()  # kept for every tab
    assert not blank(shot(phone, "choose-phone"))
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    accessible(phone)


def test_photos_are_fitted_relit_turned_and_lend_their_expression(
    visit: Callable[..., Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.web import photo_page

    quick = photo_page.reconstruct_many
    monkeypatch.setattr(photo_page, "reconstruct_many", lambda *given: quick(*given, quality="fast"))
    page = on_page(visit, "photos", told)
    page.get_by_text("Drop photos above").wait_for()
    accessible(page)
    page.locator("input[type=file]").set_input_files([PORTRAIT, wall(tmp_path)])
    page.get_by_text("wall.png").first.wait_for()
    dropped(page, "[data-testid=stFileUploaderDropzone]", PORTRAIT)
    page.get_by_role("button", name="Fit faces").click()
    page.get_by_text(re.compile(r"photo \d of 3")).first.wait_for()  # how far it is
    page.get_by_text("Fitted face").wait_for()
    calm(page)
    half = seen(page, PICTURES)
    assert not blank(half)
    face_in_view(page)
    page.get_by_role("tab", name="Another light").click()
    page.get_by_role("button", name="Light the photo so").click()
    page.get_by_text("Shadows cast in the photo").wait_for()
    shot(page, "photos")
    accessible(page)
    page.get_by_text("Give this face another one's expression").click()
    calm(page)  # the pictures of the two faces are there, and nothing moves under the pointer
    page.get_by_role("button", name="Give face-3 the expression of face-2").click()
    page.get_by_text("face-4: face-3 with the expression of face-2").wait_for()
    dark = on_page(visit, "photos", told, color_scheme="dark")
    dark.get_by_text("Fitted face").wait_for()
    face_in_view(dark)
    shot(dark, "photos-dark")
    accessible(dark)


def wall(folder: Path) -> Path:
    """A photo without a face."""
    Image.effect_noise((128, 128), 20).save(folder / "wall.png")
    return folder / "wall.png"


def test_faces_are_compared_and_looked_for_in_the_gallery(
    visit: Callable[..., Any], told: str, gallery: None
) -> None:
    page = visit(told)
    page.get_by_label("search sliders").fill("nose width")
    slider = page.get_by_label("nose width", exact=True)
    slider.evaluate("input => { input.value = 0.9; input.dispatchEvent(new Event('change')); }")
    page.get_by_text("more towards a broad nose").first.wait_for()
    page = on_page(visit, "compare", told)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text("Apart, in millimetres by region").wait_for()
    calm(page)
    heat = seen(page, PICTURES).astype(int)
    assert np.abs(heat[..., 0] - heat[..., 2]).max() > 60, "the map has colours"
    shot(page, "compare")
    accessible(page)
    page.get_by_role("tab", name="Gallery").click()
    page.get_by_role("button", name="Search the gallery").click()
    page.get_by_text("1. distance").wait_for()
    page.get_by_role("button", name="Bring it into the chat").first.wait_for()
    shot(page, "gallery")
    accessible(page)


def test_a_witness_is_warned_and_sees_marked_pictures(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name="Witness").click()
    page.get_by_text("can change the memory itself").wait_for()
    say(page, "He was an old man and looked tired. That is all.")
    page.get_by_text("Speculative. Made from words; no evidence.").wait_for()
    page.get_by_test_id("stMain").get_by_text("hooked").wait_for(state="detached")
    assert not blank(shot(page, "witness"))
    accessible(page)
