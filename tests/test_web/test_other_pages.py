"""Choosing among faces, photos, comparing, and a witness's case in the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import Reply
from tests.test_web.conftest import words
from tools.errors import ToolError
from ui.web import array_page, photo_page, uploads
from ui.web.addresses import mesh, opens

pytestmark = pytest.mark.usefixtures("quick_files")
Make = Callable[..., FaceEstimate]
Any_ = Callable[..., Any]


@pytest.fixture
def with_faces(desk: Any_, estimate: Make) -> Any:
    at_desk = desk(Reply("<FACE> <FACE>", (), (estimate(1), estimate(2))))
    at_desk.threads.create("case")
    assert at_desk.say("case", "two men").wait(300)
    return at_desk


def a_page(name: str, thread: str = "case") -> Any:
    """One page of the app, drawn on its own."""
    testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is missing")

    def script(name: str) -> None:
        import importlib

        importlib.import_module(f"ui.web.{name}").show()

    app = testing.AppTest.from_function(script, args=(name,), default_timeout=300)
    if thread:
        app.query_params["thread"] = thread
    return app.run()


@pytest.mark.parametrize("name", ["array_page", "photo_page", "compare_page"])
def test_pages_say_what_to_do_first(desk: Any_, name: str) -> None:
    desk()
    app = a_page(name, "")
    assert not app.exception and (app.info or app.caption)


def test_faces_are_chosen_bred_and_rated_and_the_journal_tells(
    with_faces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_page, "SIZES", (2, 4))
    case = with_faces.chat("case").workspace
    array_page.ask_for("case", case, 2)
    assert with_faces.turn("case").wait(300)
    assert array_page.last_array(case) == ("face-3", "face-4")
    app = a_page("array_page")
    assert app.button(key="breed").disabled
    app.checkbox(key="pick-face-3").check().run()
    app.slider(key="rate-face-3").set_value(8).run()
    app.button(key="rated-face-3").click().run()
    app.button(key="take").click().run()
    assert with_faces.turn("case").wait(300) and case.current == "face-3"
    assert not app.exception and not app.error
    app.checkbox(key="pick-face-4").check().run()
    assert not app.button(key="breed").disabled
    told = {entry.event: entry.data for entry in case.journal.entries()}
    assert told["array shown"]["faces"] == ["face-3", "face-4"]
    assert told["likeness"] == {"face": "face-3", "rating": 8, "of": 10}
    assert case.journal.verify() > 0


def test_only_the_outer_face_is_blurred() -> None:
    picture = Image.effect_noise((512, 512), 80).convert("RGB")
    soft = array_page.outer_blurred(picture)
    assert soft.getpixel((256, 300)) == picture.getpixel((256, 300))
    corner = soft.crop((0, 0, 100, 100)).convert("L").getextrema()
    assert corner[1] - corner[0] < 40


def test_two_faces_are_compared_in_the_conversation(with_faces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.compare.difference_picture", lambda *_: Image.new("RGB", (90, 30)))
    app = a_page("compare_page")
    app.button(key="compare").click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    app.run()
    assert "mm" in words(app) and not app.exception
    assert any(
        message.type == "tool" and message.name == "compare" for message in with_faces.chat("case").messages
    )


def test_photos_that_are_none_are_refused_in_a_sentence() -> None:
    class Upload:
        name = "../../notes.jpg"

        def getvalue(self) -> bytes:
            return b"not a picture"

    with pytest.raises(ToolError, match=r"notes\.jpg is not a picture"):
        uploads.kept(Upload())


def test_a_batch_goes_on_after_a_photo_without_a_face(with_faces: Any, tmp_path: Path) -> None:
    photos = []
    for number in (1, 2):
        photos.append(tmp_path / f"wall-{number}.png")
        Image.new("RGB", (64, 64), (90, 90, 90)).save(photos[-1])
    photos[0].write_bytes(b"broken")
    photo_page.fit("case", photos)
    turn = with_faces.turn("case")
    assert turn.wait(300) and turn.error is None
    told = str(with_faces.chat("case").messages[-1].text)
    assert "wall-1.png" in told and "wall-2.png" in told


def test_the_overlay_slider_shows_photo_right_and_face_left() -> None:
    sheet = Image.new("RGB", (300, 100), "red")
    sheet.paste("blue", (100, 0, 200, 100))
    sheet.paste("green", (200, 0, 300, 100))
    photo, over, alone = photo_page.strip(sheet)
    half = photo_page.mixed(photo, over, 0.5)
    assert half.getpixel((10, 50)) == (0, 0, 255) and half.getpixel((90, 50)) == (255, 0, 0)
    assert photo_page.mixed(photo, over, 0).getpixel((10, 50)) == (255, 0, 0)
    assert alone.getpixel((10, 50)) == (0, 128, 0)


def test_a_witness_sees_questions_and_own_words_only(desk: Any_, page: Any_, estimate: Make) -> None:
    at_desk = desk(Reply("A man of about 50 with a hooked nose. <FACE>", (), (estimate(1),)))
    app = page()
    app.button(key="new-witness").click().run()
    (thread,) = at_desk.threads.list()
    assert thread.witness and "can change the memory itself" in words(app)
    app.chat_input[0].set_value("He looked tired. That is all.").run()
    assert at_desk.turn(thread.name).wait(300)
    app.run()
    assert "He looked tired." in words(app) and "hooked" not in words(app)
    assert "first picture" in words(app) and not app.exception


def test_with_a_secret_a_face_opens_by_its_ticket_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mesh("a case", "face-1") == "facegpt/faces/a%20case/face-1.glb" and opens("", "a case", "face-1")
    monkeypatch.setenv("FACEGPT_UI_SECRET", "word")
    ticket = mesh("a case", "face-1").partition("ticket=")[2]
    assert opens(ticket, "a case", "face-1")
    assert not opens(ticket, "a case", "face-2") and not opens("", "a case", "face-1")


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
