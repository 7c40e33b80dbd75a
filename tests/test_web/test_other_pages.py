"""Choosing among faces, photos, comparing, and a witness's case in the browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agent.events import ToolProgress
from facegpt_model.face import FaceEstimate
from facegpt_model.rendering.cameras import portrait_view
from facegpt_model.semantics.axes import axis_named
from facegpt_model.serving.backend import Reply
from tests.test_web.conftest import words
from tools.errors import ToolError
from tools.outcome import Outcome
from tools.reconstruct import BatchResult
from tools.retrieve import DISCLAIMER, Question
from tools.store.filters import FaceFilter
from tools.store.gallery import fill
from tools.store.opening import open_store
from tools.studio import open_studio
from tools.workspace import Workspace
from ui.web import array_page, gallery, photo_page, uploads, whole_face
from ui.web.kept import keep

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
    app.checkbox(key="pick-case-face-3").check().run()
    app.slider(key="rate-face-3").set_value(8).run()
    app.button(key="rated-face-3").click().run()
    app.button(key="take").click().run()
    assert with_faces.turn("case").wait(300) and case.current == "face-3"
    assert not app.exception and not app.error
    app.checkbox(key="pick-case-face-4").check().run()
    assert not app.button(key="breed").disabled
    told = {entry.event: entry.data for entry in case.journal.entries()}
    assert told["array shown"]["faces"] == ["face-3", "face-4"]
    assert told["likeness"] == {"face": "face-3", "rating": 8, "of": 10}
    assert case.journal.verify() > 0


def test_the_inner_face_comes_first_then_hair_and_outline(with_faces: Any) -> None:
    case = with_faces.chat("case").workspace
    app = a_page("array_page")
    assert app.toggle(key=f"array-blur-{array_page.INNER}").value
    app.segmented_control[0].set_value(array_page.OUTER).run()
    assert not app.toggle(key=f"array-blur-{array_page.OUTER}").value
    keep(case.folder, array_page.TICKED, ["face-1"])
    array_page.ask_for_outer("case", case, 2)
    assert with_faces.turn("case").wait(300)
    assert case.face("face-3").made_by["tool"] == "outer" and case.face("face-3").parent == "face-1"
    app = a_page("array_page")
    assert "Show 9 with other hair" in [button.label for button in app.button], "a reload keeps the step"
    app.checkbox(key="pick-case-face-4").check().run()
    assert a_page("array_page").checkbox(key="pick-case-face-4").value, "a reload keeps the ticks"


def test_scales_move_whole_faces_and_stand_in_the_journal(with_faces: Any) -> None:
    moved = {(one["slider"], one["value"]) for one in whole_face.changes({"friendliness": 0.5, "age": -0.5})}
    assert {("smile", 0.2), ("frown", -0.2), ("age", -0.5)} <= moved
    everything = whole_face.changes(dict.fromkeys(whole_face.SCALES, 0.5))
    assert len(everything) <= 8, "one edit moves at most eight sliders"
    assert all(axis_named(str(one["slider"])) for one in everything)
    case = with_faces.chat("case").workspace
    case.journal.append("array shown", {"faces": ["face-1", "face-2"]})
    app = a_page("array_page")
    app.checkbox(key="pick-case-face-2").check().run()
    app.slider(key="scale-friendliness-face-2").set_value(0.5)
    app.slider(key="scale-health-face-2").set_value(-0.25)
    next(one for one in app.button if one.label == "Change it").click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    assert case.face("face-3").parent == "face-2" and not app.exception
    told = [entry.data for entry in case.journal.entries() if entry.event == "whole-face scales"]
    assert told[0]["scales"]["friendliness"] == 0.5


def test_faces_of_two_witnesses_are_morphed(with_faces: Any, estimate: Make) -> None:
    other = with_faces.threads.create("second witness")
    Workspace(other.folder).add(estimate(3), made_by={})
    app = a_page("array_page")
    app.selectbox(key="morph-from").set_value("second witness").run()
    app.slider(key="morph-share").set_value(25)
    app.button(key="morph").click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    case = with_faces.chat("case").workspace
    made = case.face("face-4").made_by
    assert made == {"tool": "morph", "face": "face-2", "other": "face-3", "share": 0.25}
    brought = [entry.data for entry in case.journal.entries() if entry.event == "brought"]
    assert brought == [{"face": "face-3", "was": "face-1", "of": "second witness"}]
    assert case.journal.verify() > 0


def test_only_the_outer_face_is_blurred() -> None:
    picture = Image.effect_noise((512, 512), 80).convert("RGB")
    soft = array_page.outer_blurred(picture)
    assert soft.getpixel((256, 300)) == picture.getpixel((256, 300))
    corner = soft.crop((0, 0, 100, 100)).convert("L").getextrema()
    assert corner[1] - corner[0] < 40


def test_two_faces_are_compared_in_millimetres_by_region(
    with_faces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.compare.difference_picture", lambda *_: Image.new("RGB", (90, 30)))
    app = a_page("compare_page")
    app.button(key="compare").click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    app.run()
    shown = {metric.label: metric.value for metric in app.metric}
    assert {"Whole face, mm", "Eyes, mm", "Nose, mm", "Mouth, mm", "Jaw, mm"} <= set(shown)
    assert all(0 < float(value) < 50 for value in shown.values()) and not app.exception


@pytest.fixture
def stocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gallery of twelve people, drawn as grey squares."""
    studio = open_studio()
    with open_store(tmp_path / "store", studio) as store:
        fill(store, studio, 12, 1, lambda doing, share: None)
    for place in ("ui.web.gallery.usual_store", "agent.registry.usual_store"):
        monkeypatch.setattr(place, lambda studio, report: open_store(tmp_path / "store", studio))
    monkeypatch.setattr("tools.retrieve.thumbnail", lambda *_: Image.new("RGBA", (64, 64), "grey"))


