"""Exported faces in three.js: they smile when their smile target is set, and the viewer keeps its word."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegpt_model.assets import AssetError
from facegpt_model.gltf import glb_bytes
from facegpt_model.mesh import Mesh, NamedMesh
from facegpt_model.perception.analyse import analyse

pytestmark = pytest.mark.browser
Show = Callable[..., np.ndarray]
SMILE = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
OUT = Path(__file__).parents[2] / "out" / "browser"


def over_grey(picture: np.ndarray) -> Image.Image:
    canvas = Image.new("RGBA", picture.shape[1::-1], (128, 128, 128, 255))
    canvas.alpha_composite(Image.fromarray(picture))
    return canvas.convert("RGB")


def change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) largest difference over the channels, 0 to 255."""
    return np.abs(before.astype(int) - after.astype(int)).max(axis=2)


def expression(picture: Image.Image) -> dict[str, float]:
    """What the packaged face net reads off a picture."""
    (seen,) = analyse(picture)
    return dict(zip(seen.blendshape_names, seen.blendshapes.tolist(), strict=True))


@pytest.mark.parametrize("quantised", [False, True], ids=["plain", "quantised"])
def test_a_face_smiles_when_its_smile_target_is_set(
    mesh: Mesh, show: Show, page: Any, quantised: bool
) -> None:
    still = show(glb_bytes(mesh, quantised=quantised))
    smiling = show(weights=SMILE)
    OUT.mkdir(parents=True, exist_ok=True)
    for name, picture in (("still", still), ("smiling", smiling)):
        over_grey(picture).save(OUT / f"{'quantised' if quantised else 'plain'}-{name}.png")
    moved = change(still, smiling)
    head = still[..., 3] > 200
    height = len(moved)
    mouth, forehead = moved[int(0.6 * height) : int(0.78 * height)], moved[: int(0.4 * height)]
    assert (mouth > 24).mean() > 0.03  # lips and cheeks of the region's whole width
    assert forehead.max() <= 2 and head.sum() > 0.2 * head.size
    show(weights=dict.fromkeys(SMILE, 0.0))
    assert change(still, show()).max() <= 2


@pytest.mark.parametrize("name", ["mouthSmileLeft", "jawOpen"])
def test_a_face_net_sees_the_expression_that_was_set(glb: bytes, show: Show, name: str) -> None:
    calm = over_grey(show(glb))
    weights = SMILE if name in SMILE else {name: 0.8}
    moved = over_grey(show(weights=weights))
    try:
        before, after = (expression(picture)[name] for picture in (calm, moved))
    except AssetError as error:
        pytest.skip(str(error))
    assert after > before + 0.3


def test_the_expression_of_the_file_is_shown_and_comes_back(mesh: Mesh, show: Show, page: Any) -> None:
    calm = show(glb_bytes(mesh))
    smiling = show(weights=SMILE)
    named = {**mesh.morph_weights, **SMILE}
    moved = mesh.vertices + sum(mesh.morph_targets[target] for target in SMILE)
    from_file = show(glb_bytes(replace(mesh, vertices=moved, morph_weights=named)))
    assert change(smiling, from_file).max() <= 3 and change(calm, from_file).max() > 40
    targets = page.evaluate("view.targets()")
    assert {target["name"]: target["weight"] for target in targets} == pytest.approx(named)
    show(weights={"jawOpen": 1.0})
    page.evaluate("view.resetWeights()")
    assert change(from_file, show()).max() <= 2


