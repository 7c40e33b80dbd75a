"""The live face beside the chat: seen from all sides, moved by sliders.

Dragging moves morph targets in the browser; on release the change becomes an edit like any other, so
chat, sliders and journal hold the same face.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

import streamlit as st

from facegpt_model.semantics.axes import axis_list, axis_named
from facegpt_model.semantics.words import Degree
from tools.outcome import Outcome
from tools.studio import open_studio
from tools.variants import VariantsRequest, variants
from tools.workspace import Workspace
from ui.web import addresses
from ui.web.desk import the_desk
from ui.web.incidents import sentence, shown
from ui.web.kept import keep, kept
from ui.web.turns import Turn

PARTS = (
    "person", "face", "forehead", "brows", "eyes", "nose", "cheeks", "mouth", "chin", "jaw", "ears", "neck",
    "hair", "skin", "glasses", "expression",
)  # fmt: skip
WORN = ("hair", "beard", "moustache", "glasses", "lenses")  # what "Hair off" hides
SLIGHT, STRONG = 0.35, 0.75  # sizes of a move between "a little" and "much"
MOST_LOCKED = 40
LOCKED = "locked"  # what the panel keeps with the conversation
STEP_WAIT = 5.0  # seconds a page waits for undo or redo
SURPRISE = 7919  # step between the seeds of surprises


def show(name: str) -> None:
    """Draw the panel of a thread's current face."""
    if not name:
        _empty()
        return
    chat = the_desk().chat(name)
    case = chat.workspace
    handle = case.current
    if case.witness:
        _picture_only(case)
        return
    if handle is None:
        _empty()
        _steps(name, case)
        return
    _steps(name, case)
    locked = kept(case.folder, LOCKED)
    panel(name, case, handle, locked)
    busy = the_desk().busy(name)
    if st.button(
        "Surprise me, within what was said",
        icon=":material/casino:",
        key="surprise",
        disabled=busy,
        width="stretch",
        help="Another face that fits the same words; locked sliders stay too",
    ):
        surprise(name, case, handle, locked)
        st.rerun()


def panel(name: str, case: Workspace, handle: str, locked: list[str]) -> None:
    """The component; a slider that was let go of makes an edit."""
    values = open_studio().axes.read(case.face(handle).estimate.code)
    said = mounted(name, handle, f"panel-{name}", groups(values), locked)
    if said.toggled:
        wanted = [str(one) for one in said.toggled["locked"]]
        keep(case.folder, LOCKED, wanted[:MOST_LOCKED])
        if len(wanted) > MOST_LOCKED:
            st.toast(f"At most {MOST_LOCKED} sliders can be locked.")
        st.rerun()
    moved = said.moved
    if moved and moved.get("face") != handle:
        st.toast(f"{moved['slider']} was not moved: the face had become {handle} meanwhile.")
    elif moved:
        move(name, str(moved["slider"]), float(moved["from"]), float(moved["to"]))
        st.rerun()


def view(name: str, handle: str, key: str) -> None:
    """One face to turn and light, without sliders."""
    mounted(name, handle, key, [], [])


def mounted(name: str, handle: str, key: str, sliders: list[dict[str, Any]], locked: list[str]) -> Any:
    """The component with one face, and what it told since the last run."""
    return component()(
        key=key,
        data={
            "viewer": addresses.VIEWER,
            "glb": addresses.mesh(name, handle),
            "key": f"{name}/{handle}",
            "face": handle,
            "label": f"3D view of {handle}",
            "groups": sliders,
            "locked": locked,
            "worn": list(WORN),
        },
        on_moved_change=lambda: None,
        on_toggled_change=lambda: None,
        height="content",
    )


def move(name: str, slider: str, before: float, after: float) -> Turn:
    """Move one slider of the current face from a value to another; it is told in the conversation."""
    value = round(min(max(after - before, -1.0), 1.0), 3)
    return the_desk().act(
        name,
        "edit",
        {"changes": [{"slider": slider, "value": value}]},
        asked=f"{slider} {before:+.2f} to {after:+.2f}",
        told=lambda outcome: meaning(slider, value, outcome),
    )


