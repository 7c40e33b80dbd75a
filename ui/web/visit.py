"""Which thread a page shows: its name stands in the address, so that a reload or a sent link finds it."""

from __future__ import annotations

import streamlit as st

from agent.threads import Thread
from tools.errors import ToolError
from ui.web.desk import the_desk
from ui.web.owners import mine, own

PARAMETER = "thread"
WATCHED = 2.0  # seconds between two looks


def current() -> str:
    """Name of the thread this page shows, "" before there is one."""
    name = str(st.query_params.get(PARAMETER) or st.session_state.get(PARAMETER, ""))
    if name:
        try:
            if not mine(the_desk().threads.get(name).folder):
                raise ToolError("this conversation is another one's")
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


def go_to_own(thread: Thread) -> None:
    """Show a thread that was made just now, which is whose page made it."""
    own(thread.folder)
    go_to(thread.name)


def or_new() -> str:
    """Name of the thread, which is made if there is none yet."""
    name = str(st.session_state.get(PARAMETER, ""))
    if not name:
        thread = the_desk().threads.create()
        go_to_own(thread)
        name = thread.name
    return name


@st.fragment(run_every=WATCHED)
def watch(name: str, seen: str) -> None:
    """Run the page again when something happened in its thread elsewhere, such as in a second tab."""
    if name and the_desk().pulse(name) != seen:
        st.rerun()
