"""Makes the pictures of docs/user-guide.md: python docs/pictures/make_ui.py

Starts the real server with the real model in a folder of its own and drives it in headless Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
PORT = 8619
WAIT = 600_000  # milliseconds
FLAGS = ["--no-sandbox", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PORTRAIT = FOLDER.parents[1] / "facegpt_model" / "data" / "examples" / "portrait.jpg"
STARTER = "An old man with a hooked nose"


def main() -> None:
    """Write ui-chat.jpg, ui-dark.jpg, ui-phone.jpg, ui-choose.jpg, ui-photos.jpg and ui-compare.jpg."""
    program = os.environ.get("FACEGPT_CHROMIUM") or shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as root:
        command = [sys.executable, "-m", "ui.cli", "ui", "--port", str(PORT), "--root", root]
        server = subprocess.Popen(command)
        try:
            _until_up()
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=program, args=FLAGS)
                page = _opened(browser, "", viewport={"width": 1360, "height": 900})
                page.get_by_text(STARTER).click()
                _settled(page)
                page.get_by_label("search sliders").fill("nose")
                page.wait_for_timeout(1000)
                _keep(page, "ui-chat")
                path = page.url.split("/", 3)[3]
                dark = _opened(browser, path, color_scheme="dark", viewport={"width": 1360, "height": 900})
                _settled(dark)
                _keep(dark, "ui-dark")
                phone = _opened(browser, path, viewport={"width": 390, "height": 844})
                _settled(phone)
                _keep(phone, "ui-phone")
                _other_pages(browser, path)
                browser.close()
        finally:
            server.terminate()
            server.wait(60)


def _other_pages(browser: Any, path: str) -> None:
    size = {"width": 1360, "height": 900}
    choose = _opened(browser, f"choose{path}", viewport={"width": 1360, "height": 1500})
    choose.get_by_role("button", name="Show 9 faces that fit").click()
    choose.get_by_text("face-10", exact=True).wait_for()
    _calm(choose)
    _keep(choose, "ui-choose")
    photos = _opened(browser, f"photos{path}", viewport={"width": 1360, "height": 1300})
    photos.locator("input[type=file]").set_input_files(PORTRAIT)
    photos.get_by_role("button", name="Fit faces").click()
    photos.get_by_role("tab", name="Another light").click()
    photos.get_by_role("button", name="Light the photo so").click()
    photos.get_by_text("Shadows cast in the photo").wait_for()
    photos.wait_for_selector("[data-shown]")
    _calm(photos)
    _keep(photos, "ui-photos")
    compare = _opened(browser, f"compare{path}", viewport=size)
    compare.get_by_role("button", name="Compare", exact=True).click()
    compare.get_by_text("Apart, in millimetres by region").wait_for()
    _calm(compare)
    _keep(compare, "ui-compare")


def _until_up() -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/facegpt/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the server did not start")


def _opened(browser: Any, path: str, **options: Any) -> Any:
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(WAIT)
    page.goto(f"http://127.0.0.1:{PORT}/{path}")
    _calm(page)
    return page


def _settled(page: Any) -> None:
    page.get_by_role("button", name="Regenerate").wait_for()
    page.wait_for_selector("[data-shown]")
    page.locator("[data-busy]").wait_for(state="hidden")
    _calm(page)


def _calm(page: Any) -> None:
    """Wait until the server runs no script for this page and what it told is drawn."""
    page.wait_for_function(
        """() => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
            && !document.querySelector("[data-testid=stSkeleton], [data-stale=true]")"""
    )
    page.wait_for_timeout(3000)


def _keep(page: Any, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(FOLDER / f"{name}.jpg", quality=82, optimize=True)


if __name__ == "__main__":
    main()