def test_positive_yaw_turns_the_nose_to_the_right_of_the_picture(glb: bytes, show: Show, page: Any) -> None:
    show(glb, yaw=50)
    picture = show().astype(int)
    skin = (picture[..., 0] - picture[..., 2] > 60) & (picture[..., 3] > 200)
    hair = ~skin & (picture[..., 3] > 200)
    upper = slice(0, len(picture) // 2)
    assert np.nonzero(skin[upper])[1].mean() > np.nonzero(hair[upper])[1].mean() + 20


def test_things_worn_can_be_hidden_and_lines_shown(
    mesh: Mesh, visor: NamedMesh, show: Show, page: Any
) -> None:
    bare = show(glb_bytes(mesh))
    worn = show(glb_bytes(mesh, (visor,)))
    blue = (worn[..., 2].astype(int) - worn[..., 0] > 60).mean()
    assert 0.02 < blue < 0.2
    assert change(bare, show(hidden=["visor"])).max() <= 2
    lines = show(wireframe=True)
    assert (lines[..., 3] > 200).mean() < 0.7 * (bare[..., 3] > 200).mean()
    show(wireframe=False, hidden=[])
    np.testing.assert_array_equal(show(), worn)


def test_the_page_looks_as_the_options_say(glb: bytes, show: Show, page: Any, tmp_path: Path) -> None:
    show(glb, background="rgb(10, 200, 30)", label="a face")
    assert page.get_by_role("img", name="a face").count() == 1
    page.screenshot(path=tmp_path / "page.png")
    seen = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    assert tuple(seen[5, 5]) == (10, 200, 30) and tuple(seen[200, 200]) != (10, 200, 30)
    dark = show(light=0.2)
    assert dark[200, 200, :3].sum() < 0.6 * seen[200, 200].sum()


def test_mistakes_are_told_in_a_sentence(glb: bytes, show: Show, page: Any) -> None:
    tell = "(work) => work().then(() => 'nothing', (error) => error.message)"
    place = "document.getElementById('place')"
    told = page.evaluate(f"({tell})(async () => mount({place}, null, {{ wireframes: true }}))")
    assert told.startswith("the viewer has no option wireframes; known: weights")
    page.evaluate(f"window.view = mount({place})")
    assert page.evaluate("view.targets()") == []
    bad = base64.b64encode(b"glTF\2\0\0\0 but not really").decode()
    assert "cannot read this file as .glb" in page.evaluate(f"({tell})(() => view.load('{bad}'))")
    assert "needs a .glb" in page.evaluate(f"({tell})(() => view.load(''))")


def test_one_canvas_that_follows_its_place_and_goes_away(glb: bytes, show: Show, page: Any) -> None:
    show(glb)
    show(glb)
    canvases = "document.querySelectorAll('canvas').length"
    assert page.evaluate(canvases) == 1
    page.evaluate("document.getElementById('place').style.width = '200px'")
    page.wait_for_function("document.querySelector('canvas').width === 200")
    page.evaluate("view.dispose(); view.dispose()")
    assert page.evaluate(canvases) == 0


def test_as_a_component_a_face_is_parsed_once_and_moved_often(glb: bytes, page: Any) -> None:
    page.evaluate("document.getElementById('place').attachShadow({ mode: 'open' })")
    call = """async ([glb, key, options]) => {
        window.told ??= [];
        const parentElement = document.getElementById("place").shadowRoot;
        window.leave = component({ data: { glb, key, options }, parentElement,
                                   setStateValue: (name, value) => told.push([name, value]) });
        for (let wait = 0; wait < 200 && !told.length; wait++) await new Promise((go) => setTimeout(go, 20));
        const canvas = parentElement.querySelector("canvas");
        return [parentElement.querySelectorAll("canvas").length, canvas.clientHeight, told];
    }"""
    text = base64.b64encode(glb).decode()
    page.evaluate(
        "() => { const plain = atob; window.read = 0; window.atob = (text) => (read++, plain(text)); }"
    )
    page.evaluate("window.told = [0]")  # nothing to wait for: only mistakes are told
    canvases, height, _ = page.evaluate(call, [text, "one", {"label": "before"}])
    assert (canvases, height) == (1, 480)
    again = page.evaluate(call, [text, "one", {"label": "after", "weights": SMILE}])
    assert page.evaluate("read") == 1
    assert again[0] == 1 and page.get_by_role("img", name="after").count() == 1
    page.evaluate("window.told = []")
    *_, told = page.evaluate(call, [base64.b64encode(b"glTF\2\0\0\0, no").decode(), "two", {}])
    assert told[0][0] == "error" and "cannot read" in told[0][1]
    page.evaluate("leave()")
    assert page.evaluate("document.getElementById('place').shadowRoot.querySelectorAll('canvas').length") == 0
