"""Pages on a desk of their own, with a model that follows a script; tools and files are real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facegpt_model import layout
from tools.face_files import Face, face_record
from tools.studio import Studio
from tools.writing import write_text
from ui.web import desk as desks
from ui.web.desk import ROOT_VARIABLE, Desk, the_desk

APP = Path(desks.__file__).with_name("app.py")


@pytest.fixture
def desk(
    tmp_path: Path, scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    """desk(*replies) opens the process's desk on a model that gives them."""

    def opened(*replies: Any) -> Desk:
        monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "threads"))
        monkeypatch.setattr(desks, "_open_model", lambda: scripted(replies))
        the_desk.cache_clear()
        return the_desk()

    yield opened
    if the_desk.cache_info().currsize:
        the_desk().close()
    the_desk.cache_clear()


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces with their real JSON, a grey picture and no real mesh."""

    def write(folder: Path, face: Face, studio: Studio) -> None:
        Image.new("RGB", (32, 32), (128, 128, 128)).save(folder / f"{face.handle}.png")
        (folder / f"{face.handle}.glb").write_bytes(b"glTF")
        write_text(folder / f"{face.handle}.json", layout.dumps(face_record(face, studio)))

    monkeypatch.setattr("tools.workspace.write_face", write)


@pytest.fixture
def page(desk: Callable[..., Desk]) -> Callable[..., Any]:
    """page(thread) is the app as a visitor of that thread sees it."""
    testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is missing")

    def opened(thread: str = "") -> Any:
        app = testing.AppTest.from_file(str(APP), default_timeout=300)
        if thread:
            app.query_params["thread"] = thread
        return app.run()

    return opened


def words(app: Any) -> str:
    """All texts of a page."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.subheader, app.text)
    return "\n".join(str(one.value) for kind in kinds for one in kind)
