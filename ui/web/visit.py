"""Which thread a page shows: its name stands in the address, so that a reload or a sent link finds it."""

from __future__ import annotations

import streamlit as st

from tools.errors import ToolError
from ui.web.desk import the_desk

PARAMETER = "thread"


def current() -> str:
    """Name of the thread this page shows, "" before there is one."""
    name = str(st.query_params.get(PARAMETER) or st.session_state.get(PARAMETER, ""))
    if name:
        try:
            the_desk().threads.get(name)
        except ToolError:
            st.toast(f"There is no conversation called {name!r} any more.")
            name = ""
    go_to(name)
    return name


def go_to(name: str) -> None:
    """Show this thread from now on; "" for a new one."""
    st.session_state[PARAMETER] = name
    if name:
        st.query_params[PARAMETER] = name
    elif PARAMETER in st.query_params:
        del st.query_params[PARAMETER]


def or_new() -> str:
    """Name of the thread, which is made if there is none yet."""
    name = str(st.session_state.get(PARAMETER, ""))
    if not name:
        name = the_desk().threads.create().name
        go_to(name)
    return name
