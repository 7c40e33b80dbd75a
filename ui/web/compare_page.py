"""Two faces side by side with where they differ, and the gallery searched for similar shapes."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st
from langchain_core.messages import ToolMessage

from tools.workspace import Workspace
from ui.web import gallery, message_view, visit, working
from ui.web.desk import the_desk
from ui.web.incidents import shown

APART = re.compile(r"apart by ([\d.]+) mm over the whole face \((.*) mm\); code distance ([\d.]+)")


def show() -> None:
    """Draw the page."""
    st.subheader("Compare and search")
    with shown():
        name = visit.current()
        case = the_desk().chat(name).workspace if name else None
        if case is not None and case.witness:
            st.warning(
                "Words about faces are not shown in a witness's case, so that they cannot suggest anything."
            )
            return
        working.follow(name)
        st.session_state.cards = 0
        two, similar = st.tabs(["Two faces", "Gallery"], key="compare-tab")
        with two:
            _two(name, case)
        with similar:
            gallery.show(name, case)


def _two(name: str, case: Workspace | None) -> None:
    handles = list(case.handles) if case is not None else []
    if case is None or len(handles) < 2:
        have = "This conversation has one face" if handles else "There is no face yet"
        st.info(f"{have}; make two in the chat, by words, photos or sliders, to see where they differ.")
        return
    left, right = st.columns(2)
    first = left.selectbox("First", handles, index=len(handles) - 2, key="first")
    second = right.selectbox("Second", handles, index=len(handles) - 1, key="second")
    if st.button(
        "Compare",
        type="primary",
        key="compare",
        disabled=first == second or the_desk().busy(name),
        icon=":material/compare:",
    ):
        fields = {"face": first, "other": second}
        the_desk().act(name, "compare", fields, f"Compare {first} with {second}")
        st.rerun()
    difference = case.folder / f"{first}-{second}-difference.png"
    told = last_told(name, "compare", difference.name)
    if told and difference.is_file():
        _difference(difference, str(first), str(second), told)
        return
    for column, handle in ((left, first), (right, second)):
        column.image(str(case.folder / f"{handle}.png"), width="stretch", alt=f"picture of {handle}")


def _difference(picture: Path, first: str, second: str, told: str) -> None:
    st.image(
        str(picture), width="stretch", alt=f"{first}, a heat map of where {second} differs from it, {second}"
    )
    found = regions(told)
    if found:
        st.markdown("**Apart, in millimetres by region** (root mean square, heads laid over each other)")
        with st.container(horizontal=True):
            for region, millimetres in found.items():
                st.metric(f"{region.capitalize()}, mm", f"{millimetres:.1f}", border=True, width=140)
    st.markdown(message_view.words(told))


def regions(told: str) -> dict[str, float]:
    """Region -> mm out of what `compare` answered, the whole face first; {} if it tells none."""
    match = APART.search(told)
    if match is None:
        return {}
    parts = (one.rpartition(" ") for one in match[2].split(", "))
    return {"whole face": float(match[1])} | {region: float(value) for region, _, value in parts}


def last_told(name: str, tool: str, file: str = "") -> str:
    """The newest answer of a tool in this conversation, of those that wrote `file` if one is named."""
    for message in reversed(the_desk().chat(name).messages):
        if isinstance(message, ToolMessage) and message.name == tool and message.status != "error":
            files = (message.artifact or {}).get("files", ())
            if not file or file in files:
                return str(message.text)
    return ""