def meaning(slider: str, value: float, outcome: Outcome) -> str:
    """What a move means, such as "a bit more towards a broad nose, nose width +1.8 mm"."""
    axis = axis_named(slider)
    end = axis.high if value > 0 else axis.low
    much = "a little" if abs(value) < SLIGHT else "much" if abs(value) > STRONG else "clearly"
    other = axis.low if value > 0 else axis.high
    towards = (
        f"{much} more towards {end.words(Degree.PLAIN)}"
        if end
        else f"{much} less of {other.words(Degree.PLAIN)}"
        if other
        else slider
    )
    _, _, effect = outcome.text.partition("Measured: ")
    measured = effect.partition(".  ")[0].rpartition(". face-")[0] or effect.partition(". ")[0]
    told = f"{towards[0].upper()}{towards[1:]}"
    return f"{told}: {measured}." if measured else f"{told}."


def surprise(name: str, case: Workspace, handle: str, locked: list[str]) -> Turn:
    """Another face that fits what was said, which becomes the current one."""
    seed = (SURPRISE * (1 + len(case.handles))) % 2**31
    fields: dict[str, Any] = {"face": handle, "count": 1, "keep": locked, "seed": seed}
    if not case.face(handle).speculative:
        fields["spread"] = 0.5

    def work(workspace: Workspace, report: Callable[[str, float], None]) -> Outcome:
        outcome = variants(VariantsRequest(**fields), workspace)
        workspace.go_to(outcome.faces[-1])
        return outcome

    return the_desk().do(name, "variants", fields, work, "Surprise me, within what was said")


def groups(values: dict[str, float]) -> list[dict[str, Any]]:
    """All sliders by part of the face, with the words of both ends and their values."""
    found: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for axis in axis_list():
        found.setdefault(axis.part, []).append(
            {
                "name": axis.name,
                "low": axis.low.plain if axis.low else "as it is" if axis.minimum < 0 else "none",
                "high": axis.high.plain if axis.high else "none",
                "minimum": axis.minimum,
                "maximum": axis.maximum,
                "value": round(values.get(axis.name, 0.0), 3),
            }
        )
    return [{"part": part, "sliders": sliders} for part, sliders in found.items() if sliders]


@lru_cache(maxsize=1)
def _sources() -> tuple[str, str, str]:
    folder = resources.files("ui.web")
    return (
        folder.joinpath("face_panel.html").read_text("utf-8"),
        folder.joinpath("face_panel.css").read_text("utf-8"),
        folder.joinpath("face_panel.js").read_text("utf-8"),
    )


def component() -> Any:
    """The component, registered with this run of the page."""
    html, css, js = _sources()
    return st.components.v2.component("facegpt_panel", html=html, css=css, js=js)


def _steps(name: str, case: Workspace) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{case.current or 'No face'}**")
        busy = the_desk().busy(name)
        for tool, icon in (("undo", "undo"), ("redo", "redo")):
            if st.button(
                tool.capitalize(),
                key=f"step-{tool}",
                icon=f":material/{icon}:",
                disabled=busy,
                help={"undo": "The face before the last change", "redo": "Take the undo back"}[tool],
            ):
                turn = the_desk().at_once(name, tool, {}, tool.capitalize())
                turn.wait(STEP_WAIT)
                if turn.error is not None:
                    st.toast(sentence(turn.error))
                st.rerun()
        if case.current is not None and not case.face().speculative:
            st.caption("fitted to a photo")
        elif case.current is not None:
            st.caption("speculative: made from words")


def _picture_only(case: Workspace) -> None:
    with shown():
        if case.current is None:
            st.caption("The picture will appear here after the free recall.")
            return
        st.image(str(case.folder / f"{case.current}.png"), width="stretch", alt="speculative picture")
        st.caption("Speculative. Made from words; no evidence.")


def _empty() -> None:
    st.markdown(
        '<div style="height:400px;border-radius:10px;border:1px dashed rgba(128,128,128,.5);display:flex;'
        'align-items:center;justify-content:center;text-align:center;padding:24px">'
        "The face will appear here in 3D.<br>Turn it with the mouse; move its sliders.</div>",
        unsafe_allow_html=True,
    )
