"""Two faces side by side with where they differ, and the gallery searched for similar shapes."""

from __future__ import annotations

from typing import Any

import streamlit as st
from langchain_core.messages import ToolMessage

from tools.retrieve import DISCLAIMER
from tools.workspace import Workspace
from ui.web import message_view, visit, working
from ui.web.desk import the_desk
from ui.web.incidents import shown

PARTS = ("eyes", "brows", "nose", "mouth", "jaw", "skin")


def show() -> None:
    """Draw the page."""
    st.subheader("Compare and search")
    with shown():
        name = visit.current()
        case = the_desk().chat(name).workspace if name else None
        if case is None or not case.handles:
            st.info("First make a face in the chat; then compare it with others or look for similar shapes.")
            return
        if case.witness:
            st.warning(
                "Words about faces are not shown in a witness's case, so that they cannot suggest anything."
            )
            return
        working.follow(name)
        st.session_state.cards = 0
        two, gallery = st.tabs(["Two faces", "Gallery"])
        with two:
            _two(name, case)
        with gallery:
            _gallery(name, case)


def _two(name: str, case: Workspace) -> None:
    handles = list(case.handles)
    if len(handles) < 2:
        st.caption("This conversation has one face; make another one to compare.")
        return
    left, right = st.columns(2)
    first = left.selectbox("First", handles, index=len(handles) - 2, key="first")
    second = right.selectbox("Second", handles, index=len(handles) - 1, key="second")
    for column, handle in ((left, first), (right, second)):
        column.image(str(case.folder / f"{handle}.png"), width=260, alt=f"picture of {handle}")
    if st.button(
        "Compare", type="primary", key="compare", disabled=first == second, icon=":material/compare:"
    ):
        fields = {"face": first, "other": second}
        the_desk().act(name, "compare", fields, f"Compare {first} with {second}")
        st.rerun()
    _last(case, name, "compare")


def _gallery(name: str, case: Workspace) -> None:
    st.caption(f"Hits are of {DISCLAIMER}. The gallery holds no names.")
    handle = st.selectbox("Face", list(reversed(case.handles)), key="asked")
    parts = st.multiselect(
        "Only these parts have to be alike", PARTS, placeholder="The whole face", key="parts"
    )
    count = st.slider("How many", 1, 12, 6, key="hits")
    if st.button("Search the gallery", type="primary", key="search", icon=":material/search:"):
        fields: dict[str, Any] = {"face": handle, "parts": parts, "count": count}
        the_desk().act(name, "retrieve", fields, f"Look for faces like {handle}")
        st.rerun()
    _last(case, name, "retrieve")


def _last(case: Workspace, name: str, tool: str) -> None:
    """The newest result of a tool in this conversation."""
    for message in reversed(the_desk().chat(name).messages):
        if isinstance(message, ToolMessage) and message.name == tool:
            for part in str(message.text).split("; "):
                st.markdown(message_view.words(part))
            message_view.files(case.folder, (message.artifact or {}).get("files", ()))
            return
