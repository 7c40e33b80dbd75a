"""What the pages cost: two people at once on one server with the model loaded, and how soon a face is seen.

Run `python benchmarks/pages.py [--json]`. Starts `facegpt ui` in a folder of its own and drives two headless
browsers: both describe a face, both move a slider, one asks for nine faces, the other fits a photo.

memory_mb is the most memory the server's process ever held (VmHWM of Linux), the browsers not counted;
load_ms how long the page of a warm server took from being told of a new face to showing it (median over
faces), load_server_ms the server's share of that as CPU time of one thread, measured in this process on the
same faces. load_average tells how busy the machine was; load_ms means little where it is above the cores.
The last line is one JSON object with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

PORT = 8627
WAIT = 900_000  # milliseconds
FLAGS = ["--no-sandbox", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
STATEMENTS = (
    "A woman of about 35 with a round face, green eyes and curly red hair",
    "An old man with a hooked nose, bushy eyebrows and a short grey beard",
)
PORTRAIT = Path(__file__).parents[1] / "facegpt_model" / "data" / "examples" / "portrait.jpg"
LIMIT_MB = 3500


def memory_mb(process: int) -> float:
    """The most memory a process held so far, in millions of bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM")]
    return round(int(peak.split()[1]) * 1024 / 1e6, 0)


def measure() -> dict[str, float]:
    """All figures, in the order of the table."""
    program = os.environ.get("FACEGPT_CHROMIUM") or shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as root:
        command = [sys.executable, "-m", "ui.cli", "ui", "--port", str(PORT), "--root", root]
        server = subprocess.Popen(command)
        try:
            _until_loaded()
            figures = {"loaded_mb": memory_mb(server.pid)}
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=program, args=FLAGS)
                loads = _two_people(browser)
                browser.close()
            figures |= {
                "memory_mb": memory_mb(server.pid),
                "load_ms": round(statistics.median(loads), 0),
                "faces_loaded": len(loads),
            }
        finally:
            server.terminate()
            server.wait(60)
        figures["load_server_ms"] = _server_ms(Path(root))
    return {**figures, "load_average": round(os.getloadavg()[0], 1), "cores": os.cpu_count() or 1}


def _two_people(browser: Any) -> list[float]:
    pages = [browser.new_context(viewport={"width": 1360, "height": 900}).new_page() for _ in STATEMENTS]
    loads: list[float] = []
    for page, words in zip(pages, STATEMENTS, strict=True):  # both wait for an answer at once
        page.set_default_timeout(WAIT)
        page.goto(f"http://127.0.0.1:{PORT}/", wait_until="domcontentloaded")
        page.get_by_text(words).click()
    for page in pages:
        _shown(page, "face-1")
    for page in pages:
        page.get_by_label("search sliders").fill("nose width")
        slider = page.get_by_label("nose width", exact=True)
        slider.evaluate("input => { input.value = 0.5; input.dispatchEvent(new Event('change')); }")
    for page in pages:
        loads.append(_shown(page, "face-2"))
    one, two = pages
    thread = one.url.partition("?")[2]
    choose = one.context.new_page()
    choose.set_default_timeout(WAIT)
    choose.goto(f"http://127.0.0.1:{PORT}/choose?{thread}", wait_until="domcontentloaded")
    choose.get_by_role("button", name="Show 9 faces that fit").click()
    two.locator("[data-testid=stChatInput] input[type=file]").set_input_files(PORTRAIT)
    two.locator("[data-testid=stChatInput]").get_by_text(PORTRAIT.name).wait_for()
    two.get_by_test_id("stChatInputSubmitButton").click()
    choose.get_by_text("face-11", exact=True).wait_for()
    loads.append(_shown(two, "face-3"))
    return loads


def _shown(page: Any, handle: str) -> float:
    """Milliseconds the panel took to show a face, waiting for it first."""
    page.wait_for_selector(f"[data-shown$='/{handle}']")
    return float(page.locator("[data-panel]").get_attribute("data-milliseconds"))


def _until_loaded() -> None:
    for _ in range(WAIT // 500):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/facegpt/health", timeout=30) as answer:
                if json.load(answer)["model_loaded"]:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit("the server did not load its model")


def _server_ms(root: Path) -> float:
    """CPU time of making what the panel loads, the least over the faces of one case, caches warm."""
    from ui.web.desk import Desk
    from ui.web.server import panel_mesh

    desk = Desk(root, lambda: (_ for _ in ()).throw(RuntimeError("no model is needed here")))
    name = desk.threads.list()[0].name
    times = []
    for handle in desk.threads.get(name).faces[:4]:
        begun = time.process_time()
        panel_mesh(desk, name, handle)
        times.append(1000 * (time.process_time() - begun))
    desk.close()
    return round(min(times), 0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    figures = measure()
    for name, value in figures.items():
        print(f"{name:16} {value:10.0f}" if name != "load_average" else f"{name:16} {value:10.1f}")
    if figures["memory_mb"] > LIMIT_MB:
        raise SystemExit(f"two people took {figures['memory_mb']:.0f} MB, more than {LIMIT_MB}")
    if given.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