@pytest.mark.usefixtures("stocked")
def test_the_gallery_is_searched_by_face_words_and_photo_and_says_why(
    with_faces: Any, estimate: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_faces.model().replies.append(Reply("A man with a broad nose. <FACE>", (), (estimate(4),)))
    app = a_page("compare_page")
    app.multiselect(key="parts").set_value(["nose"])
    app.slider(key="hits").set_value(2)
    searched = "Search the gallery"
    next(one for one in app.button if one.label == searched).click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    app.run()
    told = words(app)
    assert "by nose alone" in told and "1. distance" in told and "looks like a" in told
    bring = [one for one in app.button if one.key.startswith("bring-")]
    assert len(bring) == 2
    app.segmented_control(key="search-by").set_value("Words").run()
    app.text_input(key="asked-words").set_value("a man with a broad nose")
    app.multiselect(key="parts").set_value([])
    next(one for one in app.button if one.label == searched).click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    app.run()
    assert "like these words by what was said" in words(app) and "a broad nose" in words(app)
    asked = []
    code = estimate(5).code
    monkeypatch.setattr(gallery, "question_of_photo", lambda path, _: asked.append(path) or Question(code))
    work = gallery.work_of("", tmp_path / "x.jpg", [], 3, FaceFilter(looks="woman"))
    outcome = work(with_faces.chat("case").workspace, lambda doing, share: None)
    assert asked == [tmp_path / "x.jpg"] and all("woman" in hit.facts for hit in gallery.hits(outcome.text))
    app.run()
    next(one for one in app.button if one.key.startswith("bring-")).click().run()
    assert with_faces.turn("case").wait(300)
    assert with_faces.chat("case").workspace.face().made_by["tool"] == "bring"


def test_hits_are_read_as_they_are_told() -> None:
    facts = "looks like a man of about 50; synthetic"
    line = f"f0123456789abcdef distance 0.71: a broad nose as said, older ({facts})"
    told = f"2 like face-1 by the whole face ({DISCLAIMER}): 1. {line}; 2. {line}"
    one, two = gallery.hits(told)
    assert (one.number, one.known, one.distance) == (1, "f0123456789abcdef", 0.71)
    assert one.why == "a broad nose as said, older" and one.facts == facts
    assert two.number == 2 and gallery.hits("nothing like it") == []


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
    assert photo_page.blended(photo, over, 0.5).getpixel((90, 50)) == (127, 0, 127)


def test_a_fitted_photo_is_relit_turned_and_lends_its_expression(
    with_faces: Any, estimate: Make, tmp_path: Path
) -> None:
    case = with_faces.chat("case").workspace
    photo = Image.new("RGB", (96, 96), "grey")
    photo.save(tmp_path / "p.png")
    handle = case.add_photo(tmp_path / "p.png", photo.save)
    fit = replace(estimate(4), view=portrait_view(size=96))
    made_by = {"tool": "reconstruct", "photo": handle}
    assert case.add(fit, made_by=made_by, speculative=False).handle == "face-3"
    Image.new("RGB", (96, 32), "grey").save(case.folder / "face-3-overlay.png")
    app = a_page("photo_page")
    assert photo_page.fitted_faces(case) == ["face-3"] and not app.exception
    app.slider(key="lamp-yaw").set_value(-60)
    for label, file in (("Light the photo so", "light-60+15"), ("Draw it", "yaw+30")):
        next(one for one in app.button if one.label == label).click().run()
        assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
        assert (case.folder / f"face-3-{file}.png").is_file()
    app.run()
    app.button(key="express").click().run()
    assert with_faces.turn("case").wait(300) and with_faces.turn("case").error is None
    made = case.face("face-4").made_by
    assert (made["tool"], made["face"], made["like"]) == ("express", "face-3", "face-2")
    app.run()
    assert "face-4: face-3 with the expression of face-2" in words(app) and not app.exception


def test_a_batch_tells_how_far_it_is(
    with_faces: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fits(photos: list[Path], case: Any, report: Any) -> Any:
        for path in photos:
            report("fitting", 0.5)
            yield BatchResult(path, Outcome(f"{path.name} fitted"))

    monkeypatch.setattr(photo_page, "reconstruct_many", fits)
    photo_page.fit("case", [tmp_path / "a.png", tmp_path / "b.png"])
    turn = with_faces.turn("case")
    assert turn.wait(300)
    told = [(h.event.doing, h.event.share) for h in turn.happened if isinstance(h.event, ToolProgress)]
    assert told == [("photo 1 of 2: fitting", 0.25), ("photo 2 of 2: fitting", 0.75)]


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
