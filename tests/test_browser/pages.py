"""What the tests of the pages share: a model that answers by what was said, and looks at a page."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegpt_model.face import FaceEstimate
from facegpt_model.serving.backend import ChatTurn, Reply, ToolCall, ToolSchema
from tests.conftest import random_estimate

HOUSE = Path(__file__).parents[2]
OUT = HOUSE / "out" / "browser"
WAIT = (
    int(os.environ.get("FACEGPT_BROWSER_WAIT", 300)) * 1000
)  # milliseconds; machines that run this may be busy
SLOW = "take your time"
BLANK = 4.0  # standard deviation of grey levels under which a picture shows nothing


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
        if "photo" in last.text:
            photo = f"photo-{sum('photo' in turn.text for turn in turns if turn.role == 'user')}"
            return Reply("", (ToolCall("", "reconstruct", {"photo": photo}),))
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


def seen(page: Any, selector: str) -> np.ndarray:
    """(H, W, 3) of one part of a page."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB"))


def blank(picture: np.ndarray) -> bool:
    """Whether a picture shows nothing but one tone."""
    return bool(picture.astype(float).mean(axis=2).std() < BLANK)


def calm(page: Any) -> None:
    """Wait until the server runs no script for this page and nothing is a placeholder any more."""
    page.wait_for_function(
        """() => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
            && !document.querySelector("[data-testid=stSkeleton], [data-stale=true]")"""
    )
    page.wait_for_timeout(300)


def accessible(page: Any) -> None:
    """axe-core finds no serious or critical violation on the page once it is at rest."""
    calm(page)  # what is about to be drawn anew is faded, which is no lasting lack of contrast
    page.evaluate(_axe())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    told = [
        f"{rule['impact']} {rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert not told, json.dumps(told, indent=1)


@lru_cache(maxsize=1)
def _axe() -> str:
    script = HOUSE / "build" / "node" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        made = subprocess.run(
            ["bash", HOUSE / "scripts" / "node_packages.sh"], capture_output=True, text=True, check=False
        )
        if made.returncode == 3:
            pytest.skip(f"axe-core is missing: {made.stderr.strip().splitlines()[-1]}")
        made.check_returncode()
    return script.read_text("utf-8")


def dropped(page: Any, selector: str, path: Path) -> None:
    """Drop a file onto a part of the page."""
    content = list(path.read_bytes())
    given = page.evaluate_handle(
        """([bytes, name]) => {
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
            return given;
        }""",
        [content, path.name],
    )
    place = page.locator(selector).first
    place.scroll_into_view_if_needed()
    for event in ("dragenter", "dragover"):
        place.dispatch_event(event, {"dataTransfer": given})
    page.wait_for_timeout(500)  # until the page shows where to drop
    place.evaluate(
        """(place, dataTransfer) => {
            const box = place.getBoundingClientRect();
            const under = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            for (const kind of ["dragenter", "dragover", "drop"])
                under.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        given,
    )


def path_of(page: Any) -> str:
    """What of a page's address names it on any host."""
    return "/" + str(page.url).split("/", 3)[3]
